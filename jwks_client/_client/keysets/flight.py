"""A flight: one in-flight fetch of a key set, which belongs to no caller.

Theory of operation. The flights of a key set form a chain, and each flight has at most one
successor. A caller reads the last flight, then looks at the cache. If it has to fetch, it joins
that flight while it is in progress, and otherwise starts its successor. If another caller was
first, it gets that caller's flight. So a claim needs no lock, and no caller acts on outdated
facts. A flight lands, or vanishes and leaves no trace in the cache.

This module must not depend on what carries a flight (a thread, a task).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..._core.keysets.cache import Budget
from ..._core.keysets.fetch import Failed
from ...errors import ConfigurationError
from ..latch import Latch

if TYPE_CHECKING:
    import asyncio

    from ...events import Reason

# How many flights one caller waits for if they vanish (cancelled, or their loop is closed).
MOST_ROUNDS: Final = 3

# Seconds after its deadline in which a flight may still end, because on a busy machine its thread
# may notice the deadline late. A caller that arrives in this time waits for that end.
_GRACE: Final = 1.0


class Flight:
    """One fetch in progress, or one that has ended.

    Arguments:
        number: the flight's place in the chain of its key set.
        fetch: a number that is unique in the client, for events.
        budget: what pays for the flight when it lands. A flight that vanishes costs nothing.
        reason: why it was started, for events.
        kid: the unknown kid, or the one whose signature failed, if that is the reason.
        ignores_store: whether to skip the store's record and ask the provider.
        began_at: when it began, by the client's clock (monotonic).
        overdue_at: its deadline, by the system's monotonic clock.

    Attributes:
        process: the process that carries the flight.
        requests: how many requests for the key set were made.
        ended: whether the flight has an outcome, or has vanished.
        landed: opens when the flight has ended and its slot is free.
        over: opens after the listeners were called as well.
        recorded: whether the flight recorded a fact in the cache.
        abandoned: whether callers must not join the flight any more: the client was closed, or the
            flight's event loop does not answer.
        url: the URL of the last request.
    """

    __slots__ = (
        *("_followed_by", "abandoned", "began_at", "budget", "claimed_by", "cut", "ended", "fetch"),
        *("ignores_store", "kid", "landed", "loop", "number", "over", "overdue_at", "process"),
        *("reason", "recorded", "requests", "take_off", "task", "thread", "url"),
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
        kid: str | None = None,
        ignores_store: bool = False,
    ) -> None:
        self.number = number
        self.fetch = fetch
        self.budget = budget
        self.reason: Reason = reason
        self.kid = kid
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
        # The thread that carries the flight, with a function that cuts its conversation short; or
        # the task and its loop.
        self.claimed_by = threading.get_ident()
        self.take_off = threading.Lock()  # acquired once
        self.thread: threading.Thread | None = None
        self.cut: Callable[[], None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None
        self._followed_by: dict[str, Flight] = {}

    @classmethod
    def none(cls, number: int) -> Flight:
        """Return a flight that has ended, as the start of the chain."""
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
    def left(self) -> float:
        """Return the seconds until the flight no longer counts.

        At 0 the flight is lost, because it did not end in time (the machine slept).
        """
        return max(self.overdue_at + _GRACE - time.monotonic(), 0.0)

    @property
    def in_progress(self) -> bool:
        """Return whether callers can wait for the flight."""
        if self.landed.is_open or self.abandoned or not self.left:
            return False
        if self.process != os.getpid():  # uWSGI may fork without the hooks of `os`
            return False
        loop = self.loop  # read once: the end of the flight clears it
        return loop is None or loop.is_running()

    @property
    def launched(self) -> bool:
        """Return whether a thread or a task carries the flight."""
        return self.thread is not None or self.loop is not None

    def follow(self, following: Flight) -> Flight:
        """Make ``following`` the successor, unless there is one. Return the successor."""
        return self._followed_by.setdefault("", following)

    def last(self) -> Flight:
        """Return the last flight of the chain."""
        flight = self
        while (following := flight._followed_by.get("")) is not None:
            flight = following
        return flight


def refused_headers(error: Exception) -> Failed:
    """Return the outcome if the ``headers`` callable raised or its result is not valid headers."""
    cause = None if isinstance(error, ConfigurationError) else error
    return Failed(
        code="fetch_failed",
        message="the provider's headers= raised or returned invalid headers",
        cause=cause,
        private=True,
    )


def overdue(requests: int) -> Failed:
    """Return the outcome of a flight that is past its deadline."""
    return Failed(
        code="fetch_timeout",
        message="the key set did not arrive before the deadline",
        requests=requests,
    )
