"""Delay a fork while another thread makes a client.

Making a client imports everything that a fetch needs. A forked child would wait forever for an
import lock that another thread of its parent held.
"""

from __future__ import annotations

import os
import threading
from typing import Final

# The longest delay of a fork in seconds, because the two threads may wait for each other.
_LONGEST: Final = 5.0


class ForkGate:
    """A context manager that delays forks while another thread is inside."""

    def __init__(self) -> None:
        self._inside = threading.RLock()  # the thread that is inside may fork
        self._passed: set[int] = set()

    def __enter__(self) -> None:
        self._inside.acquire()

    def __exit__(self, *_: object) -> None:
        self._inside.release()

    def before(self) -> None:
        """Wait until no other thread is inside."""
        if self._inside.acquire(timeout=_LONGEST):
            self._passed.add(threading.get_ident())

    def after_in_parent(self) -> None:
        """Allow other threads to enter again."""
        if threading.get_ident() in self._passed:
            self._passed.discard(threading.get_ident())
            self._inside.release()

    def after_in_child(self) -> None:
        """Allow threads to enter again: a thread of the parent does not exist in the child."""
        if threading.get_ident() in self._passed:
            self._inside.release()
        else:
            self._inside = threading.RLock()
        self._passed = set()


making: Final = ForkGate()

if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(
        before=making.before,
        after_in_parent=making.after_in_parent,
        after_in_child=making.after_in_child,
    )
