"""What integrations need of a client beyond its public names.

A stand-in for a client needs none of it. Must not depend on the clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.locations import BEARER

if TYPE_CHECKING:
    from .._core.locations import Location
    from ..events import Event


def locations_of(client: object) -> tuple[Location, ...]:
    """Return where the providers' tokens may stand in a request, each once, in the order given."""
    found: tuple[Location, ...] = getattr(client, "_locations", (BEARER,))
    return found


def emit(client: object, event: Event) -> None:
    """Give an event to the listeners of a client."""
    listen = getattr(client, "_emit", None)
    if listen is not None:
        listen(event)
