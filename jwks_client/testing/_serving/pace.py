"""Slow responses: delayed, or sent in small pieces.

Must not depend on requests or responses. The waits are real seconds; tests with a `FakeClock`
hold responses back with a gate instead (`gate`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from .gate import Gate, wait, wait_async

__all__ = ["Pace"]

_CHUNK: Final = 16 * 1024


class Pace(NamedTuple):
    """A delay and a rate, in force until ``ended`` opens."""

    ended: Gate
    delay: float = 0.0
    octets: int = 0  # 0: all at once
    every: float = 0.0

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Return the body in the pieces to send."""
        size = self.octets or _CHUNK
        return (body[at : at + size] for at in range(0, len(body), size))

    def pause(
        self, seconds: float, *, within: float | None = None, ending: Gate | None = None
    ) -> bool:
        """Wait until then, or until the pace or ``ending`` ends; return False after ``within``."""
        gates = (self.ended,) if ending is None else (self.ended, ending)
        if seconds > 0:
            opened = wait(*gates, within=seconds if within is None else min(seconds, within))
            return opened or within is None or seconds < within
        return True

    async def pause_async(self, seconds: float, *, within: float | None = None) -> bool:
        """Wait as `pause` does, without blocking the event loop."""
        if seconds > 0:
            limit = seconds if within is None else min(seconds, within)
            opened = await wait_async(self.ended, within=limit)
            return opened or within is None or seconds < within
        return True
