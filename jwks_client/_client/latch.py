"""A latch opens once, and wakes all threads and tasks that wait for it.

It must not depend on what its waiters wait for. It has no lock that an interrupted thread could
hold, because a signal handler or a forked child may use a latch at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_LONGEST: Final = 86_400.0  # seconds; event loops reject timers that are much longer
# Seconds by which uvloop's timers may fire too early: it counts whole milliseconds, rounds the
# delay, and rounds down the present.
_EARLY: Final = 0.002


class Latch:
    """Opens once and stays open.

    Attributes:
        is_open: whether it was opened.
    """

    __slots__ = ("_waiting", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: dict[object, Callable[[], object]] = {}

    def open(self) -> None:
        """Wake every waiter. If waking one fails, the others are still woken."""
        self.is_open = True  # first, so that a waiter that registers from now on sees it
        while self._waiting:
            for waiter in list(self._waiting):
                wake = self._waiting.pop(waiter, None)
                if wake is not None:
                    with suppress(RuntimeError):  # its event loop is closed
                        wake()

    def wait(self, seconds: float) -> bool:
        """Wait in this thread for at most ``seconds``. Return whether the latch is open."""
        woken = threading.Lock()
        woken.acquire()
        self._waiting[woken] = woken.release
        try:
            if not self.is_open:
                woken.acquire(timeout=min(max(seconds, 0.0), threading.TIMEOUT_MAX))
        finally:
            self._waiting.pop(woken, None)
        return self.is_open

    async def waited(self, seconds: float) -> bool:
        """Wait in this task, on any event loop, for at most ``seconds``."""
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting[future] = lambda: loop.call_soon_threadsafe(_wake, future)
        try:
            if not self.is_open:
                limit = min(seconds + _EARLY, _LONGEST) if seconds > 0 else 0.0
                await asyncio.wait((future,), timeout=limit)
        finally:
            self._waiting.pop(future, None)
        return self.is_open


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
