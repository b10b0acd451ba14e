"""Every seam in one place: what a listener, a clock and an HTTP client must be able to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

from ._core.locations import Location
from ._core.tokens.verified import VerifiedToken
from .events import Event

__all__ = ["AsyncHTTPClient", "AsyncVerifier", "Clock", "HTTPClient", "Listener", "Verifier"]


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


class AnyVerifier(Protocol):
    """What every integration needs of a client, whichever of the two it is."""

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where the providers' tokens may stand in a request, in the order to look."""
        ...

    def tell(self, event: Event) -> None:
        """Give an event to the client's listeners."""
        ...


class Verifier(AnyVerifier, Protocol):
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


class AsyncVerifier(AnyVerifier, Protocol):
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
