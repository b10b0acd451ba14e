"""Delay a fork while another thread does work that a fork must not interrupt.

A forked child would wait forever for a lock that another thread of its parent held. Making a client
holds import locks, making a TLS context holds locks of OpenSSL, and a metrics backend has its own.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from .latch import Latch

# The longest delay of a fork in seconds, because the two threads may wait for each other.
_LONGEST: Final = 5.0


class ForkGate:
    """A context manager that delays forks while other threads are inside.

    Threads inside do not wait for each other, and a thread inside may fork. It has no lock,
    because a signal handler that raises could leave it locked forever.
    """

    def __init__(self) -> None:
        self._inside: dict[int, int] = {}  # how often each thread has entered
        self._forking: dict[int, Latch] = {}  # by thread; opens when its fork is over
        self._left = Latch()  # opens when a thread leaves

    def __enter__(self) -> None:
        thread = threading.get_ident()
        depth = self._inside.get(thread, 0)
        while True:
            self._inside[thread] = depth + 1  # first, so that a fork that begins now waits
            others = [one for one in list(self._forking.items()) if one[0] != thread]
            if not others:
                return
            self._stay(thread, depth)
            for other, over in others:
                if not over.wait(_LONGEST):
                    self._forking.pop(other, None)

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        self._stay(thread, self._inside.get(thread, 1) - 1)

    def _stay(self, thread: int, depth: int) -> None:
        if depth > 0:
            self._inside[thread] = depth
        else:
            self._inside.pop(thread, None)
        left, self._left = self._left, Latch()
        left.open()

    def before(self) -> None:
        """Wait until no other thread is inside, and let none enter until the fork is over."""
        thread, until = threading.get_ident(), time.monotonic() + _LONGEST
        while True:
            left = self._left
            self._forking[thread] = Latch()  # first, so that a thread that enters now waits
            others = self._inside.keys() - {thread}
            if not others:
                return
            if time.monotonic() >= until:
                for other in others:  # no fork waits for them again
                    self._inside.pop(other, None)
                return
            self.after_in_parent()  # others may enter, because a thread inside may wait for them
            left.wait(until - time.monotonic())

    def after_in_parent(self) -> None:
        """Let threads enter again."""
        over = self._forking.pop(threading.get_ident(), None)
        if over is not None:
            over.open()

    def after_in_child(self) -> None:
        """Forget the parent's other threads, which do not exist in the child."""
        thread = threading.get_ident()
        self._inside = {thread: self._inside[thread]} if thread in self._inside else {}
        self._forking = {}
        self._left = Latch()


# One gate for all such work: with several, a fork would close one gate and then wait at the next.
no_fork: Final = ForkGate()

if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(
        before=no_fork.before,
        after_in_parent=no_fork.after_in_parent,
        after_in_child=no_fork.after_in_child,
    )
