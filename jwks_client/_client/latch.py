"""A latch: it opens once, and wakes everyone who waits for it, in threads and on event loops alike.

It must not depend on what is waited for. It has no lock that an interrupted thread could keep: a
signal handler, or the child of a fork, may wait for a latch, or open it, at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_LONGEST: Final = 86_400.0  # seconds; event loops refuse timers that are much longer


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
        """Wake every waiter. Waking one cannot fail for another."""
        self.is_open = True  # first: a waiter who registers from now on finds it open
        while self._waiting:
            for waiter in list(self._waiting):
                wake = self._waiting.pop(waiter, None)
                if wake is not None:
                    with suppress(RuntimeError):  # its event loop is closed
                        wake()

    def wait(self, seconds: float) -> bool:
        """Wait in this thread for at most so many seconds. Return whether the latch is open."""
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
        """Wait in this task, on whatever event loop, for at most so many seconds."""
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting[future] = lambda: loop.call_soon_threadsafe(_wake, future)
        try:
            if not self.is_open:
                await asyncio.wait((future,), timeout=min(max(seconds, 0.0), _LONGEST))
        finally:
            self._waiting.pop(future, None)
        return self.is_open


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
