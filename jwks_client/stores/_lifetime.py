"""A value with its lifetime before it, so that a store's clock can tell its age."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 16  # characters that stand before a value


def milliseconds(seconds: float) -> int:
    """Return a lifetime in whole milliseconds, at least one."""
    return max(int(seconds * 1000), 1)


def dated(value: bytes, seconds: float) -> bytes:
    """Write a value with its lifetime."""
    return b"%d " % milliseconds(seconds) + value


def undated(octets: bytes) -> tuple[float | None, bytes]:
    """Return the lifetime in seconds and the value; without one, None and all octets."""
    lifetime, space, value = octets.partition(b" ")
    if not space or len(lifetime) >= LONGEST or not lifetime.isdigit():
        return None, octets
    return int(lifetime) / 1000, value
