"""The system's clocks, read in this one place.

Owns: which clock judges what. May not know: who asks. Everything else is given a `protocols.Clock`.
"""

from __future__ import annotations

import time
from typing import Final

# CLOCK_BOOTTIME ages while the machine sleeps, so that one which slept wakes with old keys, and
# knows.
_AGEING: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """Wall time, and a time that only ages."""

    __slots__ = ()

    time = staticmethod(time.time)  # noqa: TID251 (the one place that reads it)

    @staticmethod
    def monotonic() -> float:
        """Seconds since boot, sleep included where the system can tell."""
        return time.monotonic() if _AGEING is None else time.clock_gettime(_AGEING)
