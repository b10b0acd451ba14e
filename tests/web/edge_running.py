"""Real servers on loopback, each in a thread, and the table's requests written to a socket as octets.

A client library would repair, refuse or reorder these requests. The server's own limits are raised,
so that the integration answers.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from table_app import PATIENCE

if TYPE_CHECKING:
    from requests_table import Row

ASGI_SERVERS = ("uvicorn", "hypercorn")
_MOST = 256 * 1024


def ask(port: int, row: Row, tokens: Mapping[str, str]) -> Reply:
    """Send a row's request as octets on a new connection."""
    named = {**tokens, "host": f"127.0.0.1:{port}"}
    lines = [
        f"{row.method} {row.path.format_map(named)} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"X-Setup: {row.setup}",
        *(f"{name}: {value.format_map(named)}" for name, value in row.headers),
    ]
    if row.websocket:
        key = base64.b64encode(bytes(16)).decode()
        lines += ["Connection: Upgrade", "Upgrade: websocket"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    else:
        lines += ["Connection: close"]
        if row.method == "POST":
            lines += ["Content-Length: 0"]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        return Reply(connection, row)


class Reply:
    """A response: a plain one, or the first message of a WebSocket."""

    def __init__(self, connection: socket.socket, row: Row) -> None:
        response = http.client.HTTPResponse(connection, method=row.method)
        response.begin()
        self.status = response.status
        names = [name.lower() for name, _ in response.getheaders()]
        assert len(names) == len({*names}), "no header comes twice"
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        if self.status == 101:
            self.body = _read_message(response.fp)
        else:
            self.body = response.read()


def _read_message(stream: Any) -> bytes:
    """Return the payload of a short text frame, as a server sends it: unmasked (RFC 6455, section 5.2)."""
    first, length = stream.read(2)
    assert first == 0x81
    if length == 126:
        length = int.from_bytes(stream.read(2), "big")
    return stream.read(length)


@contextmanager
def serving(app: Any, server: str, root_path: str = "") -> Iterator[int]:
    """Serve an app on loopback in a thread until the block ends; yield the port."""
    run = {"uvicorn": _uvicorn, "hypercorn": _hypercorn, "wsgiref": _wsgiref}[server]
    with run(app, root_path) as port:
        yield port


def _listen() -> socket.socket:
    # The protocol is named, so that asyncio turns Nagle's algorithm off.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


@contextmanager
def _uvicorn(app: Any, root_path: str) -> Iterator[int]:
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="wsproto",
        root_path=root_path,
        interface="asgi3",
        lifespan="auto",
        log_config=None,
        access_log=False,
        h11_max_incomplete_event_size=_MOST,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    listener = _listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
    assert not thread.is_alive()


@contextmanager
def _hypercorn(app: Any, root_path: str) -> Iterator[int]:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    listener = _listen()
    port = listener.getsockname()[1]
    config = Config()
    config.root_path = root_path
    config.bind = [f"fd://{listener.detach()}"]
    config.h11_max_incomplete_size = _MOST
    config.graceful_timeout = 2
    config.errorlog = None
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    began = threading.Event()

    async def live() -> None:
        end = asyncio.Event()
        loops.append((asyncio.get_running_loop(), end))
        began.set()
        await serve(app, config, shutdown_trigger=end.wait)

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        assert began.wait(PATIENCE)
        yield port
    finally:
        loop, end = loops[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE)
    assert not thread.is_alive()


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = (
        64  # the default is five: a sixth caller would try again only after a second
    )

    def server_bind(self) -> None:  # its base class looks up this machine's name
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = (
        True  # head and body are written separately: 40 ms per answer otherwise
    )

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _wsgiref(app: Any, root_path: str) -> Iterator[int]:
    assert not root_path
    server = _ThreadingServer(("127.0.0.1", 0), _Quiet)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
