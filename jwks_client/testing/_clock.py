"""A clock that moves only when a test moves it."""

from __future__ import annotations

import math

from ._locks import new_lock

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that moves only on request; clients and `FakeProvider` accept it as ``clock=``.

    It can be read and moved from any thread. The monotonic clock starts at 0; only the differences
    between its values are meaningful.

    Arguments:
        time: the initial wall-clock time, in seconds since 1970.
    """

    def __init__(self, time: float = 1_700_000_000) -> None:
        self._lock = new_lock()
        self._wall = _finite("time", time)
        self._monotonic = 0.0

    def time(self) -> float:
        """Return the wall clock in seconds since 1970, as in ``exp``, ``nbf`` and ``iat``."""
        with self._lock:
            return self._wall

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds, for ages and intervals."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Advance both clocks. Raises ValueError for a negative number."""
        if _finite("seconds", seconds) < 0:
            raise ValueError("seconds must not be negative; jump_wall() sets the wall clock back")
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def jump_wall(self, seconds: float) -> None:
        """Move the wall clock alone, back with a negative number."""
        _finite("seconds", seconds)
        with self._lock:
            self._wall += seconds

    def __repr__(self) -> str:
        with self._lock:
            return f"FakeClock(time={self._wall!r}, monotonic={self._monotonic!r})"


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number of seconds, got {value!r}")
    return float(value)
