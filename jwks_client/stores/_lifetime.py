"""Prepend the lifetime to a value, so that its age can be computed from the time that is left."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 16  # maximum number of characters before a value


def milliseconds(seconds: float) -> int:
    """Return a lifetime in whole milliseconds, at least one."""
    return max(int(seconds * 1000), 1)


def dated(value: bytes, seconds: float) -> bytes:
    """Return a value with its lifetime before it."""
    return b"%d " % milliseconds(seconds) + value


def undated(octets: bytes) -> tuple[float | None, bytes]:
    """Return the lifetime in seconds and the value; None and all octets without a lifetime."""
    lifetime, space, value = octets.partition(b" ")
    if not space or len(lifetime) >= LONGEST or not lifetime.isdigit():
        return None, octets
    return int(lifetime) / 1000, value
