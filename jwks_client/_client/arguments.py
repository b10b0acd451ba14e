"""Check the arguments of the clients' constructors and methods.

A wrong setting is a ConfigurationError; a wrong argument of a method is a ValueError. Must not
depend on what the arguments are used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._core.callables import is_coroutine_function
from .._core.json_values import is_json
from .._core.policy import CachePolicy, FetchPolicy
from .._core.provider import Provider
from .._core.tokens.claim_values import Wanted, wanted
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..protocols import Clock, Listener, Store

SHORTEST_SECRET: Final = 32
P = TypeVar("P", CachePolicy, FetchPolicy)


def claim_values(values: Mapping[str, Any] | None) -> Wanted:
    """Return the claim values of one call. Raises ValueError if they are not JSON."""
    if values is None:
        return ()
    good = isinstance(values, Mapping) and all(  # pyright: ignore[reportUnnecessaryIsInstance]
        isinstance(name, str) and is_json(value)  # pyright: ignore[reportUnnecessaryIsInstance]
        for name, value in values.items()
    )
    if not good:
        raise ValueError("claim_values must be a mapping of claim names to JSON values")
    return wanted(values)


def policy(name: str, given: object, kind: type[P]) -> P:
    """Return a policy, which must be of its kind."""
    if not isinstance(given, kind):
        raise ConfigurationError(name, f"must be a {kind.__name__}, got {type(given).__name__}")
    return given


def listeners(given: Iterable[Listener]) -> tuple[Listener, ...]:
    """Return the listeners as a tuple of callables."""
    several = tuple(given) if isinstance(given, Iterable) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if several is None or not all(map(_is_listener, several)):
        raise ConfigurationError(
            "listeners", "must be a collection of plain callables, such as LoggingListener()"
        )
    return several


def _is_listener(given: object) -> bool:
    # A class is callable too, but calling it with an event would only create an object. Nothing
    # awaits a coroutine.
    return callable(given) and not isinstance(given, type) and not is_coroutine_function(given)


def clock(given: Clock) -> Clock:
    """Return a clock; it must have both kinds of time."""
    if not callable(getattr(given, "time", None)) or not callable(
        getattr(given, "monotonic", None)
    ):
        raise ConfigurationError("clock", "must be an object with time() and monotonic()")
    return given


def store(given: Store) -> Store:
    """Return a store; its methods must not be coroutine functions."""
    calls = [getattr(given, name, None) for name in ("read", "write", "claim", "release")]
    if isinstance(given, type) or not all(callable(one) for one in calls):
        raise ConfigurationError(
            "store", f"must have read, write, claim and release, got {type(given).__name__}"
        )
    if any(map(is_coroutine_function, calls)):
        raise ConfigurationError("store", "must have plain methods, for the async client too")
    secrets = getattr(given, "secrets", None)
    if not isinstance(secrets, tuple) or not all(
        isinstance(one, bytes) and len(one) >= SHORTEST_SECRET for one in secrets
    ):
        raise ConfigurationError(
            "store", f"must have secrets, a tuple of bytes of at least {SHORTEST_SECRET} each"
        )
    return given


def check_http(given: object, fetch: FetchPolicy, *, asynchronous: bool) -> None:
    """Reject an HTTP client without httpx's methods, or of the wrong kind (sync or async)."""
    if given is None:
        return
    if fetch.ca_file is not None or fetch.proxy is not None:
        raise ConfigurationError(
            "http",
            "must not be combined with ca_file or proxy: it has its own TLS and proxy settings",
        )
    shaped = callable(getattr(given, "build_request", None)) and callable(
        getattr(given, "send", None)
    )
    awaits = hasattr(given, "aclose") or is_coroutine_function(getattr(given, "send", None))
    blocks = hasattr(given, "close") and not awaits
    if not shaped or (blocks if asynchronous else awaits):
        kind = "httpx.AsyncClient" if asynchronous else "httpx.Client"
        raise ConfigurationError("http", f"must be an {kind}, or a client with its methods")


def seconds_of(timeout: object) -> float:
    """Return a timeout in seconds, limited to an hour. Raises ValueError."""
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ValueError("timeout must be a number of seconds, at least 0")
    return min(timeout, 3600.0)


def check_checks(providers: Iterable[Provider], *, asynchronous: bool) -> None:
    """Reject coroutine functions among the checks of a client that cannot await them."""
    if asynchronous:
        return
    for provider in providers:
        for check in provider.checks:
            if is_coroutine_function(check):
                raise ConfigurationError(
                    "checks",
                    "the sync client cannot await; give AsyncJWKSClient a coroutine function",
                )
