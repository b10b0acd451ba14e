"""Access for integrations to parts of a client that are not public.

A test double of a client needs none of them. Must not depend on the clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.callables import is_coroutine_function
from .._core.locations import BEARER

if TYPE_CHECKING:
    from .._core.keysets.jwk import KeySet
    from .._core.locations import Location
    from ..events import Event
    from ..protocols import Listener
    from .usage import Counter


def locations_of(client: object) -> tuple[Location, ...]:
    """Return where a request may carry the providers' tokens, in order, without duplicates."""
    found: tuple[Location, ...] = getattr(client, "_locations", (BEARER,))
    return found


def is_asynchronous(client: Any) -> bool:
    """Return whether a client's methods must be awaited."""
    return is_coroutine_function(client.verify)


def emit(client: object, event: Event) -> None:
    """Pass an event to the listeners of a client."""
    listen = getattr(client, "_emit", None)
    if listen is not None:
        listen(event)


def configured_names(client: Any) -> tuple[str, ...]:
    """Return the names of a client's configured providers, in the order given."""
    names: tuple[str, ...] = client._directory.names  # noqa: SLF001 (our own class)
    return names


def checks_every_audience(client: object) -> bool:
    """Return whether every configured provider of a client checks the audience."""
    directory: Any = getattr(client, "_directory", None)
    return directory is None or directory.checks_every_audience is True


def requires_every_key_set(client: object) -> bool:
    """Return whether startup waits for the keys of every configured provider of a client."""
    directory: Any = getattr(client, "_directory", None)
    return directory is None or directory.requires_all is True


def key_sets_of(client: Any) -> dict[str, KeySet | None]:
    """Return the cached key set of each provider and resolved tenant by name, or None."""
    key_sets: dict[str, KeySet | None] = client._key_sets()  # noqa: SLF001 (our own class)
    return key_sets


def watch(client: Any, listener: Listener, count: Counter) -> Callable[[], None]:
    """Add a listener and a counter of accepted tokens. Return a function that removes both."""
    stop: Callable[[], None] = client._watch(listener, count)  # noqa: SLF001 (our own class)
    return stop
