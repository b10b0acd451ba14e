"""Verify JWTs with a provider's published keys: fetched, cached by ``kid``, and kept up to date."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._version import __version__

if TYPE_CHECKING:
    from . import errors, events, providers
    from ._client.aio import AsyncJWKSClient
    from ._client.sync import JWKSClient
    from ._core.keysets.jwk import Key, KeySet
    from ._core.policy import CachePolicy, FetchPolicy
    from ._core.provider import IssuerTemplate, Provider
    from ._core.tokens.verified import VerifiedToken
    from .errors import (
        ConfigurationError,
        InsufficientScopeError,
        JWKSError,
        KeysUnavailableError,
        TokenError,
    )

__all__ = [
    "AsyncJWKSClient",
    "CachePolicy",
    "ConfigurationError",
    "FetchPolicy",
    "InsufficientScopeError",
    "IssuerTemplate",
    "JWKSClient",
    "JWKSError",
    "Key",
    "KeySet",
    "KeysUnavailableError",
    "Provider",
    "TokenError",
    "VerifiedToken",
    "__version__",
    "errors",
    "events",
    "providers",
]


# Names are imported on first use: pytest imports this library's plugin in every test run, and an
# application without asyncio should not have to import it.
_HOMES: Final = {
    "_client.aio": ("AsyncJWKSClient",),
    "_client.sync": ("JWKSClient",),
    "_core.keysets.jwk": ("Key", "KeySet"),
    "_core.policy": ("CachePolicy", "FetchPolicy"),
    "_core.provider": ("IssuerTemplate", "Provider"),
    "_core.tokens.verified": ("VerifiedToken",),
    "errors": (
        "ConfigurationError",
        "InsufficientScopeError",
        "JWKSError",
        "KeysUnavailableError",
        "TokenError",
    ),
}


def __getattr__(name: str) -> Any:
    if name in {"errors", "events", "providers"}:
        return import_module(f".{name}", __name__)
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("_"))})
