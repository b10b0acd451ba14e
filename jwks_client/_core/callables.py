"""Recognize coroutine functions. Must not depend on: what a callable is for."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def is_coroutine_function(call: object) -> bool:
    """Return whether a call returns a coroutine: for functions, partials and callable objects."""
    while isinstance(call, functools.partial):
        call = call.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    called: Any = getattr(type(call), "__call__", None)  # noqa: B004 (the method of the type)
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(called)
