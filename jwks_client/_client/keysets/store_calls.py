"""Call one store from this process: within a time limit, one call at a time, none while it is down.

It must not depend on what is stored. Each call runs in a daemon thread of this library, so a store
that hangs delays its caller by a quarter of a second and nothing else. Results are checked for type
and range, because a store may be custom code.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from ..._core.keysets import reasons
from ...protocols import Stored
from ..latch import Latch

if TYPE_CHECKING:
    from ...protocols import Store

Action: TypeAlias = Literal["read", "write", "claim", "release"]

LONGEST_CALL: Final = 0.25
# If a call had less time than this, a timeout says nothing about the store.
_COUNTS_FROM: Final = 0.15
_BACKOFF: Final = (1.0, 30.0)
_OLDEST: Final = 1e10


class Trouble(NamedTuple):
    """A failure of a store, which is reported once per backoff."""

    action: Action
    code: str
    cause: str | None
    retry_in: float


class StoreUnusable(Exception):
    """The store cannot be used now. ``trouble`` must be reported; None if it already was."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class Pace(Protocol):
    """The time for the calls of a store, which tests replace."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        ...

    def wait(self, latch: Latch, seconds: float) -> bool:
        """Wait for a latch for at most ``seconds``; return whether it is open."""
        ...


class SystemPace:
    """The system's own clock."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    def wait(self, latch: Latch, seconds: float) -> bool:
        """Wait for a latch for at most ``seconds``; return whether it is open."""
        return latch.wait(seconds)


class StoreCalls:
    """The calls of one store.

    Arguments:
        store: the application's store.
        pace: the time; by default the system's.
        draw: returns a random number from 0 to 1.
    """

    def __init__(self, store: Store, draw: Callable[[], float], pace: Pace | None = None) -> None:
        self.store = store
        self.pace: Pace = SystemPace() if pace is None else pace
        self._draw = draw
        self._failures = 0
        self._timeouts = 0
        self._retry_at = -math.inf
        self._quiet_until = -math.inf
        self._leases_at = -math.inf
        self._budget_at = -math.inf
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the calls of the parent's threads in a forked child."""
        self._turn = threading.Lock()
        self._hanging: _Call | None = None

    @property
    def is_down(self) -> bool:
        """Return whether the store is not used, because it failed recently or a call hangs."""
        hanging = self._hanging
        if hanging is not None and not hanging.done.is_open:
            return True
        return self.pace.monotonic() < self._retry_at

    @property
    def trusts_leases(self) -> bool:
        """Return whether to wait for leases; False for a while after a lease did not end."""
        return self.pace.monotonic() >= self._leases_at

    @property
    def trusts_budget(self) -> bool:
        """Return whether to obey the shared budget; False for a while after an unproven refusal."""
        return self.pace.monotonic() >= self._budget_at

    def distrust_budget(self) -> None:
        """Record that the shared budget refused a fetch without proof that a process fetched."""
        self._budget_at = self.pace.monotonic() + _BACKOFF[1]

    def distrust_leases(self) -> None:
        """Record that a lease did not end, and its holder's record did not appear."""
        self._leases_at = self.pace.monotonic() + _BACKOFF[1]

    def read(self, name: str, limit: int, within: float) -> Stored | None:
        """Read a value; raise `StoreUnusable`."""
        found: Any = self._call("read", within, name, limit)
        if found is None:
            return None
        if not isinstance(found, tuple) or len(found) != 2 or type(found[0]) is not bytes:
            raise self._failed("read", "bad_answer", None)
        value, age = found
        if age is None:
            return Stored(value, None)
        if isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age <= _OLDEST:
            raise self._failed("read", "bad_answer", None)
        return Stored(value, float(age))

    def write(self, name: str, value: bytes, seconds: float, within: float) -> None:
        """Write a value; raise `StoreUnusable`."""
        self._call("write", within, name, value, seconds)

    def claim(self, name: str, seconds: float, within: float) -> bool:
        """Take a lease; raise `StoreUnusable`."""
        won = self._call("claim", within, name, seconds)
        if not isinstance(won, bool):
            raise self._failed("claim", "bad_answer", None)
        return won

    def release(self, name: str, within: float) -> None:
        """Give a lease back; raise `StoreUnusable`."""
        self._call("release", within, name)

    def refuse(self, code: str) -> Trouble | None:
        """Record that a stored record is unusable. Return what to report, once per backoff."""
        now = self.pace.monotonic()
        if now < self._quiet_until:
            return None
        self._quiet_until = now + _BACKOFF[1]
        return Trouble("read", code, None, 0.0)

    def _call(self, action: Action, within: float, *arguments: object) -> object:
        began = self.pace.monotonic()
        if within <= 0 or not self._turn.acquire(timeout=within):
            raise StoreUnusable
        try:
            if self.is_down:
                raise self._still_hangs() or StoreUnusable()
            call = _Call(action, getattr(self.store, action), arguments, began)
            thread = threading.Thread(target=call.run, name="jwks-client store", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no more threads, or the interpreter is ending
                raise self._failed(action, "store_error", error) from None
            if not self.pace.wait(call.done, within - (self.pace.monotonic() - began)):
                self._hanging = call
                if within < _COUNTS_FROM:  # it was not waited for
                    raise StoreUnusable
                raise self._failed(action, "store_timeout", None)
        finally:
            self._turn.release()
        if call.error is not None:
            timed_out = any(one.__name__ == "TimeoutError" for one in type(call.error).__mro__)
            code = "store_timeout" if timed_out else "store_error"
            raise self._failed(action, code, call.error)
        self._failures = self._timeouts = 0
        return call.answer

    def _still_hangs(self) -> StoreUnusable | None:
        """Report a call that has hung for a second or more, once per backoff."""
        call, now = self._hanging, self.pace.monotonic()
        if call is None or call.done.is_open:
            return None
        if now < max(call.began + _BACKOFF[0], self._retry_at):
            return None
        return self._failed(call.action, "store_timeout", None)

    def _failed(self, action: Action, code: str, error: BaseException | None) -> StoreUnusable:
        """Start a backoff, except after a first timeout: one slow call is not an outage."""
        self._timeouts = self._timeouts + 1 if code == "store_timeout" else 0
        if self._timeouts == 1:
            return StoreUnusable()
        first, longest = _BACKOFF
        wait = min(first * 2.0 ** min(self._failures, 64), longest) * (0.5 + self._draw() / 2)
        self._failures += 1
        self._retry_at = self.pace.monotonic() + wait
        is_custom = not type(self.store).__module__.startswith("jwks_client.")
        cause = reasons.cause(error, private=is_custom)
        return StoreUnusable(Trouble(action, code, cause, wait))


class _Call:
    """One call, in a separate thread."""

    __slots__ = ("_arguments", "_function", "action", "answer", "began", "done", "error")

    def __init__(
        self,
        action: Action,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        began: float,
    ) -> None:
        self.action: Action = action
        self.began = began
        self._function = function
        self._arguments = arguments
        self.answer: object = None
        self.error: BaseException | None = None
        self.done = Latch()

    def run(self) -> None:
        """Call the function and keep its result or exception."""
        try:
            self.answer = self._function(*self._arguments)
        except BaseException as error:  # noqa: BLE001 (a store may raise anything)
            self.error = error.with_traceback(None)
        finally:
            self.done.open()


_calls: weakref.WeakValueDictionary[int, StoreCalls] = weakref.WeakValueDictionary()


def _after_fork_in_child() -> None:
    for calls in list(_calls.values()):
        calls.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(after_in_child=_after_fork_in_child)


def calls_of(store: Store, draw: Callable[[], float]) -> StoreCalls:
    """Return the calls of a store, which all clients of a process share."""
    found = _calls.get(id(store))  # the id is not reused as long as its calls refer to the store
    if found is None:
        found = _calls[id(store)] = StoreCalls(store, draw)
    return found
