"""The system's clocks, read in this one place.

Owns: which clock judges what. May not know: who asks. Everything else is given a `protocols.Clock`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

# CLOCK_BOOTTIME ages while the machine sleeps, so that one which slept wakes with old keys, and
# knows.
_AGEING: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
_age: Final[Callable[[], float]] = (
    time.monotonic if _AGEING is None else partial(time.clock_gettime, _AGEING)
)


class SystemClock:
    """Wall time, and a time that only ages: seconds since boot, sleep included where known."""

    __slots__ = ()

    time = staticmethod(time.time)  # noqa: TID251 (the one place that reads it)
    monotonic = staticmethod(_age)
