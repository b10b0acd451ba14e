"""A process that ends with a flight in the air, and nobody who closes anything.

Arguments: how it leaves, the URL of a key set that never comes, a token. It leaves when a line comes from stdin.
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

# Development mode says which callback took long by the clock on the wall: that would be about the machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)


def wait_for_the_word() -> None:
    """Until the test says that the request is there."""
    sys.stdin.readline()


def verify(client: JWKSClient, token: str) -> None:
    """Verify a token, whatever becomes of it."""
    with suppress(KeysUnavailableError):
        client.verify(token)


def threads(provider: Provider, token: str) -> None:
    """Callers in threads that wait for a flight which hangs."""
    client = JWKSClient(provider, fetch=PATIENT)
    for _ in range(5):
        threading.Thread(target=verify, args=(client, token), daemon=True).start()
    wait_for_the_word()


def interrupt(provider: Provider, token: str) -> None:
    """The main thread itself waits, and is interrupted as by Ctrl-C."""
    client = JWKSClient(provider, fetch=PATIENT)

    def interrupt_main() -> None:
        wait_for_the_word()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt_main, daemon=True).start()
    with suppress(KeyboardInterrupt):
        client.verify(token)


def at_exit(provider: Provider, token: str) -> None:
    """A hook that runs as the interpreter ends verifies a token, with a flight in the air already."""
    client = JWKSClient(provider, fetch=FetchPolicy(attempt_timeout=0.2, deadline=0.3))
    other = JWKSClient(provider, fetch=PATIENT)
    atexit.register(verify, client, token)
    threads(provider, token)
    threading.Thread(target=verify, args=(other, token), daemon=True).start()


def tasks(provider: Provider, token: str) -> None:
    """`asyncio.run` ends while tasks wait for a flight that hangs."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        waiting = [asyncio.create_task(client.verify(token)) for _ in range(5)]
        await asyncio.to_thread(wait_for_the_word)
        assert not any(one.done() for one in waiting)

    asyncio.run(main())


def background_loop(provider: Provider, token: str) -> None:
    """An event loop in a daemon thread, whose flight hangs as the main thread ends."""
    client = AsyncJWKSClient(provider, fetch=PATIENT)
    threading.Thread(target=lambda: asyncio.run(client.verify(token)), daemon=True).start()
    wait_for_the_word()


def after_a_refresh_behind(provider: Provider, token: str) -> None:
    """`asyncio.run` ends with a refresh in the air that nobody waits for."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        for source in client._sources.values():
            client._flights.refresh_behind(source)
        await asyncio.to_thread(wait_for_the_word)

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
