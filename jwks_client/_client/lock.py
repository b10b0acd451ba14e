"""A lock whose owner a signal handler may interrupt.

The handler may acquire the lock again. But it must not wait for another thread that may need the
lock, so it must first check whether it has interrupted the owner.
"""

from __future__ import annotations

import threading
from typing import Any, Final, cast

# Seconds after which a lock counts as abandoned. Nothing waits under such a lock.
_LONGEST: Final = 5.0


class InterruptibleLock:
    """A re-entrant lock."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Replace the lock in a forked child, because a thread of the parent may hold it."""
        self._lock = threading.RLock()

    @property
    def held(self) -> threading.RLock:
        """Return the lock, for a ``with`` block.

        It is not a method in Python, in which a signal handler could raise after the lock was
        acquired, and leave it locked forever. From Python 3.14, a handler can also do that at the
        beginning of a ``with`` block, so a lock that is not released in time is replaced.
        """
        lock = self._lock
        if lock.acquire(timeout=_LONGEST):
            lock.release()
        elif self._lock is lock:
            self.renew()
        return self._lock

    @property
    def is_mine(self) -> bool:
        """Return whether this thread holds the lock; a signal handler has then interrupted it."""
        return cast("Any", self._lock)._is_owned() is True  # noqa: SLF001 (as `threading` asks)
