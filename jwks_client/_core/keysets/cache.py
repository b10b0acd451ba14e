"""Decide for one key set whether to use it, fetch it or refuse: facts and ``now`` in, decision out.

Must not depend on: clocks, threads, flights, HTTP. A `KeyCache` is immutable: each event makes a
new one, so readers need no lock and never see half a change.

Theory of operation. Facts are stored and states derived, so no state can contradict the clock:

    cold ──fetched──→ fresh ──refresh_ahead──→ due ──lifetime──→ stale ──stale_if_error──→ expired

A lookup crosses that state with "is the key cached?" (`KeyCache.look_up` is the table, row by row).
Times are monotonic seconds. The client numbers flights as they begin. A fact from a flight that is
older than the newest one that ended is dropped, so a late answer never overwrites a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, assert_never

from .jwk import Chosen, Found, KeySet, Missing, Selection

if TYPE_CHECKING:
    from ..policy import CachePolicy
    from .discovery import Discovered
    from .fetch import Failed, Fetched, Validators

State: TypeAlias = Literal["cold", "fresh", "due", "stale", "expired"]
_ALWAYS: Final = float("inf")
# Seconds between two background fetches that keep a set fresh, however short its lifetime is.
_PAUSE: Final = 1.0


class Need(NamedTuple):
    """The requirements of a token on a key set."""

    kid: str | None
    algorithm: str


class Budget(Enum):
    """The budget that pays for a fetch."""

    ROUTINE = "routine"  # the set is cold, due or stale: bounded by lifetime and backoff
    UNKNOWN_KID = "unknown_kid"  # the token bucket
    BAD_SIGNATURE = "bad_signature"  # one per interval


@dataclass(frozen=True, slots=True)
class Use:
    """Use this selection now. ``refresh``: also begin one flight in the background."""

    selection: Chosen
    stale: bool = False
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Begin a flight, or join the one in flight, and look again when it has ended."""

    budget: Budget


@dataclass(frozen=True, slots=True)
class Refuse:
    """The key is unavailable. ``known``: the provider's latest answer lacks it."""

    known: bool


Decision: TypeAlias = Use | Fetch | Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCache:
    """The facts about one key set at one moment.

    Arguments:
        policy: the rules that apply.
        due_share: the share of the lifetime after which the set is due (``refresh_ahead`` with this
            process's jitter), or None for never.
    """

    policy: CachePolicy
    due_share: float | None
    key_set: KeySet | None = None
    asked_at: float = 0.0  # when the provider was asked for the set, or asked to renew it
    from_store: bool = False  # fetched by another process
    lifetime: float = 0.0
    stale_for: float = 0.0
    validators: Validators | None = None
    discovered: Discovered | None = None
    newest: int = 0  # number of the newest flight that ended
    failure: Failed | None = None  # of the last attempt; None if it succeeded or there was none
    failures: int = 0  # consecutive
    failed_at: float | None = None
    retry_at: float = 0.0
    requests: int = 0  # requests for the key set so far
    permits: float = -1.0  # in the unknown-kid bucket at permits_at; -1: full
    permits_at: float = 0.0
    rechecked_at: float | None = None  # when a bad signature last paid for a fetch
    # Until when the set is fresh; precomputed, because every token reads it.
    fresh_until: float = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        share = 1.0 if self.due_share is None else self.due_share
        until = -_ALWAYS if self.key_set is None else self.asked_at + self.lifetime * share
        object.__setattr__(self, "fresh_until", until)

    def state(self, now: float) -> State:
        """Return the state of the set."""
        if self.key_set is None:
            return "cold"
        if now < self.fresh_until:
            return "fresh"
        age = now - self.asked_at
        if age < self.lifetime:
            return "due"
        return "stale" if age < self.lifetime + self.stale_for else "expired"

    def in_backoff(self, now: float) -> bool:
        """Return whether the last attempt failed so recently that nothing may be fetched."""
        return self.failure is not None and now < self.retry_at

    def wanted_at(self, share: float) -> float:
        """Return when a background fetch should keep the set fresh, whether or not requests come.

        A cold set should be fetched at once; a set without background refresh never. To spread the
        fetches of sets that became due together, each waits for up to half of its remaining
        lifetime, and for at least a second after the previous fetch.

        Arguments:
            share: the part of that wait, from 0 to 1.
        """
        retry_at = -_ALWAYS if self.failure is None else self.retry_at
        if self.key_set is None:
            return retry_at
        if self.due_share is None:
            return _ALWAYS
        left = self.asked_at + self.lifetime - self.fresh_until
        return max(self.fresh_until + left * share / 2, self.asked_at + _PAUSE, retry_at)

    def has_permit(self, now: float) -> bool:
        """Return whether the unknown-kid bucket has a permit left."""
        return self._permits(now) >= 1

    def _permits(self, now: float) -> float:
        burst = float(self.policy.unknown_kid_burst)
        if self.permits < 0:
            return burst
        refilled = max(now - self.permits_at, 0.0) / self.policy.unknown_kid_interval
        return min(self.permits + refilled, burst)

    def look_up(
        self,
        need: Need,
        now: float,
        *,
        missed: bool = False,
        in_flight: bool = False,
        just_fetched: bool = False,
    ) -> Decision:
        """Decide what to do for a token.

        Arguments:
            need: the kid and algorithm of the token.
            now: monotonic seconds.
            missed: the kid is remembered as unknown.
            in_flight: a flight can be joined at no cost.
            just_fetched: the caller waited for a flight that began after its first lookup and that
                fetched or renewed the set. The caller may use that set, whatever its age.
        """
        if self.key_set is None:
            return self._fetch_or_refuse(now, in_flight=in_flight)
        selection = self.key_set.select(need.kid, need.algorithm)
        state: State = "fresh" if just_fetched else self.state(now)
        if isinstance(selection, Missing):
            return self._without_key(
                state, now, missed=missed, in_flight=in_flight, just_fetched=just_fetched
            )
        return self._with_key(selection, state, now, in_flight=in_flight)

    def _with_key(
        self,
        selection: Chosen,
        state: State,
        now: float,
        *,
        in_flight: bool,
    ) -> Decision:
        in_backoff = self.in_backoff(now)
        match state:
            case "fresh":
                return Use(selection)
            case "due":
                return Use(selection, refresh=not in_backoff and not in_flight)
            case "stale":
                if self.failure is None:
                    return Fetch(Budget.ROUTINE)
                if self.policy.refresh_ahead is None and not in_backoff:
                    return Fetch(Budget.ROUTINE)  # no background work: the caller waits
                return Use(selection, stale=True, refresh=not in_backoff and not in_flight)
            case "expired" | "cold":
                return self._fetch_or_refuse(now, in_flight=in_flight)
            case _:
                assert_never(state)

    def _without_key(
        self, state: State, now: float, *, missed: bool, in_flight: bool, just_fetched: bool
    ) -> Decision:
        if state in ("stale", "expired"):
            return self._fetch_or_refuse(now, in_flight=in_flight)
        if just_fetched or missed:
            return self._refuse()
        if in_flight or (self.has_permit(now) and not self.in_backoff(now)):
            return Fetch(Budget.UNKNOWN_KID)
        return self._refuse()

    def _fetch_or_refuse(self, now: float, *, in_flight: bool) -> Decision:
        return self._refuse() if self.in_backoff(now) and not in_flight else Fetch(Budget.ROUTINE)

    def _refuse(self) -> Refuse:
        return Refuse(known=self.failure is None)

    def may_recheck_kid(self, now: float) -> bool:
        """Return whether a bad signature with a known kid may cause a fetch."""
        interval = self.policy.bad_signature_interval
        waited = self.rechecked_at is None or now - self.rechecked_at >= interval
        return waited and not self.in_backoff(now)

    def paid(self, budget: Budget, now: float) -> KeyCache:
        """Return the facts after a flight began that this budget pays for."""
        match budget:
            case Budget.ROUTINE:
                return self
            case Budget.UNKNOWN_KID:
                return replace(self, permits=max(self._permits(now) - 1, 0.0), permits_at=now)
            case Budget.BAD_SIGNATURE:
                return replace(self, rechecked_at=now)
            case _:
                assert_never(budget)

    def fetched(self, number: int, came: Fetched, began_at: float) -> KeyCache:
        """Return the facts after flight ``number``, begun at ``began_at``, succeeded."""
        if number <= self.newest:
            return self
        lifetime, stale_for = self.lifetime, self.stale_for
        if came.freshness is not None:
            lifetime, stale_for = came.freshness.lifetime, came.freshness.stale_for
        return replace(
            self,
            key_set=self._newest_set(came.key_set),
            asked_at=began_at if came.asked_at is None else came.asked_at,
            from_store=came.asked_at is not None,
            lifetime=lifetime,
            stale_for=stale_for,
            validators=came.validators,
            discovered=came.discovered or self.discovered,
            newest=number,
            failure=None,
            failures=0,
            retry_at=0.0,
            requests=self.requests + came.requests,
        )

    def _newest_set(self, came: KeySet | None) -> KeySet | None:
        # An equal set keeps its identity, because remembered tokens are bound to it.
        return self.key_set if came is None or came == self.key_set else came

    def failed(self, number: int, failure: Failed, now: float, draw: float) -> KeyCache:
        """Return the facts after flight ``number`` failed.

        Arguments:
            number: the flight's number.
            failure: why it failed.
            now: monotonic seconds.
            draw: a random number from 0 to 1, for the jitter (half of the wait is fixed, half is
                random).
        """
        if number <= self.newest:
            return self
        first, longest = self.policy.failure_backoff
        # The exponent is bounded so that a year of failures cannot overflow the float.
        wait = min(first * 2.0 ** min(self.failures, 64), longest)
        wait = max(wait * (0.5 + draw / 2), failure.retry_after or 0.0)
        kept = failure.kept
        return replace(
            self if kept is None else self.fetched(number, kept, now),
            newest=number,
            failure=failure,
            failures=self.failures + 1,
            failed_at=now,
            retry_at=now + wait,
            requests=self.requests + failure.requests,
        )


class Change(NamedTuple):
    """The difference between two key sets by kid; keys without a kid are named by thumbprint."""

    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    swapped: tuple[str, ...]


def change_between(old: KeySet | None, new: KeySet) -> Change:
    """Return the kids that were added, removed, or kept with other key material."""
    before, after = _by_name(old or ()), _by_name(new)
    return Change(
        added=tuple(sorted(after.keys() - before.keys())),
        withdrawn=tuple(sorted(before.keys() - after.keys())),
        swapped=tuple(
            sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        ),
    )


def _by_name(keys: KeySet | tuple[()]) -> dict[str, set[str]]:
    named: dict[str, set[str]] = {}
    for key in keys:
        named.setdefault(key.thumbprint if key.kid is None else key.kid, set()).add(key.thumbprint)
    return named


def selected(selection: Selection) -> tuple[tuple[str, str], ...]:
    """Return the key material of a selection, to detect whether a fetch changed it."""
    keys = selection.keys if isinstance(selection, Found) else ()
    return tuple((key.thumbprint, key.alg or "") for key in keys)
