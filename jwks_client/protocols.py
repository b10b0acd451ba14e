"""The interfaces that an application can implement: listener, clock, store, HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from ._core.tokens.verified import VerifiedToken
from .events import Event

__all__ = [
    "AsyncHTTPClient",
    "AsyncVerifier",
    "Clock",
    "HTTPClient",
    "Listener",
    "Store",
    "Stored",
    "Verifier",
]


class Listener(Protocol):
    """A callable that receives each event, inline. It should return quickly.

    Its exceptions are suppressed.
    """

    def __call__(self, event: Event, /) -> object:
        """Handle one event."""
        ...


class Clock(Protocol):
    """Wall-clock time and monotonic time."""

    def time(self) -> float:
        """Return seconds since the epoch; used for exp, nbf and iat."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; used for the age of keys."""
        ...


class Stored(NamedTuple):
    """A value that a store returned.

    ``age`` is the time since the write in seconds, by the store's own clock, or None if the store
    has no clock that all processes share.
    """

    value: bytes
    age: float | None


class Store(Protocol):
    """A store through which processes share key sets (see `jwks_client.stores`).

    The methods are called in threads of this library, one call at a time. They may raise anything:
    a failure of the store costs a fetch and changes no verdict. Names are at most 100 characters of
    ``[A-Za-z0-9:_-]``; values are ASCII.
    """

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Return the secrets that seal records: the first seals, all verify.

        Empty only if anyone who can write to the store could change the application's code too.
        """
        ...

    def read(self, name: str, limit: int) -> Stored | None:
        """Return a value, or None if it does not exist.

        Values of more than ``limit`` bytes are ignored, so a store should transfer at most
        ``limit`` + 1 bytes if it can.
        """
        ...

    def write(self, name: str, value: bytes, seconds: float) -> None:
        """Replace a value atomically; it expires after ``seconds``."""
        ...

    def claim(self, name: str, seconds: float) -> bool:
        """Take a lease, atomically, unless it is taken; it expires after ``seconds``.

        A lease is stored like any other value: `read` returns it, and `write` replaces it.
        """
        ...

    def release(self, name: str) -> None:
        """Give a lease back, if this process took it and it has not expired."""
        ...


class HTTPResponse(Protocol):
    """The part of a response that is used in threads (see ``httpx.Response``)."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def content(self) -> bytes: ...
    def iter_raw(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class AsyncHTTPResponse(Protocol):
    """The part of a response that is used in asyncio (see ``httpx.Response``)."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def content(self) -> bytes: ...
    def aiter_raw(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class HTTPClient(Protocol):
    """The part of ``httpx.Client`` that this library uses; httpx2's client has it too."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Builds a request from method, URL, ``headers`` and ``extensions``."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Sends it with ``stream=True`` and returns an `HTTPResponse` with an unread body."""
        ...


class AsyncHTTPClient(Protocol):
    """The part of ``httpx.AsyncClient`` that this library uses; httpx2's client has it too."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Builds a request from method, URL, ``headers`` and ``extensions``."""
        ...

    @property
    def send(self) -> Callable[..., Awaitable[Any]]:
        """Sends it with ``stream=True`` and returns an `AsyncHTTPResponse` with an unread body."""
        ...


class Verifier(Protocol):
    """A client for code that waits in threads: `JWKSClient`, or a test double of it."""

    def verify(self, token: str, *, provider: str | None = None) -> VerifiedToken:
        """Verify a token, or raise an error of this library."""
        ...

    def warm_up(self, timeout: float = 10) -> None:
        """Load all providers."""
        ...

    def close(self) -> None:
        """Close what the client opened."""
        ...


class AsyncVerifier(Protocol):
    """A client for code that awaits: `AsyncJWKSClient`, or a test double of it."""

    async def verify(self, token: str, *, provider: str | None = None) -> VerifiedToken:
        """Verify a token, or raise an error of this library."""
        ...

    async def warm_up(self, timeout: float = 10) -> None:  # noqa: ASYNC109 (the contract's name)
        """Load all providers."""
        ...

    async def aclose(self) -> None:
        """Close what the client opened."""
        ...
