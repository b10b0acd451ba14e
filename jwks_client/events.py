"""Events: frozen values for listeners, and a listener that logs them.

A listener is a callable that receives one event. It is called inline, so it should return quickly.
Its exceptions are suppressed and cannot break a verification. Events contain no token and no
claims. The kid of a token is untrusted, so events contain it truncated and escaped. An event names
an issuer only if the application configured or accepted it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from ._core.encoding import printable

if TYPE_CHECKING:
    import logging

__all__ = [
    "Event",
    "FetchFailed",
    "KeysAwaited",
    "KeysFetched",
    "KeysRotated",
    "KeysUnchanged",
    "LoggingListener",
    "RequestRefused",
    "ResolverFailed",
    "ServingStale",
    "StoreFailed",
    "TenantDropped",
    "TenantResolved",
    "TokenRefused",
    "TokenUndecided",
    "UnknownKid",
]


Reason: TypeAlias = Literal["cold", "due", "expired", "unknown_kid", "bad_signature", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfAFetch:
    # The fields of all four events of a fetch.
    provider: str
    fetch: int = 0
    url: str | None = None
    duration: float = 0.0
    requests: int = 0
    reason: Reason = "cold"
    source: Literal["provider", "store"] = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched(_OfAFetch):
    """The first key set of a provider was fetched.

    ``content_type`` is the response's content type, for information only. All events of a fetch
    have: ``fetch``, a number that is unique in the client; ``url``, the last URL requested, without
    its query, which may contain a secret; ``duration`` in seconds; ``requests``, the number of
    requests for the key set; ``reason``, why the fetch began; ``source``, where the keys came from.
    """

    kids: tuple[str, ...]
    unusable: int
    life: float
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysUnchanged(_OfAFetch):
    """A fetch found the same keys: a 304, or an equal set."""

    life: float
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRotated(_OfAFetch):
    """A fetch found different keys. Keys without a kid are named by thumbprint."""

    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    swapped: tuple[str, ...]
    life: float
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed(_OfAFetch):
    """A fetch failed; cached keys stay. The next attempt is at least ``retry_in`` seconds away.

    ``cause`` is the HTTP client's message, at most 200 characters; None without an exception.
    """

    code: str
    message: str
    cause: str | None
    failures: int
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysAwaited:
    """A caller has finished waiting for a fetch. Emitted in that caller's own context.

    ``fetch`` is the number of the fetch, ``seconds`` how long the caller waited.
    """

    provider: str
    fetch: int
    seconds: float
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingStale:
    """A token was verified with stale keys (``age`` in seconds), because the provider fails."""

    provider: str
    age: float
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKid:
    """A token named an unknown kid, even after a fetch that the token caused or joined."""

    provider: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUndecided:
    """A token was neither accepted nor refused, because its keys are unavailable (503)."""

    provider: str | None
    code: str
    kid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """A token was refused; ``provider`` is None if it is not known."""

    provider: str | None
    code: str
    claim: str | None
    kid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    """An integration denied a request; emitted with the answer.

    ``path`` is truncated and escaped, without a query string; ``status`` is the HTTP status sent.
    """

    code: str
    status: int
    provider: str | None
    kid: str | None
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantResolved:
    """A tenant was loaded, or its provider changed. Not emitted if the new provider is equal."""

    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDropped:
    """A loaded tenant, its keys and its remembered tokens were dropped.

    ``reason``: the resolver returned None, `forget` was called, or another tenant evicted it.
    """

    provider: str
    reason: Literal["refused", "forgotten", "evicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverFailed:
    """A call of the application's resolver failed, or its answer was unusable.

    ``provider`` is the issuer if that tenant is loaded, else None; ``cause`` is the type of the
    exception and where it was raised, never its text. The resolver is not asked about the issuer
    again for ``retry_in`` seconds.
    """

    provider: str | None
    message: str
    cause: str | None
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """A call of the store failed, or a stored record was refused; once per backoff.

    Verdicts do not change: this process fetches for itself. ``action`` is ``read``, ``write``,
    ``claim`` or ``release``; ``code`` is ``store_timeout``, ``store_error``, ``bad_answer``, or
    the fault of a record. ``cause`` is the exception, or only its type for a custom store.
    For ``retry_in`` seconds the store is not used.
    """

    provider: str
    action: str
    code: str
    cause: str | None
    retry_in: float


Event: TypeAlias = (
    KeysFetched
    | KeysUnchanged
    | KeysRotated
    | FetchFailed
    | KeysAwaited
    | ServingStale
    | UnknownKid
    | TokenRefused
    | TokenUndecided
    | RequestRefused
    | TenantResolved
    | TenantDropped
    | ResolverFailed
    | StoreFailed
)

# The levels of `logging`, which is only imported when a listener is made, so that
# `import jwks_client` stays fast.
_DEBUG, _INFO, _WARNING = 10, 20, 30
_LEVELS: Final[Mapping[type[Event], int]] = {
    KeysFetched: _INFO,
    KeysUnchanged: _DEBUG,
    KeysRotated: _INFO,
    FetchFailed: _WARNING,
    KeysAwaited: _DEBUG,
    ServingStale: _WARNING,
    UnknownKid: _INFO,
    TokenRefused: _INFO,
    TokenUndecided: _WARNING,
    RequestRefused: _INFO,
    TenantResolved: _INFO,
    TenantDropped: _INFO,
    ResolverFailed: _WARNING,
    StoreFailed: _WARNING,
}
# Events that a flood of tokens could cause: limited to a burst, then one per second.
_DRIVEN_BY_TOKENS: Final = frozenset(
    {
        KeysAwaited,
        ServingStale,
        UnknownKid,
        TokenRefused,
        TokenUndecided,
        RequestRefused,
        TenantResolved,
        TenantDropped,
        ResolverFailed,
    }
)
_BURST: Final = 10.0


class LoggingListener:
    """Writes each event to a stdlib logger: one line, and its fields as ``extra`` (``jwks_…``).

    Events that tokens cause are limited to a burst of ten records, then one per second, for each
    kind; the next record says in ``jwks_suppressed`` how many were omitted. Refusals that an
    integration logs itself (logger ``jwks_client.requests``) are not logged a second time.

    Arguments:
        logger: where to write; by default the logger named ``jwks_client``.
        monotonic: returns monotonic seconds, for the limit.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        import logging

        self._logger = logging.getLogger("jwks_client") if logger is None else logger
        self._limits = {kind: FloodLimit(monotonic) for kind in _DRIVEN_BY_TOKENS}

    def __call__(self, event: Event) -> None:
        """Log one event."""
        kind = type(event)
        if kind in _OF_A_REFUSAL and _logged_elsewhere.get():
            return
        level = _LEVELS[kind]
        if not self._logger.isEnabledFor(level):
            return
        suppressed = self._limits[kind].take() if kind in self._limits else 0
        if suppressed is None:
            return
        details = " ".join(f"{one.name}={getattr(event, one.name)!r}" for one in fields(event))
        extra = {f"jwks_{name}": value for name, value in asdict(event).items()}
        extra |= {"jwks_event": kind.__name__, "jwks_suppressed": suppressed}
        self._logger.log(level, "%s %s", kind.__name__, details, extra=extra)


_OF_A_REFUSAL: Final = frozenset({UnknownKid, TokenRefused, TokenUndecided, RequestRefused})
_logged_elsewhere: ContextVar[bool] = ContextVar("jwks_client.logged_elsewhere", default=False)


@contextmanager
def logged_elsewhere() -> Generator[None]:
    """Make `LoggingListener` skip refusals inside the block, because an integration logs them."""
    before = _logged_elsewhere.set(True)
    try:
        yield
    finally:
        _logged_elsewhere.reset(before)


class FloodLimit:
    """The limit on log records that requests cause: a burst of ten, then one per second.

    Arguments:
        monotonic: returns monotonic seconds.
    """

    __slots__ = ("_bucket", "_monotonic")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # No lock, because a fork could leave it locked forever; a race costs one extra record.
        self._bucket = _Bucket(_BURST, 0.0, 0)

    def take(self) -> int | None:
        """Return how many records were omitted before this one, or None to omit this one too."""
        bucket, now = self._bucket, self._monotonic()
        permits = min(bucket.permits + max(now - bucket.at, 0.0), _BURST)
        if permits < 1:
            self._bucket = _Bucket(permits, now, bucket.suppressed + 1)
            return None
        self._bucket = _Bucket(permits - 1, now, 0)
        return bucket.suppressed


def escaped_kid(kid: str) -> str:
    """Return an untrusted kid in the form for events and errors."""
    return printable(kid, 64, limit=128)


class _Bucket(NamedTuple):
    permits: float
    at: float
    suppressed: int
