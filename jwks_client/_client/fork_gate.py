"""Delay a fork while another thread is at work that must not be cut in two.

A forked child would wait forever for a lock that another thread of its parent held. Making a client
holds import locks, making a TLS context holds locks of OpenSSL, and a metrics backend has its own.
"""

from __future__ import annotations

import os
import threading
from typing import Final

# The longest delay of a fork in seconds, because the two threads may wait for each other.
_LONGEST: Final = 5.0


class ForkGate:
    """A context manager that delays forks while other threads are inside.

    Threads inside do not wait for each other, and a thread inside may fork.
    """

    def __init__(self) -> None:
        self._inside: dict[int, int] = {}  # how often each thread has entered
        self._changed = threading.Condition()
        self._closed_by: set[int] = set()

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            self._inside[thread] = self._inside.get(thread, 0) + 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._changed:
            self._inside[thread] -= 1
            if not self._inside[thread]:
                del self._inside[thread]
            self._changed.notify_all()

    def before(self) -> None:
        """Wait until no other thread is inside, and let none enter until the fork is over."""
        thread = threading.get_ident()
        if self._changed.acquire(timeout=_LONGEST):
            self._closed_by.add(thread)
            self._changed.wait_for(lambda: not self._inside.keys() - {thread}, _LONGEST)

    def after_in_parent(self) -> None:
        """Let threads enter again."""
        thread = threading.get_ident()
        if thread in self._closed_by:
            self._closed_by.discard(thread)
            self._changed.release()

    def after_in_child(self) -> None:
        """Forget the parent's other threads, which do not exist in the child."""
        thread = threading.get_ident()
        self._inside = {thread: self._inside[thread]} if thread in self._inside else {}
        self._changed = threading.Condition()
        self._closed_by = set()


# One gate for all such work: a fork that has closed one of several would wait at the next.
no_fork: Final = ForkGate()

if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(
        before=no_fork.before,
        after_in_parent=no_fork.after_in_parent,
        after_in_child=no_fork.after_in_child,
    )
