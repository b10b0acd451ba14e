"""The health of a provider's key set, for dashboards and readiness probes.

Must not depend on how keys are fetched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._core.keysets.cache import KeyCache, State

StoreState: TypeAlias = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of one provider's key set.

    Attributes:
        state: ``cold``, ``fresh``, ``due``, ``stale`` or ``expired``.
        key_count: the number of usable keys in memory.
        age: seconds since the fetch began; None without a set, or for a static one (``jwks=``).
        last_success, last_failure: seconds since the epoch, or None.
        last_error: the code of the last attempt's failure, or None if it succeeded.
        last_error_message: what went wrong, for people: URL, status, issuer, unusable entries. It
            must not appear in a public HTTP response.
        next_attempt: seconds since the epoch before which no fetch begins, or None.
        fetches: the number of requests for the key set so far.
        store: ``up``, or ``down`` while the client does not use the store after a failure; None if
            this key set uses no store.
    """

    state: State
    key_count: int
    age: float | None
    last_success: float | None
    last_failure: float | None
    last_error: str | None
    last_error_message: str | None
    next_attempt: float | None
    fetches: int
    store: StoreState | None = None


def health_of(cache: KeyCache, now: float, wall: float, store: StoreState | None) -> Health:
    """Read the health of a key set.

    Arguments:
        cache: the facts about the key set.
        now: monotonic seconds.
        wall: seconds since the epoch.
        store: the state of its store; None without one.
    """
    fetched = cache.key_set is not None and math.isfinite(
        cache.lifetime
    )  # else none, or a static one

    def at(moment: float) -> float:
        return wall - (now - moment)

    return Health(
        state=cache.state(now),
        key_count=0 if cache.key_set is None else len(cache.key_set),
        age=now - cache.asked_at if fetched else None,
        last_success=at(cache.asked_at) if fetched else None,
        last_failure=None if cache.failed_at is None else at(cache.failed_at),
        last_error=None if cache.failure is None else cache.failure.code,
        last_error_message=None if cache.failure is None else cache.failure.message,
        next_attempt=at(cache.retry_at) if cache.in_backoff(now) else None,
        fetches=cache.requests,
        store=store,
    )
