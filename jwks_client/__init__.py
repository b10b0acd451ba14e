"""Verify JWTs with a provider's published keys: fetched, cached by ``kid``, rotated with it."""

from typing import TYPE_CHECKING, Any

from . import errors, events, providers
from ._client.sync import JWKSClient
from ._core.keysets.jwk import Key, KeySet
from ._core.policy import CachePolicy, FetchPolicy
from ._core.provider import IssuerTemplate, Provider
from ._core.tokens.verified import VerifiedToken
from ._version import __version__
from .errors import (
    ConfigurationError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)

if TYPE_CHECKING:
    from ._client.aio import AsyncJWKSClient

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


def __getattr__(name: str) -> Any:
    # Asyncio is a fifth of all that is imported: an application that has no use for it need not
    # wait for it.
    if name == "AsyncJWKSClient":
        from ._client.aio import AsyncJWKSClient

        globals()[name] = AsyncJWKSClient
        return AsyncJWKSClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
