"""The places of a token in a request: `Header`, `Cookie`, `Subprotocol` and `Query`.

Must not depend on: how a request is read (`credentials`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..errors import ConfigurationError
from . import settings


@dataclass(frozen=True, slots=True)
class Header:
    """A request header; with ``scheme``, the token follows that word (``Bearer …``)."""

    name: str
    scheme: str | None = None

    def __post_init__(self) -> None:
        settings.header_name("locations", self.name)
        if self.scheme is not None:
            settings.header_name("locations", self.scheme)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie with exactly this name."""

    name: str

    def __post_init__(self) -> None:
        settings.header_name("locations", self.name)


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """WebSocket only: the entry after ``name`` in ``Sec-WebSocket-Protocol``."""

    name: str

    def __post_init__(self) -> None:
        settings.header_name("locations", self.name)


@dataclass(frozen=True, slots=True)
class Query:
    """WebSocket only: a parameter of the query string."""

    name: str

    def __post_init__(self) -> None:
        settings.text("locations", self.name, longest=64)


Location: TypeAlias = Header | Cookie | Subprotocol | Query
KINDS: Final = "Header, Cookie, Subprotocol or Query"  # for messages

BEARER: Final = Header("Authorization", scheme="Bearer")


def checked_locations(locations: object) -> tuple[Location, ...]:
    """Return locations as a tuple. Raises ConfigurationError ``locations``."""
    given: tuple[object, ...] = tuple(locations) if isinstance(locations, Collection) else ()
    checked = tuple(one for one in given if isinstance(one, Location))
    if not checked or len(checked) != len(given):
        raise ConfigurationError(
            "locations",
            f"must be a collection of {KINDS} that is not empty, got {locations!r}",
        )
    return checked
