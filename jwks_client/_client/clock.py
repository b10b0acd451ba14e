"""The system's clocks, read in this one place. Everything else is given a `protocols.Clock`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Final

# CLOCK_BOOTTIME ages while the machine sleeps, so a machine that slept knows that its keys are old.
_AGEING: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
_age: Final[Callable[[], float]] = (
    time.monotonic if _AGEING is None else partial(time.clock_gettime, _AGEING)
)


class SystemClock:
    """Wall time, and a time that only ages: seconds since boot, sleep included where known."""

    __slots__ = ()

    _system: ClassVar[ModuleType] = time
    if TYPE_CHECKING:

        def time(self) -> float: ...

    else:
        # Looked up at each use, so that freezegun can replace it; in C, so that it costs no call.
        time = property(attrgetter("_system.time"))
    monotonic = staticmethod(_age)
