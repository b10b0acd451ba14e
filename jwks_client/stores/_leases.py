"""The leases that this process took and may still give back."""

from __future__ import annotations

import os
import time


class Leases:
    """The leases that this process holds, and when each expires.

    An expired lease may already belong to another process, so it must not be released. Neither may
    a forked child release a lease, because the parent took it.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._process = os.getpid()

    def took(self, name: str, seconds: float, began: float) -> None:
        """Record a lease; ``began`` is when the call began, by ``time.monotonic``."""
        self._forget_parents()
        self._until[name] = began + seconds

    def give_back(self, name: str) -> bool:
        """Forget a lease, and return whether this process still holds it."""
        self._forget_parents()
        return time.monotonic() < self._until.pop(name, 0.0)

    def _forget_parents(self) -> None:
        if self._process != os.getpid():
            self._until, self._process = {}, os.getpid()
