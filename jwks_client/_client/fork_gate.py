"""Delay a fork while another thread is at work that must not be cut in two.

A forked child would wait forever for a lock that another thread of its parent held. Making a client
holds import locks, and a metrics backend has locks of its own.
"""

from __future__ import annotations

import os
import threading
from typing import Final

# The longest delay of a fork in seconds, because the two threads may wait for each other.
_LONGEST: Final = 5.0


class ForkGate:
    """A context manager that delays forks while another thread is inside. It lives forever."""

    def __init__(self) -> None:
        self._inside = threading.RLock()  # the thread that is inside may fork
        self._passed: set[int] = set()
        if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
            os.register_at_fork(
                before=self._before,
                after_in_parent=self._after_in_parent,
                after_in_child=self._after_in_child,
            )

    def __enter__(self) -> None:
        self._inside.acquire()

    def __exit__(self, *_: object) -> None:
        self._inside.release()

    def _before(self) -> None:
        """Wait until no other thread is inside."""
        if self._inside.acquire(timeout=_LONGEST):
            self._passed.add(threading.get_ident())

    def _after_in_parent(self) -> None:
        """Allow other threads to enter again."""
        if threading.get_ident() in self._passed:
            self._passed.discard(threading.get_ident())
            self._inside.release()

    def _after_in_child(self) -> None:
        """Allow threads to enter again: a thread of the parent does not exist in the child."""
        if threading.get_ident() in self._passed:
            self._inside.release()
        else:
            self._inside = threading.RLock()
        self._passed = set()


making: Final = ForkGate()  # entered to make a client
