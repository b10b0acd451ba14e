"""Counts of function calls: the same on every run and machine, unlike times."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable


def calls_of(function: Callable[..., object], *args: object) -> int:
    """Count the calls of Python and C functions that a call makes, itself included.

    Only this thread is counted. Calls that an interpreter makes without an event (slots, specialised
    instructions) is not counted.
    """
    seen = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal seen
        seen += event in {"call", "c_call"}

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection calls what listens to it, as Hypothesis does
    sys.setprofile(count)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return seen - 1  # the last is of setprofile itself
