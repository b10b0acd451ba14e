"""A `FakeProvider` as an ASGI app and as a real server on loopback.

Must not depend on the contents of responses.
"""

from __future__ import annotations

import asyncio
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from .._locks import new_lock
from .gate import PATIENCE, Gate, wait, wait_async
from .pace import Pace
from .responder import Request, Response, Silence, Turn, TurnFor

if TYPE_CHECKING:
    from ..._web.asgi_scope import Receive, Scope, Send

__all__ = ["FakeApp", "serve"]

_POLL: Final = 0.05  # seconds until a server notices that it must end


class FakeApp:
    """The provider as an ASGI app, to mount or to run under any server.

    An ASGI app cannot close its connection without a response: a failure that is an exception is
    raised out of the app, and a hanging request ended by `FakeProvider.recover` raises
    ConnectionAbortedError.
    """

    def __init__(self, turn_for: TurnFor) -> None:
        self._turn_for = turn_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case other:
                raise NotImplementedError(f"a FakeProvider supports http, not {other}")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = self._turn_for(_read_scope(scope))
        if turn.gate is not None and not await _stayed(wait_async(turn.gate, within=None), receive):
            return
        pace = turn.pace or Pace(Gate())
        if pace.delay and not await _stayed(pace.pause_async(pace.delay), receive):
            return
        match turn.outcome:
            case Silence() as silence:
                raise silence.to_raise() or ConnectionAbortedError("the fake provider is silent")
            case answer:
                await _send(answer, pace, send)


def _read_scope(scope: Scope) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    # The path of a mounted app begins with its root_path.
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return Request(method=scope["method"], path=path, headers=headers)


async def _send(answer: Response, pace: Pace, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for piece in pace.pieces(answer.body) if pace.octets else ():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await pace.pause_async(pace.every)
    rest = b"" if pace.octets else answer.body
    await send({"type": "http.response.body", "body": rest})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _stayed(waiting: Coroutine[Any, Any, bool], receive: Receive) -> bool:
    """Wait; return False if the client disconnects first."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    over = asyncio.ensure_future(waiting)
    left = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({over, left}, return_when=asyncio.FIRST_COMPLETED)
        return over.done()
    finally:
        for task in (over, left):
            task.cancel()
        await asyncio.gather(over, left, return_exceptions=True)


@contextmanager
def serve(turn_for: TurnFor, port: int, tls: ssl.SSLContext | None) -> Generator[str]:
    """Serve on 127.0.0.1 and a port (0: any free one) during the block; yield the base URL.

    After the block, every connection is closed, and no thread or socket is left.
    """
    server = _Server(turn_for, port, tls)
    name = f"fake-provider-{server.server_port}"
    accepting = threading.Thread(target=server.serve_forever, args=(_POLL,), name=name, daemon=True)
    accepting.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.end()
        accepting.join(PATIENCE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # many clients may connect at once

    def __init__(self, turn_for: TurnFor, port: int, tls: ssl.SSLContext | None) -> None:
        self.ending: Final = Gate()
        self._tls = tls
        self._connections_lock = new_lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), partial(_Connection, turn_for, self.ending))

    def server_bind(self) -> None:
        # http.server would look up the host's name here, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # Each connection's thread does the handshake: a silent client delays no other.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"fake-provider-{self.server_port}-connection",
            daemon=True,
        )
        with self._connections_lock:
            self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                del self._connections[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # the client disconnected
            super().handle_error(request, client_address)

    def end(self) -> None:
        """Stop accepting, close all connections, and wait for the threads."""
        self.ending.open()
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join(PATIENCE)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, turn_for: TurnFor, ending: Gate, *connection: Any) -> None:
        self._turn_for = turn_for
        self._ending = ending
        super().__init__(*connection)  # which handles the whole connection

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        turn = self._turn_for(Request(method=self.command, path=path, headers=headers))
        if self.command != "GET":
            self.close_connection = True  # a body may follow, which is never read
        pace = turn.pace or Pace(Gate())
        match self._outcome_of(turn, pace):
            case Silence():
                self.close_connection = True
            case answer:
                self._send(answer, pace)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 (http.server's)

    def _outcome_of(self, turn: Turn, pace: Pace) -> Response | Silence:
        if turn.gate is not None:
            wait(turn.gate, self._ending, within=None)
            if not turn.gate.is_open:
                return Silence(None)
        pace.pause(pace.delay, ending=self._ending)
        return turn.outcome

    def _send(self, answer: Response, pace: Pace) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            for piece in pace.pieces(answer.body):
                self.wfile.write(piece)
                pace.pause(pace.every, ending=self._ending)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's)
        """Log nothing; ``FakeProvider.requests`` contains the requests."""
