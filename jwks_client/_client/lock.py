"""A lock whose owner a signal handler may interrupt.

The handler may acquire the lock again. But it must not wait for another thread that may need the
lock, so it must first check whether it has interrupted the owner.
"""

from __future__ import annotations

import threading


class InterruptibleLock:
    """A re-entrant lock; a context manager."""

    __slots__ = ("_depth", "_lock")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Replace the lock in a forked child, because a thread of the parent may hold it."""
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()

    @property
    def is_mine(self) -> bool:
        """Return whether this thread holds the lock; a signal handler has then interrupted it."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._depth > 0
        finally:
            self._lock.release()
