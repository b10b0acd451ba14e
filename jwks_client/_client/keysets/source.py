"""One key set in a client: the reference to its facts, and the books on the flights that fetch it.

Owns: the lock, the numbering of flights, what becomes of an outcome, the kids that are not there.
May not know: threads or tasks. The lock guards only the claim of a flight and its landing; it is
never held across I/O, a listener or an await. Whoever reads `KeySource.cache` reads one immutable
value and takes no lock.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from ..._core.keysets.cache import Budget, Decision, KeyCache, Need, change_between
from ..._core.keysets.fetch import Failed, Fetched, Outcome, Plan, Talk
from ..._core.settings import header
from ...errors import KeysUnavailableError
from ...events import Event, FetchFailed, KeysFetched, KeysRotated, KeysUnchanged, shown
from .flight import Flight, overdue

if TYPE_CHECKING:
    from ..._core.keysets.jwk import KeySet
    from ...protocols import Clock


class KeySource:
    """The memory of one key set and the claims on fetching it.

    Arguments:
        plan: what to fetch.
        cache: the facts to start from.
        clock: the client's clock.
        tell: given each event.
        draw: gives a random number from 0 to 1.
    """

    def __init__(
        self,
        plan: Plan,
        cache: KeyCache,
        clock: Clock,
        tell: Callable[[Event], None],
        draw: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.cache = cache
        self.begun = 0
        self.lock = threading.Lock()
        # It is a provider's own: no answer of a resolver ends what is remembered of its tokens.
        self.held = True
        self.due_at = math.inf
        self._clock = clock
        self._tell = tell
        self._draw = draw
        self._absent: LRUCache[str, float] | None = (
            LRUCache(cache.policy.negative_kids) if cache.policy.negative_kids else None
        )

    @classmethod
    def holding(
        cls,
        plan: Plan,
        key_set: KeySet,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> KeySource:
        """A source whose key set is in hand and never fetched."""
        cache = KeyCache(policy=plan.cache, due_share=None, key_set=key_set, life=math.inf)
        return cls(plan, cache, clock, tell, lambda: 0.0)

    @property
    def name(self) -> str:
        """The provider it stands for in events."""
        return self.plan.provider.name

    @property
    def fixed(self) -> bool:
        """Whether the key set is in hand and never fetched."""
        return self.plan.provider.jwks is not None

    def look_up(self, need: Need, *, in_air: bool, seen: int) -> Decision:
        """Decide for a token that first looked when ``seen`` flights had begun."""
        now = self._clock.monotonic()
        cache = self.cache
        came = cache.newest > seen and cache.failure is None
        missed = self.fixed or self._is_absent(need.kid, now)
        return cache.look_up(need, now, missed=missed, in_air=in_air, just_came=came)

    def came_since(self, seen: int) -> bool:
        """Whether a flight that began after the first ``seen`` brought or renewed the set."""
        return self.cache.newest > seen and self.cache.failure is None

    def _is_absent(self, kid: str | None, now: float) -> bool:
        if kid is None or self._absent is None or not self._absent:
            return False
        with self.lock:  # an LRU moves what it is asked for
            until = self._absent.get(kid)
        return until is not None and now < until

    def note_absent(self, kid: str | None, seen: int) -> bool:
        """Remember a kid for a while, if a fetch that began after the first ``seen`` lacked it.

        Returns whether one did.
        """
        if kid is None or not self.came_since(seen):
            return False
        if self._absent is not None:
            until = self._clock.monotonic() + self.cache.policy.negative_kid_ttl
            with self.lock:
                self._absent[kid] = until
        return True

    def pay(self, budget: Budget) -> None:
        """Note that a flight was begun at a budget's expense. The caller holds the lock."""
        self.cache = self.cache.paid(budget, self._clock.monotonic())

    def talk(self) -> Talk:
        """The conversation of a flight with the provider. Runs the application's ``headers``."""
        headers = self.plan.provider.headers
        pairs = (headers() if callable(headers) else headers or {}).items()
        cache = self.cache
        return Talk(
            plan=self.plan,
            now=self._clock.monotonic(),
            wall=self._clock.time(),
            validators=cache.validators if cache.key_set is not None else None,
            discovered=cache.discovered,
            last_failed=cache.failure is not None,
            headers=tuple(header("headers", name, value) for name, value in pairs),
        )

    def land(self, flight: Flight, outcome: Outcome) -> None:
        """Record what a flight brought, once; a late one is dropped. Tells the listeners."""
        now = self._clock.monotonic()
        if isinstance(outcome, Fetched) and time.monotonic() >= flight.overdue_at:
            outcome = overdue()  # callers were told so already; a late answer is dropped
        with self.lock:
            old = self.cache
            if flight.number <= old.newest:
                return
            if isinstance(outcome, Fetched):
                new = old.fetched(flight.number, outcome, flight.began_at)
            else:
                new = old.failed(flight.number, _quiet(outcome), now, self._draw())
            if new.key_set is not old.key_set and self._absent is not None:
                self._absent.clear()
            self.cache = new
        self._tell(self._event(old, new, now, outcome))

    def _event(self, old: KeyCache, new: KeyCache, now: float, outcome: Outcome) -> Event:
        name = self.name
        if new.failure is not None:
            return FetchFailed(
                provider=name,
                code=new.failure.code,
                message=new.failure.message,
                cause=_told(new.failure),
                failures=new.failures,
                retry_in=max(new.retry_at - now, 0.0),
            )
        assert new.key_set is not None and isinstance(outcome, Fetched)  # noqa: S101, PT018 (a success)
        called = None if outcome.content_type is None else shown(outcome.content_type, 100)
        if old.key_set is None:
            kids = tuple(key.kid for key in new.key_set if key.kid is not None)
            return KeysFetched(
                provider=name,
                kids=kids,
                unusable=len(new.key_set.unusable),
                life=new.life,
                content_type=called,
            )
        change = change_between(old.key_set, new.key_set)
        if not any(change):
            return KeysUnchanged(provider=name, life=new.life, content_type=called)
        return KeysRotated(
            provider=name,
            added=change.added,
            withdrawn=change.withdrawn,
            swapped=change.swapped,
            life=new.life,
            content_type=called,
        )

    def unavailable(self) -> KeysUnavailableError:
        """The error for who needs a key that is not to be had now."""
        cache = self.cache
        failure = cache.failure
        if failure is None:
            return KeysUnavailableError("fetch_failed", "the fetch was broken off")
        wait = max(cache.retry_at - self._clock.monotonic(), 1.0)
        message = f"{failure.message} (provider {self.name!r})"
        error = KeysUnavailableError(failure.code, message, retry_after=wait)
        error.__cause__ = failure.cause
        return error

    def after_fork(self, due_share: float | None) -> None:
        """In the child: a new lock (a lost thread may hold the old), and a jitter of its own."""
        self.lock = threading.Lock()
        if not self.fixed:
            self.cache = replace(self.cache, due_share=due_share)


def _told(failure: Failed) -> str | None:
    """The cause of a failure in words, for events: cut, escaped, and without a secret's text."""
    cause = failure.cause
    if cause is None:
        return None
    kind = type(cause).__name__
    text = kind if failure.private or not str(cause) else f"{kind}: {cause}"
    return shown(text, 200)


def _quiet(failed: Failed) -> Failed:
    """Drop the frames that a cause holds: a failure is kept, its stack and sockets are not."""
    cause: BaseException | None = failed.cause
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return failed
