"""The system's clocks. Only this module reads them; all others receive a `protocols.Clock`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Final

# CLOCK_BOOTTIME also counts the time in which the machine sleeps, and so do the ages of keys.
_AGEING: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
_age: Final[Callable[[], float]] = (
    time.monotonic if _AGEING is None else partial(time.clock_gettime, _AGEING)
)


class SystemClock:
    """Wall-clock time, and monotonic time: seconds since boot, including sleep if supported."""

    __slots__ = ()

    _system: ClassVar[ModuleType] = time
    if TYPE_CHECKING:

        def time(self) -> float: ...

    else:
        # Looked up at each use, so that freezegun can replace it, and in C, which is faster.
        time = property(attrgetter("_system.time"))
    monotonic = staticmethod(_age)
