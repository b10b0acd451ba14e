"""Every seam in one place: what a listener, a clock and an HTTP client must be able to do."""

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
    """Given each event, inline; quick, and never trusted not to raise."""

    def __call__(self, event: Event, /) -> object:
        """Take one event."""
        ...


class Clock(Protocol):
    """Two times: one that people read, one that only ages."""

    def time(self) -> float:
        """Seconds since the epoch; judges exp, nbf and iat."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back; judges the age of keys."""
        ...


class Stored(NamedTuple):
    """A value that a store returned.

    ``age`` is the time since the write in seconds, by the store's own clock, or None if the store
    has no clock that all processes share.
    """

    value: bytes
    age: float | None


class Store(Protocol):
    """Where the processes of an application share key sets (see `jwks_client.stores`).

    The methods are called in threads of this library, one call at a time. They may raise anything:
    a failure of the store costs a fetch and no verdict. Names are at most 100 characters of
    ``[A-Za-z0-9:_-]``; values are ASCII.
    """

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secrets that seal records: the first seals, all verify.

        Empty only if anyone who can write to the store could change the application's code too.
        """
        ...

    def read(self, name: str, limit: int) -> Stored | None:
        """Return a value, or None if there is none.

        A store that can should not transfer more than ``limit`` + 1 bytes. A longer value is
        ignored.
        """
        ...

    def write(self, name: str, value: bytes, seconds: float) -> None:
        """Replace a value at once and as a whole, and forget it after ``seconds``."""
        ...

    def claim(self, name: str, seconds: float) -> bool:
        """Take a lease unless it is taken: atomic, and it expires by itself after ``seconds``.

        A lease is a value like others: `read` finds it, and `write` replaces it.
        """
        ...

    def release(self, name: str) -> None:
        """Give a lease back, if this process took it and its time is not over."""
        ...


class HTTPResponse(Protocol):
    """What is read of an answer, in threads (as httpx.Response has it)."""

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
    """What is read of an answer, in asyncio (as httpx.Response has it)."""

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
    """The shape of ``httpx.Client`` as far as it is used; httpx2's has it too."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Makes a request of method, URL, ``headers`` and ``extensions``."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Sends it, given ``stream=True``, and returns an `HTTPResponse` whose body is not read."""
        ...


class AsyncHTTPClient(Protocol):
    """The shape of ``httpx.AsyncClient`` as far as it is used; httpx2's has it too."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Makes a request of method, URL, ``headers`` and ``extensions``."""
        ...

    @property
    def send(self) -> Callable[..., Awaitable[Any]]:
        """Sends it, given ``stream=True``, and returns an `AsyncHTTPResponse`, likewise."""
        ...


class Verifier(Protocol):
    """A client for code that waits in threads: `JWKSClient`, or a stand-in for it."""

    def verify(self, token: str, *, provider: str | None = None) -> VerifiedToken:
        """Verify a token, or raise an error of ours."""
        ...

    def warm_up(self, timeout: float = 10) -> None:
        """Load all providers."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


class AsyncVerifier(Protocol):
    """A client for code that awaits: `AsyncJWKSClient`, or a stand-in for it."""

    async def verify(self, token: str, *, provider: str | None = None) -> VerifiedToken:
        """Verify a token, or raise an error of ours."""
        ...

    async def warm_up(self, timeout: float = 10) -> None:  # noqa: ASYNC109 (the contract's name)
        """Load all providers."""
        ...

    async def aclose(self) -> None:
        """End what is under way."""
        ...
