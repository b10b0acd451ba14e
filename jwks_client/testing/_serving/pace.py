"""How slowly an answer goes out: later than it could, or in small pieces.

Owns: these waits, for threads and event loops. May not know: requests, answers. They are real
seconds; who tests with a `FakeClock` holds answers back by a gate instead (`_gate`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from .gate import Gate, wait, wait_async

__all__ = ["Pace"]

_CHUNK: Final = 16 * 1024


class Pace(NamedTuple):
    """A pace, in seconds and octets, until ``ended`` opens."""

    ended: Gate
    delay: float = 0.0
    octets: int = 0  # 0: as many as there are
    every: float = 0.0

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """The body in the pieces in which it goes out."""
        size = self.octets or _CHUNK
        return (body[at : at + size] for at in range(0, len(body), size))

    def pause(
        self, seconds: float, *, within: float | None = None, ending: Gate | None = None
    ) -> bool:
        """Wait so long, or until the pace or ``ending`` ends; False if ``within`` is over first."""
        gates = (self.ended,) if ending is None else (self.ended, ending)
        if seconds > 0:
            opened = wait(*gates, within=seconds if within is None else min(seconds, within))
            return opened or within is None or seconds < within
        return True

    async def pause_async(self, seconds: float, *, within: float | None = None) -> bool:
        """As `pause`, for coroutines."""
        if seconds > 0:
            limit = seconds if within is None else min(seconds, within)
            opened = await wait_async(self.ended, within=limit)
            return opened or within is None or seconds < within
        return True
