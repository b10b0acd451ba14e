"""A signal handler that raises, as Celery's does at a soft time limit."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from types import FrameType, ModuleType


class Interrupted(Exception):
    """The exception of the handler."""


def interrupted(act: Callable[[], object], place: int, *modules: ModuleType) -> bool:
    """Call a function, and raise at the n-th place in these modules. Return whether it was reached.

    A place is where the interpreter runs signal handlers: at the beginning of a function, and
    after a call of a function in C.
    """
    files = {module.__file__ for module in modules}
    places = itertools.count(1)

    def profile(frame: FrameType, event: str, _: object) -> None:
        is_place = event in ("call", "c_return") and frame.f_code.co_filename in files
        if is_place and next(places) == place:
            raise Interrupted

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        act()
    except Interrupted:
        return True
    finally:
        sys.setprofile(before)
    return False
