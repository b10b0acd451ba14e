"""The state of one flight's use of a store: its seed, its lease, its remaining time.

It must not depend on what a record means.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from .store_calls import LONGEST_CALL, StoreCalls

if TYPE_CHECKING:
    from ..._core.keysets.adoption import Offer
    from ..._core.keysets.cache import Budget
    from ..._core.keysets.fetch import Validators

# Seconds for all calls of one flight together, without polling for another process's record.
LONGEST_DELAY: Final = 0.2
# Seconds for each of the last two calls, even after that time: a write still completes in the
# background, and saves others a fetch.
SHORTEST_CALL: Final = 0.05
_TAKEN: Final = b"1"


class Purpose(Protocol):
    """Why a flight was started."""

    @property
    def budget(self) -> Budget:
        """Return what pays for it."""
        ...

    @property
    def kid(self) -> str | None:
        """Return the unknown kid, or the one whose signature failed."""
        ...

    @property
    def began_at(self) -> float:
        """Return when it began, by the client's monotonic clock."""
        ...

    @property
    def ignores_store(self) -> bool:
        """Return whether to skip the store's record and ask the provider."""
        ...


@dataclass(slots=True)
class Visit:
    """One flight's use of the store.

    Arguments:
        purpose: why the flight was started.

    Attributes:
        seed: a record that is newer than the cache, but does not make the fetch unnecessary.
        lease: the lease that this process must give back.
        permit: the permit that this process took from the shared budget for unknown kids.
    """

    purpose: Purpose
    seed: Offer | None = None
    lease: str | None = None
    permit: str | None = None
    left: float = LONGEST_DELAY
    seen: Look | None = field(default=None, repr=False)

    @property
    def validators(self) -> Validators | None:
        """Return the validators that make a request conditional on the seed."""
        return None if self.seed is None else self.seed.validators

    @contextmanager
    def timed(
        self, calls: StoreCalls, *, polling: bool = False, shortest: float = 0.0
    ) -> Generator[float]:
        """Yield the seconds that a call may take, and charge the visit for the time it took.

        Arguments:
            calls: the calls of the store.
            polling: whether the call polls for another process's record, and so is not charged.
            shortest: the seconds that the call may take in any case.
        """
        if polling:
            yield LONGEST_CALL
            return
        began = calls.pace.monotonic()
        try:
            yield min(LONGEST_CALL, max(self.left, shortest))
        finally:
            self.left -= calls.pace.monotonic() - began


class Look(NamedTuple):
    """The result of reading the store, and when the call began."""

    value: bytes | None
    offer: Offer | None
    began: float


class Postponed(Exception):
    """An unknown kid causes no fetch for ``seconds``, because other processes have fetched."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def take_permit(
    calls: StoreCalls, visit: Visit, name: str, interval: float, now: float, *, polling: bool
) -> bool:
    """Take a permit from the budget for unknown kids that all processes share.

    One permit is restored after each interval. A second one, for bursts, is restored after two
    intervals without use. A refusal counts only if a record proves that a process fetched within
    the interval; then this raises `Postponed`.

    Arguments:
        calls: the calls of the store.
        visit: this flight's use of the store.
        name: the name of the record.
        interval: seconds.
        now: the client's monotonic time.
        polling: whether the flight has read the store before.
    """
    if visit.permit is not None:
        return True
    often, burst = name + ":permit", name + ":burst"
    for permit, seconds in ((often, interval), (burst, 2 * interval)):
        with visit.timed(calls, polling=polling) as within:
            if calls.claim(permit, seconds, within):
                visit.permit = permit
                break
    if visit.permit == often:  # while permits are in use, none is saved for a burst
        with visit.timed(calls, polling=polling) as within:
            in_a_row = calls.read(burst, len(_TAKEN), within) is not None
        if in_a_row:
            with visit.timed(calls, polling=polling) as within:
                calls.write(burst, _TAKEN, 2 * interval, within)
    if visit.permit is not None:
        return True
    offer = None if visit.seen is None else visit.seen.offer
    age = interval if offer is None else offer.age(now)
    if age < interval:
        raise Postponed(interval - age)
    return False
