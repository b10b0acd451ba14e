"""One key set in a client: the reference to its facts, and its last flight.

Readers of `KeySource.cache` read one immutable value and take no lock. A lock guards the landing of
a flight, and is never held during I/O, a listener or an await. This module must not depend on what
carries a flight.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypedDict

from ..._core.causes import causes
from ..._core.encoding import printable
from ..._core.keysets import reasons
from ..._core.keysets.cache import (
    Budget,
    Decision,
    Fetch,
    KeyCache,
    Need,
    Refuse,
    change_between,
)
from ..._core.keysets.fetch import Failed, Fetched, Outcome, Plan, Talk, Validators
from ..._core.keysets.jwk import Missing
from ..._core.settings import header
from ..._core.tokens.unverified import MAX_KID
from ...errors import KeysUnavailableError
from ...events import Event, FetchFailed, KeysFetched, KeysRotated, KeysUnchanged, Reason
from .flight import Flight, overdue

if TYPE_CHECKING:
    from ...protocols import Clock
    from .shared import SharedKeySet


class _Fetch(TypedDict):
    """The fields that all events of a fetch have."""

    provider: str
    fetch: int
    url: str | None
    duration: float
    requests: int
    reason: Reason
    source: Literal["provider", "store"]


class KeySource:
    """The cache of one key set, and the chain of its flights.

    Arguments:
        plan: what to fetch.
        cache: the facts to start from.
        clock: the client's clock.
        draw: returns a random number from 0 to 1.
        shared: how flights use the application's store; None without a store.

    Attributes:
        postponed_until: when the processes' shared budget lets an unknown kid cause a fetch again.
        skips_store: whether stored records are ignored until the provider has answered.
        held: always True, because the resolver cannot drop this source.
        latest: a flight near the end of the chain; see `last_flight`.
    """

    def __init__(
        self,
        plan: Plan,
        cache: KeyCache,
        clock: Clock,
        draw: Callable[[], float],
        shared: SharedKeySet | None,
    ) -> None:
        self.plan = plan
        self.cache = cache
        self.shared = shared
        self.skips_store = False
        self.postponed_until = -math.inf
        self.held = True
        self.due_at = math.inf
        self.latest = Flight.none(0)
        self._landing = threading.RLock()
        self._clock = clock
        self._draw = draw
        self._absent: dict[str, float] = {}

    @property
    def name(self) -> str:
        """The provider's name, for events."""
        return self.plan.provider.name

    @property
    def fixed(self) -> bool:
        """Return whether the key set is static, and so never fetched."""
        return self.plan.provider.jwks is not None

    @property
    def last_flight(self) -> Flight:
        """Return the last flight of the chain."""
        return self.latest.last()

    @property
    def longest_store_wait(self) -> float:
        """Return how many seconds a flight may spend on the store, in addition to its deadline."""
        return 0.0 if self.shared is None else self.shared.longest_wait

    @property
    def begun(self) -> int:
        """Return how many flights have started."""
        return self.latest.last().number

    def reason_for(self, budget: Budget) -> Reason:
        """Return the reason for a fetch that this budget pays for now."""
        if budget is Budget.UNKNOWN_KID:
            return "unknown_kid"
        if budget is Budget.BAD_SIGNATURE:
            return "bad_signature"
        state = self.cache.state(self._clock.monotonic())
        return state if state == "cold" or state == "due" else "expired"  # noqa: PLR1714 (typed)

    def is_usable(self, now: float) -> bool:
        """Return whether tokens with a known kid can be verified now without a fetch."""
        state = self.cache.state(now)
        return state in {"fresh", "due"} or (state == "stale" and self.cache.failure is not None)

    def has_key(self, need: Need) -> bool:
        """Return whether the cached set, whatever its age, names a key for a token."""
        key_set = self.cache.key_set
        return key_set is not None and not isinstance(
            key_set.select(need.kid, need.algorithm), Missing
        )

    def look_up(self, need: Need, *, in_flight: bool, seen: int) -> Decision:
        """Decide for a token whose first lookup happened when ``seen`` flights had started."""
        now = self._clock.monotonic()
        cache = self.cache
        came = self.fetched_since(seen)
        missed = self.fixed or self._is_absent(need.kid, now)
        decision = cache.look_up(need, now, missed=missed, in_flight=in_flight, just_fetched=came)
        if not in_flight and decision == Fetch(Budget.UNKNOWN_KID) and self.is_postponed(now):
            return Refuse(known=False)
        return decision

    def is_postponed(self, now: float) -> bool:
        """Return whether other processes spent the permits for unknown kids."""
        return now < self.postponed_until

    def fetched_since(self, seen: int) -> bool:
        """Return whether a fetch after the first ``seen`` flights returned or renewed the set.

        A stored record was fetched earlier, whichever flight landed it, so it does not count.
        """
        cache = self.cache
        return cache.newest > seen and cache.failure is None and not cache.from_store

    def _is_absent(self, kid: str | None, now: float) -> bool:
        return kid is not None and now < self._absent.get(kid, -math.inf)

    def note_absent(self, kid: str | None, seen: int) -> bool:
        """Remember a kid as unknown if a fetch after the first ``seen`` flights lacked it.

        Returns whether that is so.
        """
        if kid is None or not self.fetched_since(seen):
            return False
        # Without a lock, because a signal handler may run the same code at any moment.
        absent, most = self._absent, self.cache.policy.negative_kids
        absent.pop(kid, None)
        absent[kid] = self._clock.monotonic() + self.cache.policy.negative_kid_ttl
        while len(absent) > most:
            with suppress(RuntimeError, StopIteration):  # another thread changed it concurrently
                absent.pop(next(iter(absent)), None)
        return True

    def talk(self, flight: Flight, seed: Validators | None = None) -> Talk:
        """Return a flight's conversation with the provider. Calls the application's ``headers``.

        Arguments:
            flight: the flight.
            seed: validators of a stored record that is newer than the cached set.
        """
        headers = self.plan.provider.headers
        pairs = (headers() if callable(headers) else headers or {}).items()
        cache = self.cache
        return Talk(
            plan=self.plan,
            now=self._clock.monotonic(),
            wall=self._clock.time(),
            validators=seed or cache.validators,
            discovered=cache.discovered,
            last_failed=cache.failure is not None,
            revalidate=flight.reason in {"unknown_kid", "bad_signature", "manual"},
            headers=tuple(header("headers", name, value) for name, value in pairs),
        )

    def land(self, flight: Flight, outcome: Outcome) -> Event | None:
        """Record a flight's outcome. Return the event, or None if the outcome came too late."""
        now = self._clock.monotonic()
        if isinstance(outcome, Fetched) and time.monotonic() >= flight.overdue_at:
            outcome = overdue(outcome.requests)  # its callers were answered at the deadline
        if isinstance(outcome, Failed) and outcome.postponed is not None:
            self.postponed_until = now + outcome.postponed
            flight.recorded = True  # its callers look again, and start no flight
            return None
        with self._landing:
            old = self.cache
            if flight.number <= old.newest:
                return None
            # A flight pays when it lands, so a flight that vanishes costs nothing. A stored record
            # avoided the request for which a permit would pay.
            spared = isinstance(outcome, Fetched) and outcome.asked_at is not None
            paid = old if spared else old.paid(flight.budget, flight.began_at)
            if isinstance(outcome, Fetched):
                new = paid.fetched(flight.number, outcome, flight.began_at)
            else:
                new = paid.failed(flight.number, _without_frames(outcome), now, self._draw())
            if new.key_set is not old.key_set:
                self._absent = {}
            self.cache = new
            if new.failure is None and not new.from_store:
                self.skips_store = False
                self.postponed_until = -math.inf
            flight.recorded = True
        return self._event(flight, old, new, outcome)

    def _event(self, flight: Flight, old: KeyCache, new: KeyCache, outcome: Outcome) -> Event:
        now = self._clock.monotonic()
        fetch = _Fetch(
            provider=self.name,
            fetch=flight.fetch,
            url=None if flight.url is None else reasons.place(flight.url),
            duration=now - flight.began_at,
            requests=new.requests - old.requests,
            reason=flight.reason,
            source="store" if new.failure is None and new.from_store else "provider",
        )
        if new.failure is not None:
            return FetchFailed(
                **fetch,
                code=new.failure.code,
                message=new.failure.message,
                cause=reasons.cause(new.failure.cause, private=new.failure.private),
                failures=new.failures,
                retry_in=max(new.retry_at - now, 0.0),
            )
        assert new.key_set is not None and isinstance(outcome, Fetched)  # noqa: S101, PT018 (a success)
        content_type = outcome.content_type and printable(outcome.content_type, 100)
        if old.key_set is None:
            return KeysFetched(
                **fetch,
                kids=_for_events(key.kid for key in new.key_set if key.kid is not None),
                unusable=len(new.key_set.unusable),
                life=new.lifetime,
                content_type=content_type,
            )
        change = change_between(old.key_set, new.key_set)
        if not any(change):
            return KeysUnchanged(**fetch, life=new.lifetime, content_type=content_type)
        return KeysRotated(
            **fetch,
            added=_for_events(change.added),
            withdrawn=_for_events(change.withdrawn),
            swapped=_for_events(change.swapped),
            life=new.lifetime,
            content_type=content_type,
        )

    def unavailable(self) -> KeysUnavailableError:
        """Return the error that is raised when keys are unavailable."""
        error = self._unavailable()
        error.provider = self.name
        return error

    def _unavailable(self) -> KeysUnavailableError:
        cache = self.cache
        failure = cache.failure
        postponed = self.postponed_until - self._clock.monotonic()
        if failure is None and postponed > 0:
            return KeysUnavailableError(
                "fetch_failed",
                f"too many unknown kids, so they cause no fetch now (provider {self.name!r})",
                retry_after=max(postponed, 1.0),
            )
        if failure is None:
            return KeysUnavailableError("fetch_failed", "the fetch was interrupted")
        wait = max(cache.retry_at - self._clock.monotonic(), 1.0)
        message = f"{failure.message} (provider {self.name!r})"
        error = KeysUnavailableError(failure.code, message, retry_after=wait)
        error.__cause__ = failure.cause
        return error

    def not_waited_for(self, flight: Flight) -> KeysUnavailableError:
        """Return the error of a caller that did not wait for the end of a flight."""
        return KeysUnavailableError(
            "fetch_timeout",
            f"the key set is still being fetched (provider {self.name!r})",
            retry_after=max(flight.overdue_at - time.monotonic(), 1.0),
        )

    def after_fork(self, due_share: float | None) -> None:
        """Reset in a forked child: the parent's threads may hold the lock or carry flights."""
        self._landing = threading.RLock()
        self.latest = Flight.none(self.begun)
        if not self.fixed:
            self.cache = replace(self.cache, due_share=due_share)


def _for_events(kids: Iterable[str]) -> tuple[str, ...]:
    # A usual kid is unchanged. No token can name a longer one (`MAX_KID`).
    return tuple(printable(kid, MAX_KID, limit=2 * MAX_KID) for kid in kids)


def _without_frames(failed: Failed) -> Failed:
    """Drop the frames of a failure's causes: the cache keeps the failure, not its sockets."""
    for cause in causes(failed.cause):
        cause.__traceback__ = None
    return failed
