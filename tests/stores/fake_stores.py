"""Stores that fail on command, on a clock that moves only when something waits."""

from __future__ import annotations

import threading
from collections import Counter

from jwks_client.protocols import Stored


class FakePace:
    """A clock that a wait advances, and that does not wait for a hanging store."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.hanging = threading.Event()  # set by a store that never answers
        self.on_wait = lambda: None

    def monotonic(self) -> float:
        return self.now

    def wait(self, event, seconds: float) -> bool:
        if isinstance(event, Stopped):
            self.waits.append(seconds)
            self.now += seconds
            self.on_wait()
            return event.is_set
        while not event.wait(0.002):
            if self.hanging.is_set():
                self.now += max(seconds, 0)
                return False
        return True


class Stopped:
    """A flight that is stopped only on command."""

    is_set = False


class FakeStore:
    """A store in memory that counts its calls.

    ``fail`` names calls that raise, ``hang`` calls that never answer, ``answers`` gives answers instead.
    """

    def __init__(self, pace: FakePace, *, clocked: bool = True, secrets=(b"s" * 32,)) -> None:
        self.pace = pace
        self.clocked = clocked
        self.secrets = secrets
        self.values: dict[str, tuple[bytes, float]] = {}
        self.leases: dict[str, float] = {}
        self.calls: Counter[str] = Counter()
        self.fail: set[str] = set()
        self.hang: set[str] = set()
        self.slow: dict[str, float] = {}
        self.answers: dict[str, object] = {}
        self.let_go = threading.Event()

    def _enter(self, action: str):
        self.calls[action] += 1
        self.pace.now += self.slow.get(action, 0.0)
        if action in self.hang:
            self.pace.hanging.set()
            self.let_go.wait()
        if action in self.fail:
            raise OSError("no store")
        return self.answers.get(action, self)

    def read(self, name, limit):
        answer = self._enter("read")
        if answer is not self:
            return answer
        if self.leases.get(name, 0.0) > self.pace.now:
            return Stored(b"1", None)
        if name not in self.values:
            return None
        value, at = self.values[name]
        return Stored(value, self.pace.now - at if self.clocked else None)

    def write(self, name, value, seconds):
        self._enter("write")
        if name in self.leases:
            self.leases[name] = self.pace.now + seconds
            return
        self.values[name] = (value, self.pace.now)

    def claim(self, name, seconds):
        answer = self._enter("claim")
        if answer is not self:
            return answer
        if self.leases.get(name, 0.0) > self.pace.now:
            return False
        self.leases[name] = self.pace.now + seconds
        return True

    def release(self, name):
        self._enter("release")
        self.leases.pop(name, None)
