"""Record what a first fetch does on the event loop's own thread, by Python's audit hooks.

Arguments: the URL of a key set, a token. The client is made beforehand, as applications do. Prints one line of
JSON for the test: each import, file and TLS context of the loop's thread, and, to show that the hook works at
all, of other threads.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
from typing import Any

from jwks_client import AsyncJWKSClient, Provider

WATCHED = {
    "import": "import",  # of modules that are not loaded already
    "open": "open",
    "os.listdir": "open",
    "os.scandir": "open",
    "socket.getaddrinfo": "names",
}
loop_thread: int | None = None
on_loop: list[list[str]] = []
elsewhere: list[str] = []


def note(kind: str, what: str) -> None:
    """Record an event by its thread."""
    if loop_thread is None:
        return
    if threading.get_ident() != loop_thread:
        elsewhere.append(kind)
        return
    on_loop.append([kind, what, who()])


def who() -> str:
    """Return the library's function that caused it, or the innermost of all."""
    frame: Any = sys._getframe(2)
    innermost = frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else ""
    while frame is not None:
        if "jwks_client" in frame.f_code.co_filename:
            return str(frame.f_code.co_name)
        frame = frame.f_back
    return innermost


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Handle an audit event, for `sys.addaudithook`."""
    if event in WATCHED and loop_thread is not None:
        note(WATCHED[event], str(arguments[0]))


def main(url: str, token: str) -> None:
    """Make a client, then watch its first verification."""
    provider = Provider(
        name="p", issuer="https://issuer.test", audience="api", jwks_url=url, algorithms=("ES256",)
    )
    client = AsyncJWKSClient(provider)
    make, load = ssl.SSLContext.__new__, ssl.SSLContext.load_verify_locations

    def new(cls: Any, *arguments: Any, **options: Any) -> Any:
        note("tls", "SSLContext")
        return make(cls, *arguments, **options)

    def load_verify_locations(self: Any, *arguments: Any, **options: Any) -> None:
        note("tls", "load_verify_locations")
        load(self, *arguments, **options)

    ssl.SSLContext.__new__ = new
    ssl.SSLContext.load_verify_locations = load_verify_locations
    sys.addaudithook(hook)

    async def story() -> None:
        global loop_thread  # noqa: PLW0603 (an audit hook can never be taken away)
        await asyncio.to_thread(int)  # the loop's executor belongs to the application
        loop_thread = threading.get_ident()
        try:
            await client.verify(token)
        finally:
            loop_thread = None

    asyncio.run(story())
    # Optional packages that cannot be found are not loaded, however often they are looked for.
    seen = [one for one in on_loop if one[0] != "import" or one[1] in sys.modules]
    sys.stdout.write(json.dumps({"loop": seen, "elsewhere": sorted(set(elsewhere))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
