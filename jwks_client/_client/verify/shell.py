"""What a verification needs of the client that drives it.

Owns: the `Shell` protocol, and what the use of a key asks for beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..._core.keysets.cache import Budget, Need, Use
from ...events import Event, ServingStale
from ..issuers.resolver_call import Resolution
from ..keysets.flight import Flight
from ..keysets.source import KeySource

if TYPE_CHECKING:
    from ...protocols import Clock


Want: TypeAlias = Flight | Resolution | Awaitable[object]


class Shell(Protocol):
    """What a verification asks of the client that drives it."""

    @property
    def clock(self) -> Clock: ...

    def tell(self, event: Event) -> None: ...

    def flight_of(self, source: KeySource) -> Flight | None:
        """The flight in the air, where this caller could wait for it."""
        ...

    def begin_flight(
        self, source: KeySource, budget: Budget, need: Need | None, seen: int
    ) -> Flight | None:
        """Join the flight in the air or begin one; None if the facts no longer ask for it.

        Raises KeysUnavailableError ``fetch_failed`` on a closed client.
        """
        ...

    def refresh_behind(self, source: KeySource) -> None:
        """Begin a flight that nobody waits for, if none is in the air."""
        ...


def attend(shell: Shell, provider: str, source: KeySource, decision: Use) -> None:
    """Do what the use of a key asks for beside it: fetch behind it, tell that it is stale."""
    if decision.refresh:
        shell.refresh_behind(source)
    if decision.stale:
        cache = source.cache
        age = shell.clock.monotonic() - cache.asked_at
        code = "" if cache.failure is None else cache.failure.code
        shell.tell(ServingStale(provider=provider, age=age, code=code))
