"""Repeat one action in one process: afterwards, no more may be open and alive than before.

Arguments: what to do, how often, the URL of a key set, a token. Prints one line of JSON for the test: how many
more of each possible leftover there are, and the callers' results.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from jwks_client import AsyncJWKSClient, FetchPolicy, JWKSClient, KeysUnavailableError, Provider

PATIENCE = 10.0  # real seconds after which a working operation is long done
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120)

# Development mode reports slow callbacks by the wall clock: that would be about the machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)
OPEN = Path("/proc/self/fd")
received: list[str] = []  # the codes of callers' errors
left_early: list[None] = []  # one for each loop that ended while a fetch was in flight


def one_client_many_loops(provider: Provider, token: str) -> Callable[[], None]:
    """Run `asyncio.run` again and again on one client that is never closed."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        await client.refresh()
        await client.verify(token)

    return lambda: asyncio.run(main())


def left_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """Run `asyncio.run` again and again, each left during a fetch."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        leaving = asyncio.create_task(client.refresh())
        await asyncio.sleep(0)  # once: later the fetch may have ended
        if not leaving.done():
            left_early.append(None)

    return lambda: asyncio.run(main())


def many_async_clients(provider: Provider, token: str) -> Callable[[], None]:
    """Make a client for each run, and close it each time."""

    async def main() -> None:
        async with AsyncJWKSClient(provider) as client:
            await client.verify(token)

    return lambda: asyncio.run(main())


def many_clients(provider: Provider, token: str) -> Callable[[], None]:
    """Do the same with threads."""

    def once() -> None:
        with JWKSClient(provider) as client:
            client.verify(token)

    return once


def unclosed_clients(provider: Provider, token: str) -> Callable[[], None]:
    """Make clients of both sorts without closing them: nothing is left to close once a flight has landed."""

    def once() -> None:
        JWKSClient(provider).verify(token)
        asyncio.run(AsyncJWKSClient(provider).verify(token))

    return once


def injected(provider: Provider, token: str) -> Callable[[], None]:
    """Check that the application's HTTP clients stay open and usable when this library's are closed."""

    def once() -> None:
        with httpx.Client() as http:
            with JWKSClient(provider, http=http) as client:
                client.verify(token)
            assert not http.is_closed
            http.get(provider.jwks_url).raise_for_status()
        asyncio.run(main())

    async def main() -> None:
        async with httpx.AsyncClient() as http:
            async with AsyncJWKSClient(provider, http=http) as client:
                await client.verify(token)
            assert not http.is_closed
            (await http.get(provider.jwks_url)).raise_for_status()

    return once


def closed_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """Close a client while callers wait for a hanging flight, and use it again."""

    def once() -> None:
        client = JWKSClient(provider, fetch=PATIENT)

        def verify() -> None:
            try:
                client.verify(token)
            except KeysUnavailableError as error:
                received.append(error.code)

        callers = [threading.Thread(target=verify) for _ in range(3)]
        for caller in callers:
            caller.start()
        wait_for_signal()
        client.close()
        for caller in callers:
            caller.join(PATIENCE)
        verify()

    return once


def aclosed_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """Do the same in asyncio."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        waiting = [asyncio.create_task(client.verify(token)) for _ in range(3)]
        await asyncio.to_thread(wait_for_signal)
        await client.aclose()
        waiting.append(asyncio.create_task(client.verify(token)))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        received.extend(getattr(one, "code", repr(one)) for one in outcomes)

    return lambda: asyncio.run(main())


def wait_for_signal() -> None:
    """Wait until the test says that the request has arrived."""
    sys.stdin.readline()


def left() -> dict[str, int]:
    """Return how many threads, files (where the system tells), tasks and event loops there are."""
    for thread in threading.enumerate():
        if thread.name.startswith("jwks-client"):  # it may be about to end
            thread.join(PATIENCE)
    gc.collect()
    alive = gc.get_objects()
    return {
        "threads": threading.active_count(),
        "files": len(list(OPEN.iterdir())) if OPEN.is_dir() else 0,
        "tasks": sum(isinstance(one, asyncio.Task) for one in alive),
        "loops": sum(isinstance(one, asyncio.AbstractEventLoop) for one in alive),
    }


STORIES = {
    one.__name__: one
    for one in (
        one_client_many_loops,
        left_in_mid_flight,
        many_async_clients,
        many_clients,
        unclosed_clients,
        injected,
        closed_in_mid_flight,
        aclosed_in_mid_flight,
    )
}


def main(story: str, times: str, url: str, token: str) -> None:
    """Run once so that everything is loaded, count, run the given number of times, and count again."""
    provider = Provider(
        name="p", issuer="https://issuer.test", audience="api", jwks_url=url, algorithms=("ES256",)
    )
    once = STORIES[story](provider, token)
    once()
    before = left()
    for _ in range(int(times)):
        once()
    after = left()
    assert left_early or story != "left_in_mid_flight", "no loop ended while a fetch was in flight"
    more = {name: after[name] - before[name] for name in before}
    sys.stdout.write(json.dumps({"more": more, "received": received}))


if __name__ == "__main__":
    main(*sys.argv[1:])
