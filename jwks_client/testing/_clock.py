"""A clock that moves when told.

Owns: two instants, wall and monotonic. May not know: who asks.
"""

from __future__ import annotations

import math
import threading

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that stands still until told; the clients and `FakeProvider` take it as ``clock=``.

    It may be read and moved from any thread. The monotonic clock starts at 0: instants on it mean
    nothing but against each other.

    Arguments:
        time: the wall clock at the start, in seconds since 1970.
    """

    def __init__(self, time: float = 1_700_000_000) -> None:
        self._lock = threading.Lock()
        self._wall = _finite("time", time)
        self._monotonic = 0.0

    def time(self) -> float:
        """The wall clock: seconds since 1970, as ``exp``, ``nbf`` and ``iat`` count."""
        with self._lock:
            return self._wall

    def monotonic(self) -> float:
        """The monotonic clock: seconds, for ages and intervals."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks: 0 seconds or more, else ValueError."""
        if _finite("seconds", seconds) < 0:
            raise ValueError("time does not run backwards; jump_wall() sets the wall clock back")
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back with a negative number; no time passes."""
        _finite("seconds", seconds)
        with self._lock:
            self._wall += seconds

    def __repr__(self) -> str:
        with self._lock:
            return f"FakeClock(time={self._wall!r}, monotonic={self._monotonic!r})"


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} takes a finite number of seconds, not {value!r}")
    return float(value)
