"""A lock whose owner a signal handler may interrupt.

The handler may take the lock again. But it must not wait for another thread, which may need the
lock: so it asks first whether it interrupted the owner.
"""

from __future__ import annotations

import threading


class InterruptibleLock:
    """A re-entrant lock; a context manager."""

    __slots__ = ("_depth", "_lock")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start anew in the child of a fork: a thread of the parent may hold the lock."""
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
        """Whether this thread holds the lock, so that the caller interrupted its owner."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._depth > 0
        finally:
            self._lock.release()
