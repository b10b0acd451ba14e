"""The things that a verification waits for.

A generator of this package yields each of them. Its client waits, in a thread or in a task, and
then resumes it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeAlias

from ..._core.keysets.cache import Use
from ...events import ServingStale
from ..issuers.resolver_call import Resolution
from ..keysets.flights import Flights, Wait

if TYPE_CHECKING:
    from ..keysets.source import KeySource

Want: TypeAlias = Wait | Resolution | Awaitable[object]


def attend(flights: Flights, provider: str, source: KeySource, decision: Use) -> None:
    """Carry out what a decision to use a key requires: refresh the set, report that it is stale."""
    if decision.refresh:
        flights.refresh_behind(source)
    if decision.stale:
        cache = source.cache
        age = flights.clock.monotonic() - cache.asked_at
        code = "" if cache.failure is None else cache.failure.code
        flights.emit(ServingStale(provider=provider, age=age, code=code))
