"""A flight: one in-flight fetch of a key set, which belongs to no caller.

Theory of operation. The flights of a key set form a chain, and each flight can be followed once.
A caller notes the last flight, then looks at the cache. If it has to fetch, it joins that flight
while it is in progress, and follows it otherwise. If another caller followed it first, the caller
gets the other's flight. So a claim needs no lock, and no caller acts on facts that a flight has
changed meanwhile. A flight ends with its landing, or vanishes and leaves no trace in the cache.

This module must not depend on what carries a flight (a thread, a task).
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from ..._core.keysets.cache import Budget
from ..._core.keysets.fetch import Failed
from ...errors import ConfigurationError
from ..latch import Latch

if TYPE_CHECKING:
    import asyncio

    from ...events import Reason

# How many flights one caller waits for, should they vanish (cancelled, loop closed).
MOST_ROUNDS: Final = 3

# Seconds past its deadline in which the end of a flight is still awaited: on a busy machine its
# thread notices the deadline a little late. A caller that comes in between waits for that end.
_GRACE: Final = 1.0


class Conversing(Protocol):
    """A conversation with a provider in another thread."""

    def stop(self) -> None:
        """Cut the conversation short."""
        ...


class Flight:
    """One fetch in progress, or one that has ended.

    Arguments:
        number: the flight's place in the chain of its key set.
        fetch: a number that is unique in the client, for events.
        budget: what pays for the flight as it lands. A flight that vanishes costs nothing.
        reason: why it was begun, for events.
        doubts: the kid whose signature failed, if that is the reason.
        seeks: the unknown kid, if that is the reason.
        ignores_store: the provider is asked whatever a store holds.
        began_at: when it began, by the client's clock (monotonic).
        overdue_at: its deadline, by the system's monotonic clock.

    Attributes:
        process: the process that carries the flight.
        requests: how many requests for the key set were made.
        ended: the flight has an outcome, or has vanished.
        landed: opens when the flight has ended and its slot is free.
        over: opens when the listeners were called as well.
        recorded: the flight left a fact in the cache.
        abandoned: no caller joins the flight any more: the client was closed, or the flight's
            event loop does not answer.
        url: what was asked for last.
    """

    __slots__ = (
        *("_followed_by", "abandoned", "began_at", "budget", "claimed_by", "conversation"),
        *("doubts", "ended", "fetch", "ignores_store", "landed", "loop", "number", "over"),
        *("overdue_at", "process", "reason", "recorded", "requests", "seeks", "take_off", "task"),
        *("thread", "url"),
    )

    def __init__(
        self,
        *,
        number: int,
        fetch: int,
        budget: Budget,
        reason: Reason,
        began_at: float,
        overdue_at: float,
        doubts: str | None = None,
        seeks: str | None = None,
        ignores_store: bool = False,
    ) -> None:
        self.number = number
        self.fetch = fetch
        self.budget = budget
        self.reason: Reason = reason
        self.doubts = doubts
        self.seeks = seeks
        self.ignores_store = ignores_store
        self.began_at = began_at
        self.overdue_at = overdue_at
        self.process = os.getpid()
        self.url: str | None = None
        self.requests = 0
        self.ended = False
        self.landed = Latch()
        self.over = Latch()
        self.recorded = False
        self.abandoned = False
        # What carries the flight: a thread with its conversation, or a task of a loop.
        self.claimed_by = threading.get_ident()
        self.take_off = threading.Lock()  # acquired once
        self.thread: threading.Thread | None = None
        self.conversation: Conversing | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None
        self._followed_by: dict[str, Flight] = {}

    @classmethod
    def none(cls, number: int) -> Flight:
        """Return the flight that the next one follows where there was none."""
        flight = cls(
            number=number,
            fetch=0,
            budget=Budget.ROUTINE,
            reason="cold",
            began_at=0.0,
            overdue_at=0.0,
        )
        flight.recorded = True
        flight.landed.open()
        flight.over.open()
        return flight

    @property
    def kid(self) -> str | None:
        """The kid that a stored record must answer for, to spare this fetch."""
        return self.seeks if self.doubts is None else self.doubts

    @property
    def left(self) -> float:
        """Seconds until the flight no longer counts.

        At 0 the flight is lost: its end has never come (the machine slept).
        """
        return max(self.overdue_at + _GRACE - time.monotonic(), 0.0)

    @property
    def in_progress(self) -> bool:
        """Whether callers can wait for the flight."""
        if self.landed.is_open or self.abandoned or not self.left:
            return False
        if self.process != os.getpid():  # uWSGI may fork without the hooks of `os`
            return False
        loop = self.loop  # read once: the end of the flight clears it
        return loop is None or loop.is_running()

    @property
    def launched(self) -> bool:
        """Whether a thread or a task carries the flight."""
        return self.thread is not None or self.loop is not None

    def follow(self, following: Flight) -> Flight:
        """Claim the next place in the chain. Return the flight that has it."""
        return self._followed_by.setdefault("", following)

    def last(self) -> Flight:
        """Return the last flight of the chain."""
        flight = self
        while (following := flight._followed_by.get("")) is not None:
            flight = following
        return flight


def refused_headers(error: Exception) -> Failed:
    """Return the outcome of a flight whose ``headers`` callable raised or returned no headers."""
    cause = None if isinstance(error, ConfigurationError) else error
    return Failed(
        code="fetch_failed", message="the application's headers failed", cause=cause, private=True
    )


def overdue(requests: int) -> Failed:
    """Return the outcome of a flight that is past its deadline."""
    return Failed(
        code="fetch_timeout",
        message="the key set did not come before the deadline",
        requests=requests,
    )
