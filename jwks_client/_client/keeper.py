"""The keeper of a client: loads the key sets of configured providers, and keeps them fresh.

A process has at most one keeper per client. It is a daemon thread; with a caller-supplied async
client, it is a task of the event loop on which it was started. It starts flights like any caller,
so it obeys backoff and Retry-After, and joins flights in progress. It ends with its client, even if
the client is never closed. It must not depend on tenants, whose keys are only fetched for tokens.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .keysets.flight import Flight
from .keysets.flights import Flights, Wait
from .keysets.source import KeySource
from .latch import Latch

if TYPE_CHECKING:
    import asyncio
    import logging

# The longest sleep in seconds, so that a suspended machine or a changed clock is noticed.
LONGEST_SLEEP: Final = 1.0
_VANISHED: Final = 1.0  # seconds to wait after a flight that vanished


class Keeper:
    """The keeper of one client.

    Arguments:
        flights: the client's flights.
        sources: the key sets of the configured providers.
        as_task: whether it is a task, as the client's flights are.
        check_fork: resets the client in a forked child, this object included.
    """

    def __init__(
        self,
        flights: Flights,
        sources: Iterable[KeySource],
        *,
        as_task: bool,
        check_fork: Callable[[], object],
    ) -> None:
        self._flights = flights
        self._sources = [one for one in dict.fromkeys(sources) if not one.fixed]
        self._as_task = as_task
        self._check_fork = check_fork
        self._task: asyncio.Task[None] | None = None
        self._keep_fresh = False
        self._flight: Flight | None = None  # the flight of the previous step
        self._warned = False
        self._claim = threading.Lock()  # only the caller that acquires it starts the keeper
        self._ending = Latch()

    def begin(self, *, keep_fresh: bool) -> None:
        """Start, unless the keeper of this process has started and its event loop, if any, exists.

        Arguments:
            keep_fresh: continue after all key sets are loaded.
        """
        self._check_fork()
        if self._task is not None and self._task.get_loop().is_closed():
            self.after_fork()
        # A request may call this each time: `locked` is the fast answer, `acquire` decides races.
        if self._claim.locked() or not self._claim.acquire(blocking=False):
            return
        try:
            self._keep_fresh = keep_fresh
            self._ending = Latch()
            self._start()
        except RuntimeError:  # no more threads, or the interpreter is ending: others may try
            self.end()
        except BaseException:  # a signal handler raised, so perhaps it has not started
            self.end()
            raise

    def end(self) -> None:
        """Stop; another start of the server may start it again."""
        task, self._task = self._task, None
        self._ending.open()
        self._claim = threading.Lock()
        if task is not None:
            with suppress(RuntimeError):  # the loop is closed, which ended the task
                task.get_loop().call_soon_threadsafe(task.cancel)

    def after_fork(self) -> None:
        """Reset the keeper in a forked child, where the parent's threads do not exist."""
        self._flight = self._task = None
        self._ending = Latch()
        self._claim = threading.Lock()

    def step(self) -> Flight | float | None:
        """Start the flights that are due now. Return what to wait for, or None at the end.

        Key sets are loaded concurrently, and renewed one at a time.
        """
        flights, before = self._flights, self._flight
        if flights.closed:
            return None
        self._flight = None
        if before is not None and before.landed.is_open and not before.recorded:
            return _VANISHED
        cold = [source for source in self._sources if source.cache.key_set is None]
        self._warn(cold)
        wanted = {
            source: source.cache.wanted_at(place / len(self._sources))
            for place, source in enumerate(self._sources)
            if self._keep_fresh or source in cold
        }
        soonest = min(wanted.values(), default=math.inf)
        if soonest == math.inf:
            return None
        now = flights.clock.monotonic()
        if soonest > now:
            return min(soonest - now, LONGEST_SLEEP)
        due = [one for one in cold if wanted[one] <= now] or [min(wanted, key=wanted.__getitem__)]
        for source in due:
            flights.refresh_behind(source)
        self._flight = due[0].last_flight
        return self._flight

    def _start(self) -> None:
        keeper: weakref.ref[Keeper] = weakref.ref(self)
        arguments, name = (keeper, self._ending), "jwks-client keeper"
        if not self._as_task:
            threading.Thread(target=_run, args=arguments, name=name, daemon=True).start()
            return
        import asyncio
        import contextvars

        # An empty context, because no request owns the task.
        self._task = asyncio.get_running_loop().create_task(
            _live(*arguments), name=name, context=contextvars.Context()
        )

    def _warn(self, cold: Iterable[KeySource]) -> None:
        failed = [source for source in cold if source.cache.failure is not None]
        if failed and not self._warned:
            self._warned = True
            _log().warning(
                "keys could not be loaded: %s; trying again in the background",
                failed[0].unavailable(),
            )


def _run(keeper: weakref.ref[Keeper], ending: Latch) -> None:
    while (want := _step(keeper)) is not None and not ending.is_open:
        if isinstance(want, Flight):
            want.landed.wait(want.left)
        else:
            ending.wait(want)


async def _live(keeper: weakref.ref[Keeper], ending: Latch) -> None:
    from .keysets.task_flights import wait

    while (want := _step(keeper)) is not None and not ending.is_open:
        if isinstance(want, Flight):
            await wait(Wait(want, math.inf))
        else:
            await ending.waited(want)


def _step(keeper: weakref.ref[Keeper]) -> Flight | float | None:
    living = keeper()
    try:
        return None if living is None else living.step()
    except Exception:  # noqa: BLE001 (a caller-supplied clock may raise; requests still fetch keys)
        _log().exception("the background refresh of keys has ended")
        return None


def _log() -> logging.Logger:
    import logging  # late, so that `import jwks_client` stays fast

    return logging.getLogger("jwks_client")


def keeper_of(client: object) -> Keeper | None:
    """Return the keeper of a client, or None for a test double."""
    keeper = getattr(client, "_keeper", None)
    return keeper if isinstance(keeper, Keeper) else None
