"""One driver for stories about both clients: `JWKSClient` and `AsyncJWKSClient`.

A test with the fixture ``drive`` runs twice. Its calls are plain calls in both runs: the async
client uses an event loop that runs in a thread for as long as the test, so that background
flights continue while the test looks at something else.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from jwks_client import AsyncJWKSClient, JWKSClient, Provider
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which a working operation is long done
FLIGHT_PREFIX = "jwks-client"  # how the clients name their threads and tasks
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for http alone: reading authorities takes 15 ms
KEEPER = "jwks-client keeper"  # which lives as long as its client, here of another test


def is_flight(name: str) -> bool:
    """Return whether a thread or task of this name ends by itself."""
    return name.startswith(FLIGHT_PREFIX) and name != KEEPER


def join_flights(others: AbstractSet[threading.Thread] = frozenset()) -> None:
    """Wait until the threads of all flights have ended, except ``others``.

    A listed thread may only be about to start a flight, so it is checked again.
    """
    while flying := [
        one for one in threading.enumerate() if is_flight(one.name) and one not in others
    ]:
        for thread in flying:
            if thread.is_alive():
                thread.join(PATIENCE)
                assert not thread.is_alive(), f"{thread.name} is still in flight"


class Driver(ABC):
    """A maker of clients of one kind, and their caller; `current` is the last one made."""

    kind: str

    def __init__(self) -> None:
        self.current: Any = None
        self._made: list[Any] = []
        self._http: list[Any] = []
        self._fakes: list[FakeProvider] = []

    def client(
        self,
        *providers: Provider | FakeProvider,
        transport: Any = None,
        **settings: Any,
    ) -> Any:
        """Make a client, make it current, and return it.

        A `FakeProvider` stands for its ``provider``. Unless ``http`` is among the settings or they are
        being served, fake providers are reached without sockets, each at its own host; ``transport``
        replaces that. The default clock is that of the first fake provider.
        """
        fakes = [one for one in providers if isinstance(one, FakeProvider)]
        self._fakes += fakes
        if fakes:
            settings.setdefault("clock", fakes[0].clock)
        on_the_wire = any(urlsplit(one.base_url).hostname == "127.0.0.1" for one in fakes)
        if transport is None and fakes and not on_the_wire:
            transport = fakes[0].transport if len(fakes) == 1 else ByHost(fakes)
        if transport is not None and "http" not in settings:
            settings["http"] = self._open_http(transport)
            self._http.append(settings["http"])
        plain = [one.provider if isinstance(one, FakeProvider) else one for one in providers]
        self.current = self._make(plain, settings)
        self._made.append(self.current)
        return self.current

    def verify(self, token: str | bytes, **options: Any) -> Any:
        return self.call("verify", token, **options)

    def keys(self, provider: str | None = None) -> Any:
        return self.call("keys", provider)

    def refresh(self, provider: str | None = None) -> None:
        self.call("refresh", provider)

    def warm_up(self, **options: Any) -> None:
        self.call("warm_up", **options)

    def get_signing_key(self, kid: str | None, **options: Any) -> Any:
        return self.call("get_signing_key", kid, **options)

    def get_signing_key_from_jwt(self, token: str | bytes) -> Any:
        return self.call("get_signing_key_from_jwt", token)

    def health(self, provider: str | None = None) -> Any:
        """Return the whole mapping, or one provider's entry."""
        health = self.call("health")
        return health if provider is None else health[provider]

    def explain(self, token: str | bytes) -> Any:
        return self.call("explain", token)

    def forget(self, issuer: str) -> None:
        self.call("forget", issuer)

    def close(self) -> None:
        """Close the current client: ``close()`` or ``aclose()``."""
        self.call(self._close_method)

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call any method of the current client, and await its result if necessary."""
        return self._call(getattr(self.current, method), arguments, options)

    def start(self, method: str, *arguments: Any, **options: Any) -> Future[Any]:
        """Begin a call in the background; ``.result(timeout)`` of the returned object has its outcome.

        For ``"verify"``, the async run makes a task, the sync run a thread.
        """
        return self._start(getattr(self.current, method), arguments, options)

    def settle(self) -> None:
        """Wait until all flights have ended; raise AssertionError after 10 (real) seconds."""
        self._settle_tasks()
        join_flights()

    def end(self) -> None:
        """Close everything that was made; fake providers recover, so that nothing hangs."""
        for fake in self._fakes:
            fake.recover()
        for client in self._made:
            self.current = client
            self.close()
        self.settle()
        for http in self._http:
            self._call(getattr(http, self._close_method), (), {})

    _close_method: str

    @abstractmethod
    def _make(self, providers: list[Provider], settings: dict[str, Any]) -> Any: ...

    @abstractmethod
    def _open_http(self, transport: Any) -> Any: ...

    @abstractmethod
    def _call(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any: ...

    @abstractmethod
    def _start(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Future[Any]: ...

    def _settle_tasks(self) -> None:
        """Wait for tasks, if there are any."""


class SyncDriver(Driver):
    """A driver that calls from the thread of the test."""

    kind = "sync"
    _close_method = "close"

    def _make(self, providers: list[Provider], settings: dict[str, Any]) -> Any:
        return JWKSClient(*providers, **settings)

    def _open_http(self, transport: Any) -> Any:
        return httpx.Client(transport=transport)

    def _call(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        return what(*arguments, **options)

    def _start(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(what(*arguments, **options))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="driver", daemon=True).start()
        return future


class AsyncDriver(Driver):
    """A driver that calls on an event loop in a thread, for as long as it is open."""

    kind = "async"
    _close_method = "aclose"

    def __init__(self) -> None:
        super().__init__()
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="driver-loop")
        self._thread.start()

    def _make(self, providers: list[Provider], settings: dict[str, Any]) -> Any:
        return self._call(AsyncJWKSClient, tuple(providers), settings)

    def _open_http(self, transport: Any) -> Any:
        return self._call(httpx.AsyncClient, (), {"transport": transport})

    def _call(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        return self._start(what, arguments, options).result(3 * PATIENCE)

    def _start(
        self, what: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Future[Any]:
        async def run() -> Any:
            result = what(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop)

    def _settle_tasks(self) -> None:
        async def settle() -> None:
            while flying := {one for one in asyncio.all_tasks() if is_flight(one.get_name())}:
                _, late = await asyncio.wait(flying, timeout=PATIENCE)
                assert not late, f"{len(late)} flights are still in progress"

        self._call(settle, (), {})

    def end(self) -> None:
        try:
            super().end()
        finally:
            self._call(self._cancel_all, (), {})
            self._call(self.loop.shutdown_default_executor, (), {})
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(PATIENCE)
            self.loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class ByHost(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Several fake providers behind one client, each at the host of its base URL."""

    def __init__(self, providers: list[FakeProvider]) -> None:
        self._transports = {urlsplit(one.base_url).netloc: one.transport for one in providers}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._of(request).handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._of(request).handle_async_request(request)

    def _of(self, request: httpx.Request) -> Any:
        host = request.url.netloc.decode("ascii")
        if host not in self._transports:
            raise httpx.ConnectError(f"no fake provider is at {host}", request=request)
        return self._transports[host]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of asyncio, or of uvloop if the variable JWKS_LOOP says so."""
    if os.environ.get("JWKS_LOOP") != "uvloop":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


@contextmanager
def driving(kind: str) -> Iterator[Driver]:
    """Open a driver of a kind, ``"sync"`` or ``"async"``; close it with all it made when the block ends."""
    driver = {"sync": SyncDriver, "async": AsyncDriver}[kind]()
    try:
        yield driver
    finally:
        driver.end()
