"""A gate at which a fork waits while another thread makes a client.

Making a client imports all that a fetch needs. The child of a fork would wait for ever for an
import lock that a thread of its parent held.
"""

from __future__ import annotations

import os
import threading
from typing import Final

# Seconds that a fork waits at most: the two threads may wait for each other's imports.
_LONGEST: Final = 5.0


class ForkGate:
    """A context manager; no fork happens while another thread is inside."""

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
        """Let others in again."""
        if threading.get_ident() in self._passed:
            self._passed.discard(threading.get_ident())
            self._inside.release()

    def after_in_child(self) -> None:
        """Let others in again; a thread of the parent that is inside does not exist here."""
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
