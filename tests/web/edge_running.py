"""How the table is run: a real server on loopback, and requests written to a socket by hand.

A client library would mend, refuse or reorder what these requests are about. The server's own limits
are raised, so that it is the integration that answers.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any, Protocol
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import httpx
from requests_table import ROWS, SETUPS, Row

from jwks_client import AsyncJWKSClient, JWKSClient, events
from jwks_client.testing import FakeClock, FakeProvider

ASGI_SERVERS = ("uvicorn", "hypercorn")
PATIENCE = 20.0  # real seconds after which what works is long done
_MOST = 256 * 1024


class Integration(Protocol):
    """A way to protect an app; what the app does is said in `requests_table`."""

    def make(self, client: Any, settings: Mapping[str, Any]) -> Any:
        """The app, protected by a client with these settings."""
        ...


class Table:
    """An integration's apps, one for each setup, behind one server; checks rows against them."""

    def __init__(
        self, make: Callable[[Any, Mapping[str, Any]], Any], *, asynchronous: bool
    ) -> None:
        self.clock = FakeClock(1_700_000_000)
        idp = FakeProvider(clock=self.clock, audience="api")
        away = FakeProvider(clock=self.clock, audience="api")
        away.fail(503)
        forger = FakeProvider(clock=self.clock, audience="api")
        self.told: list[events.RequestRefused] = []
        self._tokens = {
            "good": idp.issue(scope="orders:read"),
            "poor": idp.issue(),
            "expired": idp.issue(expires_in=-3600),
            "foreign": idp.issue(aud="another"),
            "forged": forger.issue(),
            "hostile": idp.issue(
                sub='"\r\nX-Evil: 1', scope='"\r\nX-Evil:', client_id='\r\nX-Evil: 1\r\n"'
            ),
        }
        self.apps: dict[str, Any] = {}
        for name, settings in SETUPS.items():
            provider = away if name == "cold" else idp
            kind: Any = AsyncJWKSClient if asynchronous else JWKSClient
            http: Any = httpx.AsyncClient if asynchronous else httpx.Client
            client = kind(
                provider.provider,
                http=http(transport=provider.transport),
                clock=self.clock,
                listeners=[self._listen],
            )
            self.apps[name] = make(client, settings)
        self.port = 0

    def _listen(self, event: events.Event) -> None:
        if isinstance(event, events.RequestRefused):
            self.told.append(event)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """The app of the setup that a request names."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        setup = dict(scope["headers"])[b"x-setup"].decode()
        await self.apps[setup](scope, receive, send)

    def wsgi(self, environ: Any, start_response: Any) -> Any:
        """The app of the setup that a request names."""
        return self.apps[environ["HTTP_X_SETUP"]](environ, start_response)

    def check(self, row: Row) -> None:
        """Send a row's request; the answer is the row's."""
        before = len(self.told)
        answer = self._ask(row)
        if row.big and answer.headers.get("content-type") != "application/problem+json":
            assert answer.status in (400, 431)
            return
        assert (answer.status, answer.headers.get("www-authenticate")) == (
            row.status,
            row.challenge,
        )
        assert ("retry-after" in answer.headers) is row.retry
        assert "x-evil" not in answer.headers
        if row.code is None:
            if row.method not in ("HEAD", "OPTIONS"):
                assert answer.body, "the app sends what it sees"
            seen = json.loads(answer.body) if answer.body else {}
            assert {name: seen[name] for name in row.sees} == row.sees
            assert "token" not in str(seen.get("query"))
            assert answer.headers.get("sec-websocket-protocol") == row.protocol
            assert self.told[before:] == []
            return
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        if row.method == "HEAD":
            assert answer.body == b""
        else:
            assert json.loads(answer.body)["code"] == row.code
        (told,) = self.told[before:]
        path = row.path.partition("?")[0]
        assert (told.code, told.status) == (row.code, row.status)
        assert told.method == ("WEBSOCKET" if row.websocket else row.method)
        assert told.path == path or "%" in path

    def _ask(self, row: Row) -> Reply:
        named = {**self._tokens, "host": f"127.0.0.1:{self.port}"}
        filled = [(name, value.format_map(named)) for name, value in row.headers]
        lines = [
            f"{row.method} {row.path.format_map(named)} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"X-Setup: {row.setup}",
            *(f"{name}: {value}" for name, value in filled),
        ]
        if row.websocket:
            key = base64.b64encode(bytes(16)).decode()
            lines += ["Connection: Upgrade", "Upgrade: websocket"]
            lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        else:
            lines += ["Connection: close", "Content-Length: 0"]
        head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(head)
            return Reply(connection, row)


class Reply:
    """What came back: a plain answer, or the first message of a WebSocket."""

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
    """The payload of a short text frame, as a server sends it: unmasked (RFC 6455, section 5.2)."""
    first, length = stream.read(2)
    assert first == 0x81
    if length == 126:
        length = int.from_bytes(stream.read(2), "big")
    return stream.read(length)


def rows(*, websockets: bool) -> list[Row]:
    """The rows for an integration."""
    return [row for row in ROWS if websockets or not row.websocket]


def handler_rows() -> list[Row]:
    """The rows for what protects handlers: no excluded paths, no preflights, which are a middleware's."""
    excluded = ("/open", "/Open", "/opened", "/docs", "/prices", "/%6f")
    return [
        row
        for row in rows(websockets=True)
        if row.method != "OPTIONS" and not row.path.startswith(excluded)
    ]


def row_id(row: Row) -> str:
    """What pytest shows of a row."""
    return quote(row.name.replace(" ", "-"), safe="-:,")


@contextmanager
def running(make: Callable[[Any, Mapping[str, Any]], Any], server: str) -> Generator[Table]:
    """An integration's table behind one of `ASGI_SERVERS`, or ``"wsgiref"``, in a thread."""
    table = Table(make, asynchronous=server != "wsgiref")
    app = table.wsgi if server == "wsgiref" else table.asgi
    with serving(app, server) as port:
        table.port = port
        yield table


@contextmanager
def serving(app: Any, server: str, root_path: str = "") -> Iterator[int]:
    """Serve an app on loopback in a thread until the block ends; gives the port."""
    run = {"uvicorn": _uvicorn, "hypercorn": _hypercorn, "wsgiref": _wsgiref}[server]
    with run(app, root_path) as port:
        yield port


def _listen() -> socket.socket:
    # The protocol named, so that asyncio turns Nagle's algorithm off.
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
    request_queue_size = 64  # of five, a sixth caller at once tries again after a second

    def server_bind(self) -> None:  # its parents ask the name service for this machine's name
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # head and body are written apart: 40 ms an answer otherwise

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
