"""Verify JWTs with a provider's published keys: fetched, cached by ``kid``, rotated with it."""

from . import errors, events, providers
from ._async import AsyncJWKSClient
from ._core.jwk import Key, KeySet
from ._core.policy import CachePolicy, FetchPolicy
from ._core.provider import IssuerTemplate, Provider
from ._core.token import VerifiedToken
from ._sync import JWKSClient
from ._version import __version__
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
