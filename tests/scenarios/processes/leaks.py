"""The same again and again in one process: what is open and alive afterwards is what was before.

Arguments: what to do, how often, the URL of a key set, a token. Prints one line of JSON for the test: how many
more there are of what could be left over, and what callers heard.
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

PATIENCE = 10.0  # real seconds after which what works is long done
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120)

# Development mode says which callback took long by the clock on the wall: that would be about the machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)
OPEN = Path("/proc/self/fd")
heard: list[str] = []  # the codes of errors that callers had
left_early: list[None] = []  # one for each loop that ended while a fetch was in flight


def one_client_many_loops(provider: Provider, token: str) -> Callable[[], None]:
    """`asyncio.run` again and again on one client that is never closed."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        await client.refresh()
        await client.verify(token)

    return lambda: asyncio.run(main())


def left_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """`asyncio.run` again and again, each left while a fetch is on its way."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        leaving = asyncio.create_task(client.refresh())
        await asyncio.sleep(0)  # once: later the fetch may have ended
        if not leaving.done():
            left_early.append(None)

    return lambda: asyncio.run(main())


def many_async_clients(provider: Provider, token: str) -> Callable[[], None]:
    """A client for each run, closed each time."""

    async def main() -> None:
        async with AsyncJWKSClient(provider) as client:
            await client.verify(token)

    return lambda: asyncio.run(main())


def many_clients(provider: Provider, token: str) -> Callable[[], None]:
    """The same with threads."""

    def once() -> None:
        with JWKSClient(provider) as client:
            client.verify(token)

    return once


def unclosed_clients(provider: Provider, token: str) -> Callable[[], None]:
    """Clients that nobody closes, of both sorts: there is nothing to close once a flight has landed."""

    def once() -> None:
        JWKSClient(provider).verify(token)
        asyncio.run(AsyncJWKSClient(provider).verify(token))

    return once


def injected(provider: Provider, token: str) -> Callable[[], None]:
    """HTTP clients of the application's own stay open when ours are closed, and are whole afterwards."""

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
    """Closed while callers wait for a flight that hangs, and asked again after that."""

    def once() -> None:
        client = JWKSClient(provider, fetch=PATIENT)

        def verify() -> None:
            try:
                client.verify(token)
            except KeysUnavailableError as error:
                heard.append(error.code)

        callers = [threading.Thread(target=verify) for _ in range(3)]
        for caller in callers:
            caller.start()
        wait_for_the_word()
        client.close()
        for caller in callers:
            caller.join(PATIENCE)
        verify()

    return once


def aclosed_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """The same in asyncio."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        waiting = [asyncio.create_task(client.verify(token)) for _ in range(3)]
        await asyncio.to_thread(wait_for_the_word)
        await client.aclose()
        waiting.append(asyncio.create_task(client.verify(token)))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        heard.extend(getattr(one, "code", repr(one)) for one in outcomes)

    return lambda: asyncio.run(main())


def wait_for_the_word() -> None:
    """Until the test says that the request is there."""
    sys.stdin.readline()


def left() -> dict[str, int]:
    """How many threads, files (where the system tells), tasks and event loops there are."""
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
    """Do it once to have everything loaded, count, do it as often as told, count again."""
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
    sys.stdout.write(json.dumps({"more": more, "heard": heard}))


if __name__ == "__main__":
    main(*sys.argv[1:])
