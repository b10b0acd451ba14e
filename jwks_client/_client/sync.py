"""`JWKSClient`: the rules carried out with threads.

Owns: how a flight flies as a thread of its own, and how a caller waits for it. May not know: what
is decided (`_core/`, `verify`) or the other shell. All threads of a process share one
flight per key set; it ends at its deadline whatever the network does.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from .._core.keysets.cache import Budget
from .._core.keysets.fetch import Broken, Failed, Outcome, Request, Response
from .._core.keysets.jwk import Key, KeySet
from .._core.policy import CachePolicy, FetchPolicy
from .._core.provider import Provider
from .._core.tokens.verified import VerifiedToken
from ..errors import KeysUnavailableError
from . import arguments
from .http import Line, read_answer, timed_out, timeouts
from .issuers.resolver_call import Resolution
from .keysets.flight import Flight, overdue, refused_headers
from .keysets.source import KeySource
from .verify.client import VerifyingClient
from .verify.key_lookup import first_failure
from .verify.shell import Want

if TYPE_CHECKING:
    from .._core.tokens.explain import Explanation
    from ..protocols import Clock, HTTPClient, Listener

T = TypeVar("T")


class ThreadFlight(Flight):
    """A flight that is a thread, with a timer that ends it."""

    __slots__ = ("done", "line", "thread", "timer")

    def __init__(self, number: int, began_at: float, overdue_at: float, doubts: str | None) -> None:
        super().__init__(number, began_at, overdue_at, doubts)
        self.done = threading.Event()
        self.line = Line()
        self.thread: threading.Thread | None = None
        self.timer: threading.Timer | None = None


class JWKSClient(VerifyingClient):
    """Verifies JWTs of one or more providers, in threads; one client serves a whole process.

    Arguments:
        providers: whose tokens are accepted.
        resolve: given an issuer that no provider names, returns its `Provider` from the
            application's own records, or None. Runs in a thread of its own.
        max_resolved: how many of those are kept (1 to 100 000).
        resolve_ttl: seconds (at least 1) after which ``resolve`` is asked again.
        cache: how long keys live.
        fetch: how keys are fetched, and the limits of that.
        token_cache_size: how many verified tokens are remembered; 0 for none.
        http: an ``httpx.Client``, or anything of its shape, to fetch with; it stays the caller's.
        listeners: callables given each event of `jwks_client.events`.
        clock: an object with ``time()`` and ``monotonic()``; by default the system's.

    Raises `ConfigurationError` naming the setting.
    """

    def __init__(
        self,
        *providers: Provider,
        resolve: Callable[[str], Provider | None] | None = None,
        max_resolved: int = 256,
        resolve_ttl: float = 300,
        cache: CachePolicy = CachePolicy(),
        fetch: FetchPolicy = FetchPolicy(),
        token_cache_size: int = 1024,
        http: HTTPClient | None = None,
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
        self._http = http
        self._flights: dict[KeySource, ThreadFlight] = {}

    def verify(
        self,
        token: str | bytes,
        *,
        provider: str | None = None,
        claim_values: Mapping[str, Any] | None = None,
    ) -> VerifiedToken:
        """Verify a token: its shape, its signature, its claims (RFC 7515, RFC 7519, RFC 8725).

        Arguments:
            token: the compact token, without ``Bearer``.
            provider: the name of the one provider to ask; by default the token's issuer decides.
            claim_values: claims that must have exactly these JSON values in this call (a nonce).

        Returns the verified token. Raises `TokenError` if it is refused, `KeysUnavailableError` if
        nobody can know, and nothing else; ValueError for an unknown provider name or a value that
        is no JSON.
        """
        begun = self._begin(token, provider, claim_values)
        if type(begun) is VerifiedToken:
            return begun
        return self._drive(begun)

    def get_signing_key(
        self, kid: str | None, *, alg: str | None = None, provider: str | None = None
    ) -> Key:
        """The key of a kid, fetched if need be; its ``key`` is what ``jwt.decode`` takes.

        Arguments:
            kid: the key ID, or None where the provider's only key has none.
            alg: the algorithm it must fit; by default any of the provider's.
            provider: whose key; may be left out if the client has one provider.

        Raises TokenError ``unknown_key``, ``ambiguous_key`` or ``algorithm_not_allowed``;
        KeysUnavailableError; ConfigurationError if the provider must be named.
        """
        return self._drive(self._signing_key(kid, alg, provider))

    def get_signing_key_from_jwt(self, token: str | bytes) -> Key:
        """The key that a token names. Nothing of the token is verified.

        Raises TokenError as `verify` does for shape and algorithm, and as `get_signing_key`.
        """
        return self._drive(self._key_of_token(token))

    def keys(self, provider: str | None = None) -> KeySet:
        """The key set as cached, fetched if there is none. Raises KeysUnavailableError.

        Arguments:
            provider: whose; may be left out if the client has one provider.
        """
        return self._drive(self._loaded(provider))

    def refresh(self, provider: str | None = None) -> None:
        """Fetch now, whatever budgets and backoff say; joins a flight that is in the air.

        Arguments:
            provider: whose keys; by default all, side by side.

        Raises KeysUnavailableError, the first of all failures.
        """
        self._fly_all(self._drive(self._sources_of(provider)), None)

    def warm_up(self, timeout: float = 10) -> None:
        """Load all providers side by side, for start-up; tries all, then raises the first failure.

        Arguments:
            timeout: seconds to wait at most, from 0; an hour at most is waited.

        Raises KeysUnavailableError; ValueError if the timeout is no such number.
        """
        self._fly_all(self._cold_sources(), time.monotonic() + arguments.patience(timeout))

    def explain(self, token: str | bytes) -> Explanation:
        """Every key considered and every check with its outcome, for people; never for responses.

        Arguments:
            token: the compact token. It goes the way that `verify` goes, fetches included, but past
                the memory, and nothing is raised or told.
        """
        return self._drive(self._explained(token))

    def close(self) -> None:
        """End what is under way. Fresh keys still verify; what would fetch is a 503."""
        self._closed = True
        if self._tenants is not None:
            self._tenants.close()
        for flight in list(self._flights.values()):
            flight.done.set()
            flight.line.cut()
            if flight.thread is not None and flight.thread is not threading.current_thread():
                flight.thread.join(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _drive(self, steps: Generator[Want, object, T]) -> T:
        error: Exception | None = None
        while True:
            # Resumed outside any except block, so that no error of ours gets a foreign context.
            try:
                want = next(steps) if error is None else steps.throw(error)
            except StopIteration as done:
                return cast("T", done.value)
            error = None
            if isinstance(want, ThreadFlight):
                # Its timer ends it; should an interrupt have come before that, nobody hangs.
                if not want.done.wait(want.left):
                    want.done.set()
            elif isinstance(want, Resolution):
                want.wait()
            else:
                error = TypeError(
                    "a check returned an awaitable, which the sync client cannot await"
                )
                if inspect.iscoroutine(want):
                    want.close()

    def _fly_all(self, sources: list[KeySource], until: float | None) -> None:
        flights = [
            (one, self.begin_flight(one, Budget.ROUTINE, None, one.begun)) for one in sources
        ]
        for _, flight in flights:
            if isinstance(flight, ThreadFlight):
                left = None if until is None else max(until - time.monotonic(), 0)
                if not flight.done.wait(left):
                    raise KeysUnavailableError(
                        "fetch_timeout", "not all key sets came in time for the start"
                    )
        failure = first_failure([(one, flight.number) for one, flight in flights if flight])
        if failure is not None:
            raise failure

    def flight_of(self, source: KeySource) -> ThreadFlight | None:
        """The flight that all threads share, if one is in the air."""
        flight = self._flights.get(source)
        if flight is None or flight.done.is_set() or not flight.left:
            return None
        return flight

    def _new_flight(self, source: KeySource, number: int, doubts: str | None) -> ThreadFlight:
        flight = ThreadFlight(number, self.clock.monotonic(), self._overdue_at(), doubts)
        self._flights[source] = flight
        return flight

    def _start(self, source: KeySource, flight: Flight) -> None:
        assert isinstance(flight, ThreadFlight)  # noqa: S101 (made by _new_flight)
        flight.timer = _timer(self._fetch_policy.deadline, self._give_up, source, flight)
        flight.thread = threading.Thread(
            target=self._fly, args=(source, flight), name=f"jwks-client {source.name}", daemon=True
        )
        try:
            flight.timer.start()
            flight.thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            self._end(
                source,
                flight,
                Failed(code="fetch_failed", message="no thread could start", cause=error),
            )

    def _give_up(self, source: KeySource, flight: ThreadFlight) -> None:
        """At the deadline: callers are answered now, whatever the thread is stuck in."""
        source.land(flight, overdue())
        flight.done.set()
        flight.line.cut()

    def _fly(self, source: KeySource, flight: ThreadFlight) -> None:
        try:
            outcome = self._converse(source, flight)
        except Exception as error:  # noqa: BLE001 (whatever an injected client raises)
            outcome = Failed(code="fetch_failed", message="the fetch failed", cause=error)
        self._end(source, flight, outcome)

    def _end(self, source: KeySource, flight: ThreadFlight, outcome: Outcome) -> None:
        if flight.timer is not None:
            flight.timer.cancel()
        if not self._closed:  # else it was cut, and that says nothing of the provider
            source.land(flight, outcome)
        with source.lock:
            if self._flights.get(source) is flight:
                del self._flights[source]
        flight.done.set()

    def _converse(self, source: KeySource, flight: ThreadFlight) -> Outcome:
        try:
            talk = source.talk()
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refused_headers(error)
        steps = talk.converse()
        with ExitStack() as stack:
            http: Any = self._http
            if self._network is not None:
                http = stack.enter_context(self._network.open())
            answer: Response | Broken | None = None
            while True:
                try:
                    request = next(steps) if answer is None else steps.send(answer)
                except StopIteration as done:
                    return cast("Outcome", done.value)
                answer = self._ask(http, request, flight)

    def _ask(self, http: HTTPClient, request: Request, flight: ThreadFlight) -> Response | Broken:
        policy = self._fetch_policy
        left = flight.overdue_at - time.monotonic()
        line = flight.line = Line()
        # After the line is known: a close in between cuts this one, or is seen here.
        if left <= 0 or flight.done.is_set():
            return Broken(TimeoutError("the deadline has passed"), timed_out=True)
        attempt = _timer(min(policy.attempt_timeout, left), line.cut)
        attempt.start()
        try:
            built = http.build_request(
                "GET",
                request.url,
                headers=dict(request.headers),
                extensions={"timeout": timeouts(policy), "trace": line.trace},
            )
            response = http.send(built, stream=True, follow_redirects=False)
            try:
                return read_answer(response, line, policy.max_body)
            finally:
                response.close()
        except Exception as error:  # noqa: BLE001 (httpx's tree, or an injected client's)
            return Broken(error, line.is_cut or timed_out(error))
        finally:
            attempt.cancel()

    def after_fork(self) -> None:
        super().after_fork()
        self._flights = {}


def _timer(seconds: float, call: Any, *arguments: object) -> threading.Timer:
    timer = threading.Timer(seconds, call, arguments)
    timer.name = "jwks-client deadline"
    timer.daemon = True
    return timer
