"""What a verification may wait for, and what using a key asks for besides.

A generator of this package yields each thing to wait for, and is resumed by its client, in a thread
or in a task, when the wait is over.
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
    """Do what the use of a key asks for besides: refresh the set, report that it is stale."""
    if decision.refresh:
        flights.refresh_behind(source)
    if decision.stale:
        cache = source.cache
        age = flights.clock.monotonic() - cache.asked_at
        code = "" if cache.failure is None else cache.failure.code
        flights.emit(ServingStale(provider=provider, age=age, code=code))
