"""`AsyncJWKSClient`: the rules carried out with tasks.

Owns: how a flight flies as a task of its own, and how a caller waits for it. May not know: what is
decided (`_core/`, `verify`) or the other shell. A flight belongs to the event loop it
began on, and to no caller: who is cancelled while waiting cancels nothing, and a loop that is
closed takes its flight along.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from .._core.keysets.cache import Budget
from .._core.keysets.fetch import Broken, Failed, Outcome, Request, Response
from .._core.keysets.jwk import Key, KeySet
from .._core.policy import CachePolicy, FetchPolicy
from .._core.provider import Provider
from .._core.tokens.explain import Explanation
from .._core.tokens.verified import VerifiedToken
from ..errors import KeysUnavailableError
from . import arguments
from .http import Line, lower_names, timed_out, timeouts
from .issuers.resolver_call import Resolution
from .keysets.flight import Flight, overdue, refused_headers
from .keysets.source import KeySource
from .verify.client import VerifyingClient
from .verify.key_lookup import first_failure
from .verify.shell import Want

if TYPE_CHECKING:
    from ..protocols import AsyncHTTPClient, AsyncHTTPResponse, Clock, Listener
    from .network import Network

T = TypeVar("T")


class TaskFlight(Flight):
    """A flight that is a task of one event loop."""

    __slots__ = ("done", "loop", "task", "timer")

    def __init__(self, number: int, began_at: float, overdue_at: float, doubts: str | None) -> None:
        super().__init__(number, began_at, overdue_at, doubts)
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class AsyncJWKSClient(VerifyingClient):
    """Verifies JWTs of one or more providers, in asyncio; one client may serve many event loops.

    Arguments:
        providers: whose tokens are accepted.
        resolve: given an issuer that no provider names, returns its `Provider` from the
            application's own records, or None; may be a coroutine function.
        max_resolved: how many of those are kept (1 to 100 000).
        resolve_ttl: seconds (at least 1) after which ``resolve`` is asked again.
        cache: how long keys live.
        fetch: how keys are fetched, and the limits of that.
        token_cache_size: how many verified tokens are remembered; 0 for none.
        http: an ``httpx.AsyncClient``, or anything of its shape, to fetch with; it stays the
            caller's.
        listeners: callables given each event of `jwks_client.events`.
        clock: an object with ``time()`` and ``monotonic()``; by default the system's.

    Raises `ConfigurationError` naming the setting.
    """

    _asynchronous = True

    def __init__(
        self,
        *providers: Provider,
        resolve: Callable[[str], Provider | Awaitable[Provider | None] | None] | None = None,
        max_resolved: int = 256,
        resolve_ttl: float = 300,
        cache: CachePolicy = CachePolicy(),
        fetch: FetchPolicy = FetchPolicy(),
        token_cache_size: int = 1024,
        http: AsyncHTTPClient | None = None,
        listeners: Iterable[Listener] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            *providers,
            cache=cache,
            fetch=fetch,
            token_cache_size=token_cache_size,
            http=http,
            listeners=listeners,
            clock=clock,
            resolve=resolve,
            max_resolved=max_resolved,
            resolve_ttl=resolve_ttl,
        )
        if http is None:
            _import_what_a_fetch_needs()
        self._http = http
        self._flights: dict[tuple[asyncio.AbstractEventLoop, KeySource], TaskFlight] = {}

    async def verify(
        self,
        token: str | bytes,
        *,
        provider: str | None = None,
        claim_values: Mapping[str, Any] | None = None,
    ) -> VerifiedToken:
        """Verify a token; see `JWKSClient.verify`."""
        begun = self._begin(token, provider, claim_values)
        if type(begun) is VerifiedToken:
            return begun
        return await self._drive(begun)

    async def get_signing_key(
        self, kid: str | None, *, alg: str | None = None, provider: str | None = None
    ) -> Key:
        """The key of a kid; see `JWKSClient.get_signing_key`."""
        return await self._drive(self._signing_key(kid, alg, provider))

    async def get_signing_key_from_jwt(self, token: str | bytes) -> Key:
        """The key that a token names; see `JWKSClient.get_signing_key_from_jwt`."""
        return await self._drive(self._key_of_token(token))

    async def keys(self, provider: str | None = None) -> KeySet:
        """The key set as cached, fetched if there is none; see `JWKSClient.keys`."""
        return await self._drive(self._loaded(provider))

    async def refresh(self, provider: str | None = None) -> None:
        """Fetch now, whatever budgets and backoff say; see `JWKSClient.refresh`."""
        await self._fly_all(await self._drive(self._sources_of(provider)))

    async def warm_up(self, timeout: float = 10) -> None:  # noqa: ASYNC109 (the contract's name)
        """Load all providers side by side; see `JWKSClient.warm_up`."""
        sources = self._cold_sources()
        try:
            async with asyncio.timeout(arguments.patience(timeout)):
                await self._fly_all(sources)
        except TimeoutError:
            raise KeysUnavailableError(
                "fetch_timeout", "not all key sets came in time for the start"
            ) from None

    async def explain(self, token: str | bytes) -> Explanation:
        """Every key and check with its outcome, for people; see `JWKSClient.explain`."""
        return await self._drive(self._explained(token))

    async def aclose(self) -> None:
        """End what is under way. Fresh keys still verify; what would fetch is a 503."""
        self._closed = True
        if self._tenants is not None:
            calls = self._tenants.close()
            if calls:
                await asyncio.wait(calls)
        here = asyncio.get_running_loop()
        for (loop, _), flight in self._flights.copy().items():
            if flight.task is None or loop.is_closed():
                continue
            if loop is here:
                flight.task.cancel()
                await asyncio.wait([flight.task])
            else:
                loop.call_soon_threadsafe(flight.task.cancel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _drive(self, steps: Generator[Want, object, T]) -> T:
        value: object = None
        error: Exception | None = None
        while True:
            # Resumed outside any except block, so that no error of ours gets a foreign context.
            try:
                want = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as done:
                return cast("T", done.value)
            value, error = None, None
            if isinstance(want, TaskFlight):
                await want.done.wait()
                continue
            if isinstance(want, Resolution):
                await want.waited()
                continue
            try:
                value = await cast("Any", want)
            except Exception as raised:  # noqa: BLE001 (a check of the application's)
                error = raised

    async def _fly_all(self, sources: list[KeySource]) -> None:
        flights = [
            (one, self.begin_flight(one, Budget.ROUTINE, None, one.begun)) for one in sources
        ]
        for _, flight in flights:
            if isinstance(flight, TaskFlight):
                await flight.done.wait()
        failure = first_failure([(one, flight.number) for one, flight in flights if flight])
        if failure is not None:
            raise failure

    def flight_of(self, source: KeySource) -> TaskFlight | None:
        """The flight of this event loop, if one is in the air."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        flight = self._flights.get((loop, source))
        if flight is None or flight.done.is_set() or not flight.left:
            return None
        return flight

    def _new_flight(self, source: KeySource, number: int, doubts: str | None) -> TaskFlight:
        flight = TaskFlight(number, self.clock.monotonic(), self._overdue_at(), doubts)
        for place in self._flights.copy():
            if place[0].is_closed():  # a loop that is gone takes its flights along
                self._flights.pop(place, None)
        self._flights[flight.loop, source] = flight
        return flight

    def _start(self, source: KeySource, flight: Flight) -> None:
        assert isinstance(flight, TaskFlight)  # noqa: S101 (made by _new_flight)
        # A context of its own: a flight is nobody's request, so it is not traced or cancelled as
        # one.
        flight.timer = flight.loop.call_later(
            self._fetch_policy.deadline, self._give_up, source, flight
        )
        flight.task = flight.loop.create_task(
            self._fly(source, flight),
            name=f"jwks-client {source.name}",
            context=contextvars.Context(),
        )

    def _give_up(self, source: KeySource, flight: TaskFlight) -> None:
        """At the deadline: callers are answered now, whatever the task is stuck in."""
        source.land(flight, overdue())
        flight.done.set()
        if flight.task is not None:
            flight.task.cancel()

    async def _fly(self, source: KeySource, flight: TaskFlight) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await self._converse(source)
        except Exception as error:  # noqa: BLE001 (whatever an injected client raises)
            outcome = Failed(code="fetch_failed", message="the fetch failed", cause=error)
        finally:
            # Also when cancelled: then nothing is recorded, the slot is free, and waiters look
            # again.
            if flight.timer is not None:
                flight.timer.cancel()
            if outcome is not None:
                source.land(flight, outcome)
            if self._flights.get((flight.loop, source)) is flight:
                del self._flights[flight.loop, source]
            flight.done.set()

    async def _converse(self, source: KeySource) -> Outcome:
        try:
            if callable(source.plan.provider.headers):
                talk = await asyncio.to_thread(source.talk)  # it may ask a vault
            else:
                talk = source.talk()
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refused_headers(error)
        steps = talk.converse()
        async with AsyncExitStack() as stack:
            http: Any = self._http
            if http is None:
                assert self._network is not None  # noqa: S101 (made where no client is given)
                http = await stack.enter_async_context(await self._open(self._network))
            answer: Response | Broken | None = None
            while True:
                try:
                    request = next(steps) if answer is None else steps.send(answer)
                except StopIteration as done:
                    return cast("Outcome", done.value)
                answer = await self._ask(http, request)

    async def _open(self, network: Network) -> Any:
        import httpx

        # Off the loop: it reads files and takes tens of milliseconds.
        tls = await asyncio.to_thread(network.authorities.context)
        return httpx.AsyncClient(verify=tls, proxy=self._fetch_policy.proxy)

    async def _ask(self, http: AsyncHTTPClient, request: Request) -> Response | Broken:
        policy = self._fetch_policy
        line = Line()
        try:
            async with asyncio.timeout(policy.attempt_timeout):
                built = http.build_request(
                    "GET",
                    request.url,
                    headers=dict(request.headers),
                    extensions={"timeout": timeouts(policy), "trace": line.trace_async},
                )
                response = await http.send(built, stream=True, follow_redirects=False)
                try:
                    return await self._read(response)
                finally:
                    await response.aclose()
        except asyncio.CancelledError:
            await line.cut_async()
            raise
        except Exception as error:  # noqa: BLE001 (httpx's tree, or an injected client's)
            await line.cut_async()
            return Broken(error, timed_out(error))

    async def _read(self, response: AsyncHTTPResponse) -> Response:
        headers = lower_names(response.headers)
        if response.is_stream_consumed:  # read whole already: a mock transport's answer
            return Response(response.status_code, headers, response.content, decoded=True)
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._fetch_policy.max_body:
                return Response(response.status_code, headers, None)
        return Response(response.status_code, headers, bytes(body))

    def after_fork(self) -> None:
        super().after_fork()
        self._flights = {}


def _import_what_a_fetch_needs() -> None:
    """Pay now for what httpx imports at its first use, which would be on the event loop."""
    import httpx as _httpx  # noqa: F401

    for name in ("httpcore", "httpcore._backends.anyio", "anyio._backends._asyncio"):
        with suppress(ImportError):  # a release that has it elsewhere imports it when it needs it
            importlib.import_module(name)
