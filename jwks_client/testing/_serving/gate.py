"""Gates: hold back a response and wait for a request, without sleeping.

They work for threads and event loops. Must not depend on requests, responses or providers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .._locks import new_lock

__all__ = ["Gate", "Hold", "wait", "wait_async"]

PATIENCE: Final = 10.0  # seconds after which a waiting test fails, far more than it needs


class Gate:
    """Opens once and stays open; usable from any thread and any event loop."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._waiting: list[Callable[[], None]] = []
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Return whether it is open."""
        return self._is_open

    def open(self) -> None:
        """Open the gate for all waiters, now and later."""
        with self._lock:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def add(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when the gate opens, or at once if it is open."""
        with self._lock:
            if not self._is_open:
                self._waiting.append(wake)
                return
        wake()

    def discard(self, wake: Callable[[], None]) -> None:
        """Remove a function given to `add`."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(wake)


def wait(*gates: Gate, within: float | None) -> bool:
    """Block until one of the gates opens; return False after ``within`` seconds."""
    woken = threading.Event()
    wake = woken.set
    for gate in gates:
        gate.add(wake)
    try:
        return woken.wait(within)
    finally:
        for gate in gates:
            gate.discard(wake)


async def wait_async(gate: Gate, *, within: float | None) -> bool:
    """Wait until the gate opens; return False after ``within`` seconds."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(woken.set)

    gate.add(wake)
    try:
        async with asyncio.timeout(within):
            await woken.wait()
    except TimeoutError:
        return False
    finally:
        gate.discard(wake)
    return True


class Hold:
    """Requests that have arrived at a `FakeProvider` and are still held.

    Returned by ``with idp.hold() as held:``. Threads call `wait`, coroutines await `wait_async`.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._arrived = 0
        self._marks: dict[int, Gate] = {}
        self.gate: Final = Gate()

    @property
    def arrived(self) -> int:
        """Return how many requests have arrived during this hold."""
        with self._lock:
            return self._arrived

    def wait(self, requests: int = 1, *, within: float = PATIENCE) -> None:
        """Block until this number of requests has arrived during this hold.

        Raises AssertionError, which fails the test, after ``within`` real seconds.
        """
        if not wait(self._mark(requests), within=within):
            self._give_up(requests, within)

    async def wait_async(self, requests: int = 1, *, within: float = PATIENCE) -> None:
        """Wait as `wait` does, without blocking the event loop."""
        if not await wait_async(self._mark(requests), within=within):
            self._give_up(requests, within)

    def release(self) -> None:
        """Answer the held requests and end this hold. A second call does nothing."""
        self.gate.open()

    def arrive(self) -> None:
        """Count a request; called by the provider."""
        with self._lock:
            self._arrived += 1
            reached = self._marks.pop(self._arrived, None)
        if reached is not None:
            reached.open()

    def _mark(self, requests: int) -> Gate:
        with self._lock:
            if self._arrived < requests:
                return self._marks.setdefault(requests, Gate())
        reached = Gate()
        reached.open()
        return reached

    def _give_up(self, requests: int, within: float) -> None:
        raise AssertionError(
            f"{self.arrived} of {requests} requests arrived within {within:g} seconds"
        )

    def __repr__(self) -> str:
        state = "released" if self.gate.is_open else "holding"
        return f"<Hold {state}, {self.arrived} arrived>"
