"""Use a store in a flight: look for a record before a fetch, and write one afterwards.

A store is a seed and a lease inside a flight, not a layer over the cache: the decision table does
not depend on it. If the store fails in any way, the flight asks the provider as if there were no
store. This module must not depend on threads or tasks, or on how a flight lands.

Theory of operation. A record that makes the fetch unnecessary lands instead of a response. Any
other record is a seed: its validators make the request conditional, and its keys are used in an
outage. Then the process that gets the lease fetches, and the others poll for its record for a
while. A lease expires by itself, and each process fetches in the end, so nothing relies on a lease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..._core.keysets.adoption import LONGEST_KEPT, Offer, is_seed, offer_of, suffices
from ..._core.keysets.cache import Budget
from ..._core.keysets.fetch import Failed, Fetched, Outcome, Plan
from ..._core.keysets.freshness import Freshness, read_freshness
from ..._core.keysets.jwk import BadKeySet
from ..._core.keysets.record import (
    BadRecord,
    Binding,
    Record,
    binding_of,
    longest,
    seal,
    unseal,
)
from ...events import StoreFailed
from .store_calls import StoreCalls, StoreUnusable, Trouble
from .visit import LONGEST_DELAY, SHORTEST_CALL, Look, Postponed, Purpose, Visit, take_permit

if TYPE_CHECKING:
    from ..._core.keysets.cache import KeyCache
    from ...protocols import Clock
    from ..health import StoreState
    from ..latch import Latch

# Seconds after which every process fetches. A second process fetches after half of that time.
LAST_LEASE: Final = 2.0
_SHARE_OF_DEADLINE: Final = 0.4
_SHORT_WAITS: Final = 0.3
_LEASES: Final = (":lease", ":lease-2")


class SharedKeySet:
    """One key set's use of a store.

    Arguments:
        calls: the calls of the store.
        plan: what to fetch.
        own_http: whether the HTTP client is caller-supplied.
        clock: the client's clock.
        emit: called with each event.
        draw: returns a random number from 0 to 1.
    """

    def __init__(
        self,
        calls: StoreCalls,
        plan: Plan,
        *,
        own_http: bool,
        clock: Clock,
        emit: Callable[[StoreFailed], None],
        draw: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._plan = plan
        self._own_http = own_http
        self._clock = clock
        self._emit = emit
        self._draw = draw
        self._held: Record | None = None  # the cached set's record, to write it again after a 304
        self._bound: tuple[object, Binding | None] | None = None

    @property
    def state(self) -> StoreState | None:
        """Return the state of the store, for ``health()``; None if this key set does not use it."""
        if self._bound is not None and self._bound[1] is None:
            return None
        return "down" if self._calls.is_down else "up"

    @property
    def longest_wait(self) -> float:
        """Return how many seconds a flight may spend on the store before it asks the provider."""
        return 0.0 if self._calls.is_down else self._last_lease + LONGEST_DELAY

    @property
    def _last_lease(self) -> float:
        return min(LAST_LEASE, _SHARE_OF_DEADLINE * self._plan.fetch.deadline)

    def before(self, visit: Visit, cache: KeyCache, stopped: Latch) -> Outcome | None:
        """Look for a record that makes the fetch unnecessary, then claim the lease to fetch.

        Returns None if the flight must ask the provider.

        Arguments:
            visit: this flight's use of the store.
            cache: the cached facts.
            stopped: opened when the flight should stop.
        """
        binding = self._binding()
        if binding is None or visit.purpose.ignores_store:
            return None
        try:
            answered = self._before(visit, binding, cache, stopped)
        except Postponed as postponed:
            return Failed(
                code="fetch_failed",
                message="too many unknown kids",
                postponed=postponed.seconds,
            )
        except StoreUnusable as failure:
            self._report(failure.trouble)
            answered = False
        if not answered or visit.seed is None:
            return None
        self.give_back(visit)
        self._give_back(visit.permit)
        self._held = visit.seed.record
        return visit.seed.fetched()

    def after(self, visit: Visit, cache: KeyCache, outcome: Outcome) -> Outcome:
        """Write the provider's response to the store, and give the lease back. Return the outcome.

        The write precedes the landing, so that a process that ends right afterwards leaves a record
        and no lease.
        """
        seed = visit.seed
        if isinstance(outcome, Failed):
            self.give_back(visit)
            now = self._clock.monotonic()
            kept = seed.fetched() if seed is not None and is_seed(seed, cache, now) else None
            return replace(outcome, kept=kept)
        former = self._held if seed is None else seed.record
        if outcome.key_set is None and seed is not None:  # 304 to the seed's validators
            renewed = outcome.freshness or Freshness(seed.lifetime, seed.stale_for)
            outcome = replace(outcome, key_set=seed.key_set, freshness=renewed)
        self._held = record = self._record(visit.purpose, outcome, former)
        binding = self._binding()
        if record is not None and binding is not None:
            self._write(visit, binding, record)
        self.give_back(visit)
        return outcome

    def give_back(self, visit: Visit) -> None:
        """Give back the lease of a visit, if it has one."""
        lease, visit.lease = visit.lease, None
        self._give_back(lease)

    def _give_back(self, lease: str | None) -> None:
        if lease is None:
            return
        try:
            self._calls.release(lease, SHORTEST_CALL)
        except StoreUnusable as failure:
            self._report(failure.trouble)

    # --- before a fetch

    def _before(self, visit: Visit, binding: Binding, cache: KeyCache, stopped: Latch) -> bool:
        """Return whether the record that was found, now the seed, makes the fetch unnecessary."""
        pace, calls = self._calls.pace, self._calls
        began = pace.monotonic()
        if self._look(visit, binding, cache):
            return True
        last = self._last_lease if calls.trusts_leases else 0.0
        polling = False
        shared = visit.purpose.budget is Budget.UNKNOWN_KID and calls.trusts_budget
        while True:
            waited = pace.monotonic() - began
            permitted = not shared or self._is_permitted(visit, binding, polling=polling)
            leases = _LEASES if waited >= last / 2 > 0 else _LEASES[:1]
            for lease in leases if permitted else ():
                if self._claim(visit, binding.name + lease, polling=polling):
                    # Another process may have written since the last read.
                    return self._look(visit, binding, cache)
            if waited >= last:
                # Nothing proves that another process fetched, so this one pays from its own bucket.
                (calls.distrust_leases if permitted else calls.distrust_budget)()
                return False
            low, high = (0.02, 0.06) if waited < _SHORT_WAITS else (0.1, 0.2)
            if pace.wait(stopped, low + (high - low) * self._draw()):
                return False
            polling = True
            if self._look(visit, binding, cache, polling=True):
                return True

    def _is_permitted(self, visit: Visit, binding: Binding, *, polling: bool) -> bool:
        interval, now = self._plan.cache.unknown_kid_interval, self._clock.monotonic()
        return take_permit(self._calls, visit, binding.name, interval, now, polling=polling)

    def _look(
        self, visit: Visit, binding: Binding, cache: KeyCache, *, polling: bool = False
    ) -> bool:
        """Read the store. Return whether the record, now the seed, makes the fetch unnecessary."""
        # Times from before the call, so that a record can only seem older than it is.
        now, wall, began = self._clock.monotonic(), self._clock.time(), self._calls.pace.monotonic()
        limit = longest(self._plan.fetch.max_body)
        with visit.timed(self._calls, polling=polling) as within:
            stored = self._calls.read(binding.name, limit, within)
        seen, offer = visit.seen, None
        value, in_store = (None, None) if stored is None else stored
        if seen is not None and seen.value == value:
            offer = seen.offer
        elif value is not None:
            if in_store is None and seen is not None:  # it appeared since then
                in_store = self._calls.pace.monotonic() - seen.began
            offer = self._offer(binding, value, in_store, now, wall)
        visit.seen = Look(value, offer, began)
        visit.seed = offer if offer is not None and is_seed(offer, cache, now) else None
        return visit.seed is not None and suffices(
            visit.seed, cache, visit.purpose.budget, visit.purpose.kid, now
        )

    def _offer(
        self, binding: Binding, value: bytes, in_store: float | None, now: float, wall: float
    ) -> Offer | None:
        fetch, secrets = self._plan.fetch, self._calls.store.secrets
        try:
            return offer_of(
                unseal(value, binding, secrets, fetch.max_body),
                in_store=in_store,
                policy=self._plan.cache,
                max_keys=fetch.max_keys,
                now=now,
                wall=wall,
            )
        except BadRecord as bad:
            self._report(self._calls.refuse(bad.code))
        except BadKeySet:
            self._report(self._calls.refuse("bad_key_set"))
        return None

    def _claim(self, visit: Visit, lease: str, *, polling: bool) -> bool:
        with visit.timed(self._calls, polling=polling) as within:
            won = self._calls.claim(lease, self._plan.fetch.deadline + 1, within)
        if won:
            visit.lease = lease
        return won

    # --- after a fetch

    def _record(self, purpose: Purpose, outcome: Fetched, former: Record | None) -> Record | None:
        """Return the response as a record, or None after a 304 for a set whose body is unknown."""
        body, headers = outcome.body, outcome.caching
        if outcome.body is None:
            if former is None:
                return None
            body, headers = former.body, headers or former.headers
        assert body is not None  # noqa: S101 (one of the two)
        age = max(self._clock.monotonic() - purpose.began_at, 0.0)
        validators = outcome.validators
        return Record(
            body=body,
            headers=headers,
            url=validators.url,
            etag=validators.etag,
            last_modified=validators.last_modified,
            asked_at=max(self._clock.time() - age, 0.0),
            age=age,
        )

    def _write(self, visit: Visit, binding: Binding, record: Record) -> None:
        freshness = read_freshness(record.headers, self._plan.cache, record.asked_at, renewed=False)
        assert freshness is not None  # noqa: S101 (None only occurs with renewed=True)
        kept = min(freshness.lifetime + freshness.stale_for, LONGEST_KEPT)
        value = seal(record, binding, self._calls.store.secrets)
        try:
            with visit.timed(self._calls, shortest=SHORTEST_CALL) as within:
                self._calls.write(binding.name, value, kept, within)
        except StoreUnusable as failure:
            self._report(failure.trouble)

    # --- both

    def _binding(self) -> Binding | None:
        """Return the binding, made again if the contents of ``ca_file`` have changed."""
        ca_file = self._plan.fetch.ca_file
        authorities = None
        if ca_file is not None:
            try:
                authorities = Path(ca_file).read_bytes()
            except OSError:
                return None
        if self._bound is None or self._bound[0] != authorities:
            binding = binding_of(
                self._plan.provider,
                proxy=self._plan.fetch.proxy,
                authorities=authorities,
                own_http=self._own_http,
            )
            self._bound = authorities, binding
        return self._bound[1]

    def _report(self, trouble: Trouble | None) -> None:
        if trouble is not None:
            self._emit(StoreFailed(provider=self._plan.provider.name, **trouble._asdict()))
