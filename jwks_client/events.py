"""What the library tells about itself: frozen values for listeners, and a listener that logs them.

A listener is a callable given one event. It is called inline, so it should be quick; whatever it
raises is swallowed and cannot break a verification. No event holds a token or its claims. A kid
that a token brought is an attacker's text: it is cut and escaped before it gets here.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, fields
from typing import TypeAlias

__all__ = [
    "Event",
    "FetchFailed",
    "KeysFetched",
    "KeysRotated",
    "KeysUnchanged",
    "LoggingListener",
    "ServingStale",
    "TokenRefused",
    "UnknownKid",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched:
    """The first key set of a provider came."""

    provider: str
    kids: tuple[str, ...]
    unusable: int
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysUnchanged:
    """A fetch found the keys that were known: a 304, or an equal set."""

    provider: str
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRotated:
    """A fetch found other keys. Keys without a kid are named by thumbprint."""

    provider: str
    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    swapped: tuple[str, ...]
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """A fetch failed; known keys stay. ``retry_in`` seconds nobody asks again."""

    provider: str
    code: str
    message: str
    cause: str | None
    failures: int
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingStale:
    """A token was judged with keys past their life (``age`` in seconds): the provider fails."""

    provider: str
    age: float
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKid:
    """A token named a kid that is in no key, after a fetch that the token caused or joined."""

    provider: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """A token was refused, or its keys are not to be had; ``provider`` where one is known."""

    provider: str | None
    code: str
    claim: str | None


Event: TypeAlias = (
    KeysFetched
    | KeysUnchanged
    | KeysRotated
    | FetchFailed
    | ServingStale
    | UnknownKid
    | TokenRefused
)

_LEVELS: dict[type[Event], int] = {
    KeysFetched: logging.INFO,
    KeysUnchanged: logging.DEBUG,
    KeysRotated: logging.INFO,
    FetchFailed: logging.WARNING,
    ServingStale: logging.DEBUG,
    UnknownKid: logging.DEBUG,
    TokenRefused: logging.DEBUG,
}


class LoggingListener:
    """Writes each event to a stdlib logger, one line and its fields as ``extra``.

    What a flood of tokens could drive is logged at DEBUG; what the provider does at INFO or
    WARNING.

    Arguments:
        logger: where to write; by default the logger named ``jwks_client``.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logging.getLogger("jwks_client") if logger is None else logger

    def __call__(self, event: Event) -> None:
        """Log one event."""
        level = _LEVELS[type(event)]
        if not self._logger.isEnabledFor(level):
            return
        told = " ".join(f"{one.name}={getattr(event, one.name)!r}" for one in fields(event))
        name = type(event).__name__
        extra = {f"jwks_{key}": value for key, value in asdict(event).items()}
        self._logger.log(level, "%s %s", name, told, extra={"jwks_event": name, **extra})
