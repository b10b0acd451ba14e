"""The system's clocks, read in this one place.

Owns: which clock judges what. May not know: who asks. Everything else is given a `protocols.Clock`.
"""

from __future__ import annotations

import time

# CLOCK_BOOTTIME ages while the machine sleeps, so that one which slept wakes with old keys, and
# knows.
_AGEING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Wall time, and a time that only ages."""

    __slots__ = ()

    time = staticmethod(time.time)  # noqa: TID251 (the one place that reads it)

    @staticmethod
    def monotonic() -> float:
        """Seconds since boot, sleep included where the system can tell."""
        return time.clock_gettime(_AGEING)
