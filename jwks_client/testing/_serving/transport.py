"""A `FakeProvider` as an httpx transport, without sockets, with streamed responses.

Must not depend on the contents of responses. It imports httpx, so it is imported only when a
transport is requested.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx

from .gate import Gate, wait, wait_async
from .pace import Pace
from .responder import Request, Silence, Turn, TurnFor

__all__ = ["FakeTransport"]


class FakeTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """For ``httpx.Client(transport=…)`` and ``httpx.AsyncClient(transport=…)``.

    A held or hanging request waits for its own read timeout, then raises
    ``httpx.ReadTimeout``, as over a network. The host is ignored; the path decides.
    """

    def __init__(self, turn_for: TurnFor) -> None:
        self._turn_for = turn_for

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a sync client."""
        turn = self._turn_for(_read(request))
        if turn.gate is not None and not wait(turn.gate, within=_read_timeout(request)):
            raise _timed_out(request)
        if turn.pace and not turn.pace.pause(turn.pace.delay, within=_read_timeout(request)):
            raise _timed_out(request)
        return _response(request, turn)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an async client."""
        turn = self._turn_for(_read(request))
        if turn.gate is not None and not await wait_async(turn.gate, within=_read_timeout(request)):
            raise _timed_out(request)
        pace = turn.pace
        if pace and not await pace.pause_async(pace.delay, within=_read_timeout(request)):
            raise _timed_out(request)
        return _response(request, turn)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that was not read yet, as from a connection."""

    def __init__(self, body: bytes, pace: Pace, request: httpx.Request) -> None:
        self._body = body
        self._pace = pace
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        timeout = _read_timeout(self._request)
        for piece in self._pace.pieces(self._body):
            yield piece
            if not self._pace.pause(self._pace.every, within=timeout):
                raise _timed_out(self._request)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        timeout = _read_timeout(self._request)
        for piece in self._pace.pieces(self._body):
            yield piece
            if not await self._pace.pause_async(self._pace.every, within=timeout):
                raise _timed_out(self._request)


def _read(request: httpx.Request) -> Request:
    path = request.url.raw_path.partition(b"?")[0].decode("ascii")
    return Request(method=request.method, path=path, headers=dict(request.headers))


def _read_timeout(request: httpx.Request) -> float | None:
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("read")


def _timed_out(request: httpx.Request) -> httpx.ReadTimeout:
    return httpx.ReadTimeout("the fake provider does not answer", request=request)


def _response(request: httpx.Request, turn: Turn) -> httpx.Response:
    match turn.outcome:
        case Silence() as silence:
            raise silence.to_raise() or _timed_out(request)
        case answer:
            return httpx.Response(
                answer.status,
                headers=list(answer.headers),
                stream=_Body(answer.body, turn.pace or Pace(Gate()), request),
                request=request,
                extensions={"http_version": b"HTTP/1.1"},
            )
