"""Use an HTTP client for flights: time limits, failures, header names.

Must not depend on key sets, or import an HTTP library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._core.keysets.fetch import Broken, Request, Response
from .._core.policy import FetchPolicy

if TYPE_CHECKING:
    from ..protocols import HTTPClient, HTTPResponse


def timeouts(policy: FetchPolicy) -> dict[str, float]:
    """Return the limits of each operation of an attempt, for httpx's ``timeout`` extension."""
    attempt = policy.attempt_timeout
    connect = min(policy.connect_timeout, attempt)
    return {"connect": connect, "read": attempt, "write": attempt, "pool": attempt}


def timed_out(error: BaseException) -> bool:
    """Return whether the exception of any HTTP client is a timeout."""
    return isinstance(error, TimeoutError) or any(
        kind.__name__ == "TimeoutException" for kind in type(error).__mro__
    )


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a response's headers with names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def read_answer(response: HTTPResponse, line: Line, max_body: int) -> Response:
    """Read a response in a thread, with a limit on its raw bytes. Raises TimeoutError if cut."""
    headers = lower_names(response.headers)
    if response.is_stream_consumed:  # read whole already: a mock transport's response
        return Response(response.status_code, headers, response.content, decoded=True)
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_body:
            return Response(response.status_code, headers, None)
        if line.is_cut:
            break
    if line.is_cut:  # the body may be truncated
        raise TimeoutError("the response did not arrive in time")
    return Response(response.status_code, headers, bytes(body))


def get(http: HTTPClient, request: Request, line: Line, policy: FetchPolicy) -> Response | Broken:
    """Make one GET request in this thread, within the policy's limits."""
    try:
        built = http.build_request(
            "GET",
            request.url,
            headers=dict(request.headers),
            extensions={"timeout": timeouts(policy), "trace": line.trace},
        )
        response = http.send(built, stream=True, follow_redirects=False)
        try:
            return read_answer(response, line, policy.max_body)
        finally:
            response.close()
    except Exception as error:  # noqa: BLE001 (errors of httpx, or of a caller-supplied client)
        return Broken(error, line.is_cut or timed_out(error))
    finally:
        line.release()


class Line:
    """The connection of a request, which another thread can cut.

    httpx limits each operation, so a server that sends one byte before each limit never times out.
    And a task that is cancelled during a TLS handshake leaks the socket. httpx's ``trace``
    extension reports each new connection; shutting down its socket solves both.
    """

    __slots__ = ("_stream", "is_cut", "until")

    def __init__(self, until: float = math.inf) -> None:
        self.until = until  # when to cut it, by the system's monotonic clock
        self.is_cut = False  # if it was cut, the resulting failure is a timeout
        self._stream: Any = None

    def trace(self, _name: str, info: Mapping[str, Any]) -> None:
        """Record a connection; the ``trace`` extension of a sync client."""
        stream = info.get("return_value")
        if hasattr(stream, "get_extra_info"):
            self._stream = stream
        if self.is_cut:
            self._shut()

    async def trace_async(self, name: str, info: Mapping[str, Any]) -> None:
        """Record a connection; the ``trace`` extension of an async client."""
        self.trace(name, info)

    def release(self) -> None:
        """Forget the connection, which a caller-supplied client may use for other requests now."""
        self._stream = None

    def cut(self) -> None:
        """Shut down the connection, which ends every wait for it."""
        self.is_cut = True
        self._shut()

    async def cut_async(self) -> None:
        """Cut the connection of a cancelled task, which may have left it open."""
        self.cut()
        if self._stream is not None:
            with suppress(Exception):  # the task ends with its own error
                await self._stream.aclose()

    def _shut(self) -> None:
        stream = self._stream
        if stream is None:
            return
        import socket  # loaded already, because there is a connection

        # A caller-supplied client may have any connection; those of uvloop raise TypeError.
        with suppress(Exception):
            connection = stream.get_extra_info("socket")
            if isinstance(connection, socket.socket):
                # Not SSLSocket.shutdown, which would take the TLS object from the reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            elif hasattr(connection, "shutdown"):  # asyncio's wrapper of a socket
                connection.shutdown(socket.SHUT_RDWR)
