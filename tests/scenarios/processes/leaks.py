"""The same again and again in one process: what is open and alive afterwards is what was before.

Arguments: what to do, the URL of a key set, a token. Prints one line of JSON for the test: what was left over.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from jwks_client import AsyncJWKSClient, FetchPolicy, JWKSClient, KeysUnavailableError, Provider

PATIENCE = 10.0  # real seconds after which what works is long done
TIMES = 50
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120)
OPEN = Path("/proc/self/fd")


def one_client_many_loops(provider: Provider, token: str) -> Callable[[], None]:
    """`asyncio.run` again and again on one client that is never closed."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        await client.refresh()
        await client.verify(token)
        assert flights() == []

    def flights() -> list[object]:
        return [flight for loop in client._flights.values() for flight in loop.values()]

    def once() -> None:
        asyncio.run(main())
        gc.collect()
        assert len(client._flights) == 0, "a loop that is closed is still known"

    return once


def left_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """`asyncio.run` again and again, each left while a fetch is on its way."""
    client = AsyncJWKSClient(provider)

    async def main() -> None:
        leaving = asyncio.create_task(client.refresh())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not leaving.done()

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
    """Closed while callers wait for a flight that hangs: they hear 503, and nothing is left of it."""

    def once() -> None:
        client = JWKSClient(provider, fetch=PATIENT)
        heard: list[str] = []
        callers = [threading.Thread(target=lambda: heard.append(code_of())) for _ in range(3)]

        def code_of() -> str:
            try:
                client.verify(token)
            except KeysUnavailableError as error:
                return error.code
            return ""

        for caller in callers:
            caller.start()
        wait_until_connected(client)
        client.close()
        for caller in callers:
            caller.join(PATIENCE)
        assert heard == ["fetch_failed"] * 3, heard

    return once


def wait_until_connected(client: JWKSClient) -> None:
    """Until the one flight has its connection, as `close` then has something to cut."""
    for _ in range(int(PATIENCE * 100)):
        for flight in list(client._flights.values()):
            if flight.line._stream is not None:
                return
        threading.Event().wait(0.01)
    raise AssertionError("no connection was made")


def aclosed_in_mid_flight(provider: Provider, token: str) -> Callable[[], None]:
    """The same in asyncio."""

    async def main() -> None:
        client = AsyncJWKSClient(provider, fetch=PATIENT)
        waiting = [asyncio.create_task(client.verify(token)) for _ in range(3)]
        async with asyncio.timeout(PATIENCE):
            while not open_sockets():
                await asyncio.sleep(0.001)
        await client.aclose()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one.code for one in outcomes] == ["fetch_failed"] * 3, outcomes

    before = set(sockets())

    def open_sockets() -> set[str]:
        return set(sockets()) - before - own

    own: set[str] = set()

    def once() -> None:
        asyncio.run(noting())

    async def noting() -> None:
        own.clear()
        own.update(sockets())  # the loop's own
        await main()

    return once


def sockets() -> list[str]:
    """The sockets that are open in this process, as /proc names them."""
    return [one for one in opened() if one.startswith("socket:")]


def opened() -> list[str]:
    """What is open in this process, where the system tells."""
    found = []
    if OPEN.is_dir():
        for one in OPEN.iterdir():
            with suppress(OSError):  # that by which the folder was read
                found.append(os.readlink(one))
    return found


def alive() -> list[str]:
    """Threads, once those that are ending have ended."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.startswith("jwks-client"):
            thread.join(PATIENCE)
    return [thread.name for thread in threading.enumerate()]


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


def main(story: str, url: str, token: str) -> None:
    """Do it once to have everything loaded, count, do it many times, count again."""
    provider = Provider(
        name="p", issuer="https://issuer.test", audience="api", jwks_url=url, algorithms=("ES256",)
    )
    once = STORIES[story](provider, token)
    once()
    gc.collect()
    threads, files = len(alive()), len(opened())
    for _ in range(TIMES if "closed_in" not in story else 10):
        once()
    gc.collect()
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    left = {
        "threads": len(alive()) - threads,
        "files": len(opened()) - files,
        "tasks": [repr(one) for one in tasks],
    }
    sys.stdout.write(json.dumps(left))


if __name__ == "__main__":
    main(*sys.argv[1:])
