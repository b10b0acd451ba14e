"""The runner of the table for an integration: its apps, one for each setup, behind a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from edge_running import Reply, ask, serving
from requests_table import APP_ROWS, ROWS, SETUPS, Row
from table_app import INSIDE

from jwks_client import AsyncJWKSClient, JWKSClient, events
from jwks_client.testing import FakeClock, FakeProvider

PROBLEM = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class Integration:
    """A way to protect an app.

    Attributes:
        make: makes the app of `table_app`, protected by a client with a setup's settings.
        server: one of ``edge_running.serving``'s.
        asynchronous: whether `make` gets an `AsyncJWKSClient`.
        reads: whether it has its own code for reading requests, so that all rows run.
        has: whether a row applies to it.
        has_current: whether ``current_token()`` is set in handlers.
        watched: whether middleware inside the app notes statuses in `INSIDE`.
        late: whether the app can work on after its response.
        during: a context in which the app of a setup answers, for frameworks with global settings.
        table: how it gets its requests.
    """

    make: Callable[[Any, Mapping[str, Any]], Any]
    server: str = "uvicorn"
    asynchronous: bool = True
    reads: bool = False
    has: Callable[[Row], bool] = lambda row: True
    has_current: bool = True
    watched: bool = False
    late: bool = True
    during: Callable[[Any, Mapping[str, Any]], AbstractContextManager[Any]] = (
        lambda client, settings: nullcontext()
    )
    table: Callable[[Integration], Table] | None = None

    @property
    def rows(self) -> list[Row]:
        """Return the rows that run."""
        return [row for row in (ROWS if self.reads else APP_ROWS) if self.has(row)]

    @contextmanager
    def running(self) -> Generator[Table]:
        """Serve the apps until the block ends."""
        table = (self.table or Table)(self)
        with table.serving():
            yield table


class Table:
    """An integration's apps; it checks rows against them."""

    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        self.clock = FakeClock(1_700_000_000)
        self.idp = FakeProvider(clock=self.clock, audience="api")
        away = FakeProvider(clock=self.clock, audience="api")
        away.fail(503)
        forger = FakeProvider(clock=self.clock, audience="api")
        self.refusals: list[events.RequestRefused] = []
        self.tokens = {
            "good": self.issue(scope="orders:read", org_id="o1"),
            "poor": self.issue(),
            "expired": self.idp.issue(expires_in=-3600),
            "foreign": self.idp.issue(aud="another"),
            "forged": forger.issue(),
            "hostile": self.issue(
                sub='"\r\nX-Evil: 1', scope='"\r\nX-Evil:', client_id='\r\nX-Evil: 1\r\n"'
            ),
        }
        used = {row.setup for row in integration.rows}
        self.clients = {
            name: self._client(away if name == "cold" else self.idp)
            for name in SETUPS
            if name in used
        }
        self.apps = {
            name: integration.make(client, SETUPS[name]) for name, client in self.clients.items()
        }

    def issue(self, **claims: Any) -> str:
        """Return a token; some frameworks check its expiry again, by the real clock."""
        return self.idp.issue(expires_in=10**9, **claims)

    def _client(self, idp: FakeProvider) -> Any:
        asynchronous = self.integration.asynchronous
        kind: Any = AsyncJWKSClient if asynchronous else JWKSClient
        http: Any = httpx.AsyncClient if asynchronous else httpx.Client
        return kind(
            idp.provider,
            http=http(transport=idp.transport),
            clock=self.clock,
            listeners=[self._listen],
        )

    def _listen(self, event: events.Event) -> None:
        if isinstance(event, events.RequestRefused):
            self.refusals.append(event)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve all apps behind one port until the block ends; the X-Setup header selects one."""
        server = self.integration.server
        with serving(self._wsgi if server == "wsgiref" else self._asgi, server) as self._port:
            yield

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await run_lifespans(self.apps.values(), receive, send)
            return
        await self.apps[dict(scope["headers"])[b"x-setup"].decode()](scope, receive, send)

    def _wsgi(self, environ: Any, start_response: Any) -> Any:
        return self.apps[environ["HTTP_X_SETUP"]](environ, start_response)

    def during(self, setup: str) -> AbstractContextManager[Any]:
        """Return the context in which the app of a setup answers."""
        return self.integration.during(self.clients[setup], SETUPS[setup])

    def port_of(self, setup: str) -> int:
        """Return the port at which the app of a setup is served."""
        return self._port

    def ask(self, row: Row, **tokens: str) -> Reply:
        """Send a row's request."""
        return ask(self.port_of(row.setup), row, {**self.tokens, **tokens})

    def assert_row(self, row: Row) -> None:
        """Send a row's request and assert that the answer is the row's."""
        self.refusals.clear()
        INSIDE.clear()
        with self.during(row.setup):
            answer = self.ask(row)
        if row.big and answer.headers.get("content-type") != PROBLEM:
            assert answer.status in (400, 431)
            return
        challenge = answer.headers.get("www-authenticate")
        assert (answer.status, challenge) == (row.status, row.challenge)
        assert ("retry-after" in answer.headers) is row.retry
        assert "x-evil" not in answer.headers
        if row.code is None:
            self.assert_seen(row, answer)
            assert self.refusals == []
        else:
            self.assert_problem(row, answer)
        self.assert_inside(row)

    def assert_seen(self, row: Row, answer: Reply) -> None:
        """Assert that the app answered, and saw what the row says."""
        if not row.sees:
            return
        found = json.loads(answer.body)
        sees = {**row.sees}
        if "current" in sees and not self.integration.has_current:
            sees["current"] = None
        assert {name: found[name] for name in sees} == sees
        assert "token" not in str(found["query"])
        assert answer.headers.get("sec-websocket-protocol") == row.protocol

    def assert_problem(self, row: Row, answer: Reply) -> None:
        """Assert that the integration answered, and reported the refusal once."""
        assert answer.headers["content-type"] == PROBLEM
        assert answer.headers["cache-control"] == "no-store"
        if row.method == "HEAD":
            assert answer.body == b""
        else:
            assert json.loads(answer.body)["code"] == row.code
        (refusal,) = self.refusals
        path = row.path.partition("?")[0]
        assert (refusal.code, refusal.status) == (row.code, row.status)
        assert refusal.method == ("WEBSOCKET" if row.websocket else row.method)
        assert refusal.path == path or "%" in path

    def assert_inside(self, row: Row) -> None:
        """Assert that middleware inside the app saw the status that was sent."""
        if self.integration.watched and row.status == 403 and not row.websocket:
            assert [row.status] == INSIDE
        assert INSIDE in ([], [row.status])


async def run_lifespans(apps: Any, receive: Any, send: Any) -> None:
    """Start each app when the server starts, and end each when it ends."""
    lives = [_Life(app) for app in apps]
    while True:
        message = await receive()
        for life in lives:
            await life.step(message)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Life:
    """The lifespan of one app, which need not support it."""

    def __init__(self, app: Any) -> None:
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.ensure_future(app(scope, self._inbox.get, self._sent.put))

    async def step(self, message: Any) -> None:
        await self._inbox.put(message)
        answered = asyncio.ensure_future(self._sent.get())
        await asyncio.wait({self._task, answered}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            answered.cancel()
            self._task.exception()


def is_of_handlers(row: Row) -> bool:
    """Return whether a row applies to integrations that protect handlers: excluded paths need a middleware."""
    excluded = ("/open", "/Open", "/opened", "/docs", "/prices", "/%6f")
    return row.path == "/open" or (row.method != "OPTIONS" and not row.path.startswith(excluded))


def row_id(row: Row) -> str:
    """Return the id of a row's test."""
    return quote(row.name.replace(" ", "-"), safe="-:,")
