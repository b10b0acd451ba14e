"""End with an in-flight fetch, without closing anything.

Arguments: how to end, the URL of a key set that never comes, a token. The process ends when a line comes from stdin.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import sys
import threading
from contextlib import suppress

from jwks_client import AsyncJWKSClient, FetchPolicy, JWKSClient, KeysUnavailableError, Provider

# Longer than the test waits: nothing here ends by itself.
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120)

# Development mode reports slow callbacks by the wall clock: that would be about the machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)


def wait_for_signal() -> None:
    """Wait until the test says that the request has arrived."""
    sys.stdin.readline()


def verify(client: JWKSClient, token: str) -> None:
    """Verify a token and ignore the outcome."""
    with suppress(KeysUnavailableError):
        client.verify(token)


def threads(provider: Provider, token: str) -> None:
    """Start callers in threads that wait for a hanging flight."""
    client = JWKSClient(provider, fetch=PATIENT)
    for _ in range(5):
        threading.Thread(target=verify, args=(client, token), daemon=True).start()
    wait_for_signal()


def interrupt(provider: Provider, token: str) -> None:
    """Wait in the main thread, which is interrupted as by Ctrl-C."""
    client = JWKSClient(provider, fetch=PATIENT)

    def interrupt_main() -> None:
        wait_for_signal()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt_main, daemon=True).start()
    with suppress(KeyboardInterrupt):
        client.verify(token)


def at_exit(provider: Provider, token: str) -> None:
    """Verify a token in a hook at the interpreter's exit, during a flight."""
    client = JWKSClient(provider, fetch=FetchPolicy(attempt_timeout=0.2, deadline=0.3))
    other = JWKSClient(provider, fetch=PATIENT)
    atexit.register(verify, client, token)
    threads(provider, token)
    threading.Thread(target=verify, args=(other, token), daemon=True).start()


def tasks(provider: Provider, token: str) -> None:
    """End `asyncio.run` while tasks wait for a hanging flight."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        waiting = [asyncio.create_task(client.verify(token)) for _ in range(5)]
        await asyncio.to_thread(wait_for_signal)
        assert not any(one.done() for one in waiting)

    asyncio.run(main())


def background_loop(provider: Provider, token: str) -> None:
    """Leave an event loop in a daemon thread, whose flight hangs as the main thread ends."""
    client = AsyncJWKSClient(provider, fetch=PATIENT)
    threading.Thread(target=lambda: asyncio.run(client.verify(token)), daemon=True).start()
    wait_for_signal()


def after_a_refresh_behind(provider: Provider, token: str) -> None:
    """End `asyncio.run` during a background refresh that no caller waits for."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        for source in client._sources.values():
            client._flights.refresh_behind(source)
        await asyncio.to_thread(wait_for_signal)

    asyncio.run(main())


WAYS = {
    one.__name__: one
    for one in (threads, interrupt, at_exit, tasks, background_loop, after_a_refresh_behind)
}

if __name__ == "__main__":
    how, url, token = sys.argv[1:]
    WAYS[how](
        Provider(
            name="slow",
            issuer="https://issuer.test",
            audience="api",
            jwks_url=url,
            algorithms=("ES256",),
        ),
        token,
    )
