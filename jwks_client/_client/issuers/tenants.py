"""The tenants that the application resolves, with at most one call in progress per issuer.

The lock guards the table and the claim of a call. It is never held during a call of the resolver or
a listener, or during a wait, and the token of a loaded tenant that is not due needs no lock. Must
not depend on how the resolver is called or how keys are fetched.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from cachetools import LRUCache

from ..._core.issuers.resolver_answers import Failure, read_answer, same_provider
from ..._core.issuers.tenants import Ask, Busy, Decision, Tenant, TenantTable, Unknown, Use
from ..._core.policy import TenantPolicy
from ..._core.provider import Provider
from ..._core.tokens.claims import Rules
from ...errors import KeysUnavailableError, TokenError
from ...events import Event, ResolverFailed, TenantDropped, TenantResolved
from .. import arguments
from ..keysets.flight import MOST_ROUNDS
from ..keysets.source import KeySource
from ..lock import InterruptibleLock
from .resolver import CANCELLED, TOO_LATE, Resolve, Resolver
from .resolver_call import Resolution

if TYPE_CHECKING:
    from ...protocols import Clock

PATIENCE: Final = 2.0  # seconds after which the resolver's answer is dropped
# How many forgotten issuers are remembered. The next load of each of them skips the store.
_MOST_FORGOTTEN: Final = 10_000
Loaded: TypeAlias = Tenant[KeySource]


class Tenants:
    """The tenants of one client, and the application's resolver that knows them.

    Arguments:
        resolve: called with an issuer; returns its provider, or None if the tenant does not exist.
        policy: how long answers are used.
        asynchronous: whether the resolver may be a coroutine function, or return an awaitable.
        clock: the client's clock.
        make_source: makes the key source of a provider. It receives the tenant's former source, if
            any, and may return that if the keys come from the same place in the same way.
        emit: called with each event.
        draw: returns a random number from 0 to 1.
        check_fork: resets the client in a forked child, this object included.
        patience: seconds after which an answer is dropped.

    Raises `ConfigurationError` if the resolver cannot be called by this kind of client.
    """

    def __init__(
        self,
        resolve: Resolve,
        policy: TenantPolicy,
        *,
        asynchronous: bool,
        clock: Clock,
        make_source: Callable[[Provider, KeySource | None], KeySource],
        emit: Callable[[Event], object],
        draw: Callable[[], float],
        check_fork: Callable[[], object],
        patience: float = PATIENCE,
    ) -> None:
        # Every method of the table tolerates that a signal handler calls another one inside it.
        self._lock = InterruptibleLock()
        self._resolver = Resolver(
            resolve,
            lock=self._lock,
            asynchronous=asynchronous,
            most_known=policy.max_resolved,
            on_end=self._answered,
        )
        self._asynchronous = asynchronous
        self._clock = clock
        self._make_source = make_source
        self._emit = emit
        self._draw = draw
        self._check_fork = check_fork
        self._patience = patience
        self._table: TenantTable[KeySource] = TenantTable(policy)
        # Keyed by issuer, and by event loop if the resolver is a coroutine function.
        self._in_flight: dict[tuple[asyncio.AbstractEventLoop | None, str], Resolution] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        self._forgotten: LRUCache[str, None] = LRUCache(_MOST_FORGOTTEN)

    # --- for the client

    @property
    def leeway(self) -> float:
        """Return for how many seconds after its expiry a token may still cause a call."""
        return self._table.leeway

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """Return the loaded tenants, for ``health()`` and explicit calls."""
        with self._lock.held:
            return self._table.tenants

    def get_fresh(self, issuer: str) -> Loaded | None:
        """Return the tenant of an issuer if it can be used without the resolver. Needs no lock."""
        return self._table.get_fresh(issuer, self._clock.monotonic())

    def resolved(self, issuer: str) -> Generator[Resolution, object, Loaded]:
        """Return the tenant of an issuer. Call the resolver if needed.

        Yields calls to wait for, with `Resolution.wait` or `Resolution.waited`. Raises TokenError
        ``unknown_issuer``; KeysUnavailableError ``resolver_failed``, or ``fetch_failed`` on a
        closed client.
        """
        self._check_fork()
        for _ in range(MOST_ROUNDS):
            found = self._find(issuer)
            if isinstance(found, Tenant):
                return found
            if self._lock.is_mine:
                raise KeysUnavailableError(
                    "resolver_failed", "a signal handler interrupted another call", retry_after=1
                )
            yield found
            if found.tenant is not None:
                return found.tenant
            if found.failure is not None and self._table.held(issuer) is None:
                raise _unavailable(found.failure, 0)
        raise KeysUnavailableError(
            "resolver_failed", "the calls of the application's resolver were interrupted"
        )

    def verified(self, tenant: Loaded) -> None:
        """Record that a tenant has verified a token, so that it outranks tenants that have not."""
        if tenant.held and tenant.verified:
            return
        with self._lock.held:
            left = self._table.verified(tenant, self._clock.monotonic())
            if tenant.issuer in self._forgotten:
                self._loaded_again(tenant)
        self._emit_all(_evicted(left))

    def _loaded_again(self, tenant: Loaded) -> None:
        """Let the next load use the store again: the provider answered after `forget`."""
        self._forgotten.pop(tenant.issuer, None)
        # Checked afterwards, because a signal handler may forget the issuer at any moment.
        if not tenant.held or tenant.source.skips_store:
            self._forgotten[tenant.issuer] = None

    def forget(self, issuer: str) -> None:
        """Drop a tenant, its remembered tokens and its remembered refusal, at once.

        The answer of a call that began earlier is dropped; its callers ask again.
        """
        with self._lock.held:
            self._forgotten[issuer] = None
            tenant = self._table.forget(issuer)
            for call in list(self._in_flight.values()):
                if call.issuer == issuer:
                    self._give_up(call)
        if tenant is not None:
            self._emit(TenantDropped(provider=issuer, reason="forgotten"))

    def close(self) -> list[asyncio.Task[None]]:
        """End all calls and wake their callers. Return this event loop's cancelled tasks."""
        with self._lock.held:
            self._closed = True
            for call in list(self._in_flight.values()):
                self._give_up(call)
        return self._resolver.close()

    def after_fork(self) -> None:
        """Reset the state in a forked child: the parent's threads may hold the lock."""
        self._lock.renew()
        self._in_flight = {}
        self._resolver.after_fork()

    # --- claiming a call

    def _find(self, issuer: str) -> Loaded | Resolution:
        """Return the tenant to use, or the call to wait for, which is started if needed."""
        place = (asyncio.get_running_loop() if self._resolver.as_task else None, issuer)
        overdue = self._in_flight.get(place)
        if overdue is not None and overdue.left <= 0:
            self._land(overdue, TOO_LATE)  # its caller has stopped waiting
        now = self._clock.monotonic()
        begun: Resolution | None = None
        with self._lock.held:
            in_flight = self._in_flight.get(place)
            # A call of another event loop has paid for this issuer.
            paid = in_flight is not None or self._is_asked(issuer)
            decision = self._table.look_up(issuer, now, in_flight=paid)
            if isinstance(decision, Ask) and self._closed:
                raise KeysUnavailableError("fetch_failed", "the client is closed")
            new = self._table.held(issuer) is None
            if self._needs_call(decision, in_flight):
                if isinstance(decision, Ask) and decision.pays:
                    self._table.pay(now)
                begun = self._new_call(place, now)
        if begun is not None:
            self._resolver.start(begun, new=new)
        match decision:
            case Use():
                return decision.tenant
            case Ask():
                waited = in_flight or begun
                assert waited is not None  # noqa: S101 (the decision to ask joined or claimed a call)
                return waited
            case Unknown():
                raise TokenError(
                    "unknown_issuer", "its issuer is not known to the application", claim="iss"
                )
            case Busy():
                raise _unavailable(decision.failure, decision.retry_after)
            case _:
                assert_never(decision)

    def _is_asked(self, issuer: str) -> bool:
        """Return whether any event loop calls a coroutine function for an issuer."""
        return self._resolver.as_task and any(
            call.issuer == issuer and call.left > 0 for call in list(self._in_flight.values())
        )

    def _needs_call(self, decision: Decision[KeySource], in_flight: Resolution | None) -> bool:
        """Return whether a decision requires a new call."""
        if isinstance(decision, Use):
            return decision.ask_in_background and not self._closed
        return isinstance(decision, Ask) and in_flight is None

    def _new_call(
        self, place: tuple[asyncio.AbstractEventLoop | None, str], now: float
    ) -> Resolution:
        """Return a new call, which is started later. The caller holds the lock."""
        for one in list(self._in_flight):
            if one[0] is not None and one[0].is_closed():
                self._in_flight.pop(one, None)  # the calls of a closed loop never end
        loop = asyncio.get_running_loop() if self._asynchronous else None
        overdue_at = time.monotonic() + self._patience
        call = Resolution(place[1], loop, next(self._numbers), now, overdue_at)
        self._in_flight[place] = call
        return call

    # --- the end of a call

    def _answered(self, call: Resolution, answer: object) -> None:
        """Process the resolver's answer, in any thread."""
        if answer is CANCELLED:
            with self._lock.held:
                self._give_up(call)
        elif not call.ended:
            self._land(call, answer if isinstance(answer, Failure) else self._read(call, answer))

    def _read(self, call: Resolution, answer: object) -> Loaded | Failure | None:
        """Return what an answer means: a tenant with its key source, a failure, or None."""
        try:
            provider = read_answer(call.issuer, answer)
            if not isinstance(provider, Provider):
                return provider
            known = self._table.held(call.issuer)
            if known is not None and same_provider(known.provider, provider):
                return known
            arguments.check_checks((provider,), asynchronous=self._asynchronous)
            source = self._make_source(provider, None if known is None else known.source)
            if known is None and call.issuer in self._forgotten:
                source.skips_store = source.cache.key_set is None
            return Tenant(provider, Rules(provider), source)
        except Exception as error:  # noqa: BLE001 (the application's provider may be invalid in any way)
            error.__traceback__ = None  # keep the error without its frames
            message = "the provider that the application's resolver returned cannot be used"
            return Failure(message, error, type(error).__name__)

    def _land(self, call: Resolution, outcome: Loaded | Failure | None) -> None:
        """Record the outcome of a call, once, and emit events. A late answer is dropped."""
        if call.left <= 0:
            outcome = TOO_LATE
        with self._lock.held:
            if call.ended:
                return
            news = self._table.is_news(call.issuer, call.number)
            events = self._record(call, outcome) if news else []
            self._give_up(call)
        self._emit_all(events)

    def _record(self, call: Resolution, outcome: Loaded | Failure | None) -> list[Event]:
        table, issuer, now = self._table, call.issuer, self._clock.monotonic()
        if outcome is None:
            gone = table.record_absent(issuer, call.number, now)
            return [] if gone is None else [TenantDropped(provider=issuer, reason="refused")]
        known = table.held(issuer)
        if isinstance(outcome, Failure):
            call.failure = outcome
            rest = table.record_failure(issuer, call.number, outcome, now, self._draw())
            failed = ResolverFailed(
                provider=None if known is None else issuer,
                message=outcome.message,
                cause=outcome.reported,
                retry_in=rest,
            )
            return [failed]
        left = table.record_tenant(outcome, call.number, call.began_at)
        if not call.ended:  # a signal handler may have forgotten the issuer
            call.tenant = outcome
        evicted = _evicted(one for one in left if one.issuer != issuer)
        return evicted if outcome is known else [TenantResolved(provider=issuer), *evicted]

    def _give_up(self, call: Resolution) -> None:
        """End a call and wake its callers. The caller holds the lock."""
        for place, one in list(self._in_flight.items()):
            if one is call:
                self._in_flight.pop(place, None)
        call.end()

    def _emit_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self._emit(event)


def _evicted(left: Iterable[Loaded]) -> list[Event]:
    return [TenantDropped(provider=one.issuer, reason="evicted") for one in left]


def _unavailable(failure: Failure | None, retry_after: float) -> KeysUnavailableError:
    message = (
        "too many new issuers at once; loaded tenants are not affected"
        if failure is None
        else failure.message
    )
    error = KeysUnavailableError("resolver_failed", message, retry_after=max(retry_after, 1.0))
    error.__cause__ = None if failure is None else failure.cause
    return error
