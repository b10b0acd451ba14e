"""Decide whether a stored record saves a fetch.

Must not depend on: stores, flights, clocks. A record proves which keys it contains, not which keys
do not exist: a kid that it lacks may have been published since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .cache import Budget, KeyCache, change_between
from .fetch import Fetched, Validators
from .freshness import Freshness, read_freshness
from .jwk import KeySet, read_key_set
from .record import Record, age_of

if TYPE_CHECKING:
    from ..policy import CachePolicy

# The longest time that a store keeps a record, in seconds: memcached's limit for relative times.
LONGEST_KEPT: Final = 30 * 86_400.0 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A record as this process reads it.

    Arguments:
        record: the record.
        key_set: its body, parsed by this process.
        lifetime: its lifetime in seconds, by this process's policy.
        stale_for: how long it may be used after that during an outage.
        asked_at: when the provider was asked, by this process's monotonic clock, or earlier.
    """

    record: Record
    key_set: KeySet
    lifetime: float
    stale_for: float
    asked_at: float

    def age(self, now: float) -> float:
        """Return the seconds since the provider was asked; never less than the true age."""
        return now - self.asked_at

    def fetched(self) -> Fetched:
        """Return the fact that a flight records in place of a response."""
        return Fetched(
            key_set=self.key_set,
            freshness=Freshness(self.lifetime, self.stale_for),
            validators=self.validators,
            discovered=None,
            requests=0,
            asked_at=self.asked_at,
        )

    @property
    def validators(self) -> Validators:
        """Return the validators that make a request conditional on this record."""
        return Validators(self.record.url, self.record.etag, self.record.last_modified)


def offer_of(
    record: Record,
    *,
    in_store: float | None,
    policy: CachePolicy,
    max_keys: int,
    now: float,
    wall: float,
) -> Offer:
    """Return a record as an offer; raise BadKeySet if its body is not a usable key set.

    If the store has no clock, and this process did not see the record appear, nothing proves that
    the record is fresh, so it counts as stale.

    Arguments:
        record: the record, whose seal was verified.
        in_store: seconds since the write, by the store's own clock or by observation; or None.
        policy: this process's policy.
        max_keys: this process's limit.
        now: monotonic seconds.
        wall: seconds since the epoch.
    """
    key_set = read_key_set(record.body, max_keys=max_keys)
    freshness = read_freshness(record.headers, policy, record.asked_at, renewed=False)
    assert freshness is not None  # noqa: S101 (None only occurs with renewed=True)
    age = age_of(record, wall, in_store)
    if age is None or in_store is None:
        age = max(age or 0.0, freshness.lifetime)
    return Offer(
        record=record,
        key_set=key_set,
        lifetime=freshness.lifetime,
        stale_for=freshness.stale_for,
        asked_at=now - age,
    )


def is_newer(offer: Offer, cache: KeyCache) -> bool:
    """Return whether the record's request to the provider is newer than the cached set's."""
    return cache.key_set is None or offer.asked_at > cache.asked_at


def is_seed(offer: Offer, cache: KeyCache, now: float) -> bool:
    """Return whether a record is useful to a fetch: its validators, and its keys in an outage."""
    return is_newer(offer, cache) and offer.age(now) < offer.lifetime + offer.stale_for


def suffices(offer: Offer, cache: KeyCache, budget: Budget, kid: str | None, now: float) -> bool:
    """Return whether a record makes the fetch of a flight unnecessary.

    Arguments:
        offer: the record.
        cache: the cached facts.
        budget: the reason for the flight.
        kid: the unknown kid, or the one whose signature failed.
        now: monotonic seconds.
    """
    if not is_newer(offer, cache):
        return False
    age = offer.age(now)
    if budget is Budget.ROUTINE:
        share = 1.0 if cache.due_share is None else cache.due_share
        return age < offer.lifetime * share
    if kid is None or age >= offer.lifetime:
        return False
    if budget is Budget.UNKNOWN_KID:
        return any(key.kid == kid for key in offer.key_set)
    return kid in change_between(cache.key_set, offer.key_set).swapped
