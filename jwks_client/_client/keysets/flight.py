"""A flight: one in-flight fetch of a key set, which belongs to no caller.

Owns: its number, its deadline and how long its end may take. Must not depend on: threads or tasks.
"""

from __future__ import annotations

import time
from typing import Final

from ..._core.keysets.fetch import Failed
from ...errors import ConfigurationError

# Flights that one caller waits for, should they vanish (cancelled, loop closed).
MOST_ROUNDS: Final = 3


# Seconds past its deadline that a flight's end may be in coming: a timer ends it, on a busy machine
# a little late. Who asks in between waits for that end, and begins no flight beside it.
_GRACE: Final = 1.0


class Flight:
    """One fetch under way: nobody's request, so no caller's end is its end.

    Arguments:
        number: its place among all flights of the key set.
        began_at: by the client's clock, monotonic.
        overdue_at: its deadline, by the system's monotonic clock; what it brings later is dropped.
        doubts: the kid whose signature failed, where that caused it.
    """

    __slots__ = ("began_at", "doubts", "number", "overdue_at")

    def __init__(self, number: int, began_at: float, overdue_at: float, doubts: str | None) -> None:
        self.number = number
        self.began_at = began_at
        self.overdue_at = overdue_at
        self.doubts = doubts

    @property
    def left(self) -> float:
        """Seconds until its end must have come.

        At 0 it is lost, and nobody waits for it: an interrupt came before its timer, or the machine
        slept.
        """
        return max(self.overdue_at + _GRACE - time.monotonic(), 0.0)


def refused_headers(error: Exception) -> Failed:
    """The outcome of a flight whose ``headers`` callable failed, or gave what no header can be."""
    cause = None if isinstance(error, ConfigurationError) else error
    return Failed(
        code="fetch_failed", message="the application's headers failed", cause=cause, private=True
    )


def overdue() -> Failed:
    """The outcome of a flight that is past its deadline."""
    return Failed(code="fetch_timeout", message="the key set did not come before the deadline")
