"""A lock whose owner a signal handler may interrupt.

The handler may acquire the lock again. But it must not wait for another thread that may need the
lock, so it must first check whether it has interrupted the owner.
"""

from __future__ import annotations

import threading
from typing import Any, cast


class InterruptibleLock:
    """A re-entrant lock.

    Attributes:
        held: holds the lock during a ``with`` block. It is not a method in Python, in which a
            signal handler could raise after the lock was acquired, and leave it locked forever.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Replace the lock in a forked child, because a thread of the parent may hold it."""
        self.held = threading.RLock()

    @property
    def is_mine(self) -> bool:
        """Return whether this thread holds the lock; a signal handler has then interrupted it."""
        return cast("Any", self.held)._is_owned() is True  # noqa: SLF001 (as `threading` asks)
