"""The flights of one client: how callers join or start one, and how it lands.

Everything here applies to both kinds of flight. A `Crew` carries a flight in a thread
(`thread_flights`) or in a task (`task_flights`).
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from ..._core.keysets.cache import Budget
from ...errors import KeysUnavailableError
from ...events import KeysAwaited
from .flight import Flight

if TYPE_CHECKING:
    from ..._core.keysets.cache import Need
    from ..._core.keysets.fetch import Outcome
    from ...events import Event, Reason
    from ...protocols import Clock
    from .source import KeySource


End: TypeAlias = Callable[["Outcome | None"], None]


class Crew(Protocol):
    """Carries the flights of a client."""

    def launch(self, source: KeySource, flight: Flight, end: End) -> None:
        """Start fetching; call ``end`` with the outcome, or with None if the flight vanishes."""
        ...

    def call(self, flight: Flight, listeners: Callable[[], None]) -> None:
        """Call the listeners of a flight that has landed, without delaying its callers."""
        ...

    def stop(self, flight: Flight) -> None:
        """Make a flight vanish."""
        ...


class Boarding(NamedTuple):
    """A flight to wait for, and whether this caller started it."""

    flight: Flight
    began: bool


class Wait(NamedTuple):
    """A wait of one caller.

    Arguments:
        flight: the flight to wait for.
        seconds: how long to wait.
        over: whether to wait until the listeners were called and the thread has ended as well.
    """

    flight: Flight
    seconds: float
    over: bool = False


class Flights:
    """The flights of one client.

    Arguments:
        crew: carries them.
        deadline: seconds after which a flight no longer counts.
        unknown_kid_wait: seconds for which a caller waits for another caller's flight, while the
            key set is usable.
        clock: the client's clock.
        emit: called with each event.
        check_fork: resets the client in a forked child, this object included; returns whether.
    """

    def __init__(
        self,
        crew: Crew,
        *,
        deadline: float,
        unknown_kid_wait: float,
        clock: Clock,
        emit: Callable[[Event], None],
        check_fork: Callable[[], bool],
    ) -> None:
        self.clock = clock
        self.emit = emit
        self._crew = crew
        self._deadline = deadline
        self._unknown_kid_wait = unknown_kid_wait
        self._check_fork = check_fork
        self._fetches = itertools.count(1)
        self._flying: set[Flight] = set()
        self.closed = False

    def board(
        self,
        source: KeySource,
        last: Flight,
        budget: Budget,
        *,
        reason: Reason | None = None,
        kid: str | None = None,
        alone: bool = False,
    ) -> Boarding:
        """Join a flight while it is in progress, or start its successor.

        Arguments:
            source: the key set.
            last: its last flight, read before the caller looked at the cache.
            budget: what pays for a new flight.
            reason: why a new flight is started; by default the reason of the budget.
            kid: the kid that the set lacks, or the one whose signature failed.
            alone: do not join a flight of another event loop, because one has vanished before.

        Raises KeysUnavailableError ``fetch_failed`` on a closed client.
        """
        if self._check_fork():
            last = source.last_flight
        if last.in_progress and not (alone and _is_elsewhere(last)):
            if not last.launched and last.claimed_by == threading.get_ident():
                # This is a signal handler that interrupted `launch` in the same thread.
                self._crew.launch(source, last, partial(self._end, source, last))
            return Boarding(last, began=False)
        if self.closed:
            raise KeysUnavailableError("fetch_failed", "the client is closed")
        new = Flight(
            number=last.number + 1,
            fetch=next(self._fetches),
            budget=budget,
            reason=source.reason_for(budget) if reason is None else reason,
            kid=None if budget is Budget.ROUTINE else kid,
            ignores_store=reason == "manual" or source.skips_store,
            began_at=self.clock.monotonic(),
            overdue_at=time.monotonic() + self._deadline + source.longest_store_wait,
        )
        flight = last.follow(new)
        source.latest = flight
        if flight is not new:
            return Boarding(flight, began=False)
        if not last.landed.is_open:  # it is lost, so its callers must look again
            self._flying.discard(last)
            last.landed.open()
        self._flying.add(flight)
        self._crew.launch(source, flight, partial(self._end, source, flight))
        if self.closed:  # closed after the check above
            self._crew.stop(flight)
        return Boarding(flight, began=True)

    def refresh_behind(self, source: KeySource) -> None:
        """Start a flight in the background, unless one is in progress."""
        last = source.last_flight
        if self.closed or last.in_progress:
            return
        now = self.clock.monotonic()
        # Another flight may have landed since this caller looked.
        if not source.cache.in_backoff(now) and source.cache.state(now) != "fresh":
            self.board(source, last, Budget.ROUTINE)

    def flown(
        self,
        provider: str,
        source: KeySource,
        last: Flight,
        budget: Budget,
        *,
        kid: str | None = None,
        need: Need | None = None,
        alone: bool = False,
    ) -> Generator[Wait, object, bool]:
        """Board a flight and wait for its end. Return whether it recorded a fact; else it vanished.

        Arguments:
            provider: the name of the provider whose token needs the flight.
            source, last, budget, kid, alone: see `board`.
            need: the key that the caller needs. With that key in a set that may be used, the
                caller waits for a newer set as long as the flight takes.

        Raises KeysUnavailableError: ``fetch_failed`` on a closed client; ``fetch_timeout`` if the
        caller gave up while the flight was in progress.
        """
        flight, began = self.board(source, last, budget, kid=kid, alone=alone)
        if flight.landed.is_open:
            return flight.recorded
        seconds = math.inf
        if (
            not began
            and source.is_usable(self.clock.monotonic())
            and (need is None or not source.has_key(need))
        ):
            seconds = self._unknown_kid_wait
        since = time.monotonic()
        yield Wait(flight, seconds)
        self.emit(
            KeysAwaited(
                provider=provider,
                fetch=flight.fetch,
                seconds=time.monotonic() - since,
                reason=flight.reason,
            )
        )
        if seconds != math.inf and flight.in_progress:
            raise source.not_waited_for(flight)
        return flight.recorded

    def close(self) -> list[Flight]:
        """Make all flights vanish, and start no more. Return them."""
        self.closed = True
        flying = list(self._flying)
        for flight in flying:
            self._crew.stop(flight)
        return flying

    def after_fork(self) -> bool:
        """Forget the parent's flights, whose threads do not exist in a forked child.

        Returns whether there were any.
        """
        flying, self._flying = self._flying, set()
        return bool(flying)

    def _end(self, source: KeySource, flight: Flight, outcome: Outcome | None) -> None:
        """End a flight once: record the fact, free the slot, wake the callers, call the listeners.

        A flight that ends long after its deadline was suspended (the machine slept, or the server
        stops threads between requests). This proves nothing about the provider.

        Arguments:
            source: the key set.
            flight: the flight.
            outcome: its outcome, or None if it vanishes.
        """
        if flight.ended:
            return
        flight.ended = True
        event: Event | None = None
        if outcome is not None and flight.left and not self.closed:
            event = source.land(flight, outcome)
        flight.landed.open()

        def listeners() -> None:
            try:
                if event is not None:
                    self.emit(event)
            finally:
                self._flying.discard(flight)
                flight.cut = flight.loop = flight.task = None
                flight.over.open()

        self._crew.call(flight, listeners)


def _is_elsewhere(flight: Flight) -> bool:
    """Return whether a flight is a task of an event loop other than the caller's."""
    if flight.loop is None:
        return False
    import asyncio

    return flight.loop is not asyncio.get_running_loop()
