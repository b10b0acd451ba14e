"""The leases that this process took and may still give back."""

from __future__ import annotations

import os
import time


class Leases:
    """Which leases this process holds, and until when.

    A lease expires in the store by itself and another process may then take it. So it is given back
    only within its own time, and never by a forked child, which did not take it.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._process = os.getpid()

    def took(self, name: str, seconds: float, began: float) -> None:
        """Note a lease; ``began`` is when the store was asked, by ``time.monotonic``."""
        self._forget_parents()
        self._until[name] = began + seconds

    def give_back(self, name: str) -> bool:
        """Forget a lease and return whether it is still this process's."""
        self._forget_parents()
        return time.monotonic() < self._until.pop(name, 0.0)

    def _forget_parents(self) -> None:
        if self._process != os.getpid():
            self._until, self._process = {}, os.getpid()
