"""ASGI apps called without a server, and a custom client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx

from jwks_client import AsyncJWKSClient, events
from jwks_client.testing import FakeProvider

PATIENCE = 20.0  # real seconds after which a working operation is long done


def client_of(idp: FakeProvider, **settings: Any) -> AsyncJWKSClient:
    """Return a client of a fake provider, without sockets."""
    http = httpx.AsyncClient(transport=idp.transport)
    return AsyncJWKSClient(idp.provider, http=http, clock=idp.clock, **settings)


def http_scope(token: str | None = None, path: str = "/", **members: Any) -> dict[str, Any]:
    """Return the scope of a GET with a token."""
    headers = [(b"host", b"api.test")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "server": ("api.test", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "state": {},
    }
    return scope | members


def ws_scope(token: str | None = None, path: str = "/", **members: Any) -> dict[str, Any]:
    """Return the scope of a handshake with a token, at a server that can send denials."""
    scope = http_scope(token, path, type="websocket", subprotocols=[], scheme="ws")
    del scope["method"]
    return scope | {"extensions": {"websocket.http.response": {}}} | members


class Call:
    """One call of an app: the messages it sent.

    The server gives those of ``received``, and a disconnect when the answer is complete.
    """

    def __init__(self, *received: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._received = list(received)
        self._is_over = asyncio.Event()
        self._disconnect: dict[str, Any] = {"type": "websocket.disconnect", "code": 1006}

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)  # as a server would, so that other tasks run
        if self._received:
            return self._received.pop(0)
        await self._is_over.wait()
        return self._disconnect

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        kind = message["type"]
        is_body = kind.endswith("http.response.body")
        if kind == "websocket.close" or (is_body and not message.get("more_body")):
            self._is_over.set()

    async def to(self, app: Any, scope: dict[str, Any]) -> Call:
        """Make the call."""
        if scope["type"] == "http":
            self._disconnect = {"type": "http.disconnect"}
        await asyncio.wait_for(app(scope, self.receive, self.send), PATIENCE)
        return self

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def code(self) -> str:
        return json.loads(self.body)["code"]


def call(app: Any, scope: dict[str, Any], *received: dict[str, Any]) -> Call:
    """Call an app in a new event loop."""
    return asyncio.run(Call(*received).to(app, scope))


async def fine(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200 ``fine`` to every request."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


def raising(error: BaseException, *before: dict[str, Any]) -> Callable[..., Any]:
    """Return an app that sends some messages and then raises."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        raise error

    return app


class StandIn:
    """A custom client that records its calls and does what a test says."""

    def __init__(self, *, warm_up: BaseException | None = None, close: BaseException | None = None):
        self.asked: list[str] = []
        self.emitted: list[events.Event] = []
        self._warm_up = warm_up
        self._close = close

    def _emit(self, event: events.Event) -> None:
        self.emitted.append(event)

    async def verify(self, token: str, *, provider: str | None = None) -> Any:
        raise NotImplementedError

    async def warm_up(self, timeout: float = 10) -> None:  # noqa: ASYNC109 (the contract's name)
        self.asked.append(f"warm_up {timeout}")
        if self._warm_up is not None:
            raise self._warm_up

    async def aclose(self) -> None:
        self.asked.append("aclose")
        if self._close is not None:
            raise self._close
