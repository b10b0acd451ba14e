"""One flight's dealings with a store: what it found, what it took, how much time is left to it.

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

# Seconds that all calls of one flight take together, beside looking for another process's record.
LONGEST_DELAY: Final = 0.2
# Seconds for each of the last two calls, when that time is over: a write that is not waited for is
# still made, and spares others a fetch.
SHORTEST_CALL: Final = 0.05
_TAKEN: Final = b"1"


class Purpose(Protocol):
    """What is asked of a flight."""

    @property
    def budget(self) -> Budget:
        """What pays for it."""
        ...

    @property
    def kid(self) -> str | None:
        """The unknown kid, or the one whose signature failed."""
        ...

    @property
    def began_at(self) -> float:
        """When it began, by the client's monotonic clock."""
        ...

    @property
    def ignores_store(self) -> bool:
        """Whether the provider is asked whatever the store holds."""
        ...


@dataclass(slots=True)
class Visit:
    """One flight's dealings with the store.

    Attributes:
        seed: a record that is better than the cache, but does not answer the flight.
        lease: what this process must give back.
        permit: what this process took of the shared budget for unknown kids.
    """

    seed: Offer | None = None
    lease: str | None = None
    permit: str | None = None
    left: float = LONGEST_DELAY
    seen: Look | None = field(default=None, repr=False)

    @property
    def validators(self) -> Validators | None:
        """What makes a request conditional on the seed."""
        return None if self.seed is None else self.seed.validators

    @contextmanager
    def timed(
        self, calls: StoreCalls, *, polling: bool = False, shortest: float = 0.0
    ) -> Generator[float]:
        """Give the seconds that a call may take, and charge the visit for what it took.

        Arguments:
            calls: of the store.
            polling: the call looks for another process's record, and is not charged.
            shortest: what the call may take in any case.
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
    """What was found in the store, and when the look began."""

    value: bytes | None
    offer: Offer | None
    began: float


class Postponed(Exception):
    """An unknown kid causes no fetch for so many seconds: other processes have fetched."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def take_permit(
    calls: StoreCalls, visit: Visit, name: str, interval: float, now: float, *, polling: bool
) -> bool:
    """Take a permit of the budget for unknown kids that all processes share.

    One permit comes back after each interval. A second one, for bursts, comes back after two
    intervals in which none was taken. A refusal counts only if a record proves that a process
    fetched within the interval; raise `Postponed` then.

    Arguments:
        calls: of the store.
        visit: of this flight.
        name: of the record.
        interval: seconds.
        now: by the client's monotonic clock.
        polling: this is not the flight's first look.
    """
    if visit.permit is not None:
        return True
    often, burst = name + ":permit", name + ":burst"
    for permit, seconds in ((often, interval), (burst, 2 * interval)):
        with visit.timed(calls, polling=polling) as within:
            if calls.claim(permit, seconds, within):
                visit.permit = permit
                break
    if visit.permit == often:  # while permits are taken, none is saved for a burst
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
