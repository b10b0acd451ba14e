"""Callers that disconnect while their request waits for a fetch, under real servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import Any

import pytest
from asgi_calls import client_of, fine, ws_scope
from edge_running import ASGI_SERVERS, PATIENCE, serving
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from jwks_client.asgi import JWKSMiddleware, current_token


def send_request(port: int, token: str) -> socket.socket:
    """Return a connection on which a request has been sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    head = f"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


@pytest.mark.parametrize("server", ASGI_SERVERS)
def test_a_caller_that_disconnects_during_a_fetch_harms_no_other(idp, server, caplog):
    """The fetch continues and serves the other waiting requests, and nothing is logged as an error."""
    caplog.set_level(logging.WARNING)
    ended = threading.Event()

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        try:
            await protected(scope, receive, send)
        finally:
            if (b"x-gone", b"1") in scope.get("headers", []):
                ended.set()

    protected = JWKSMiddleware(fine, client_of(idp), warm_up=None)
    with serving(noting, server) as port:
        with idp.hold() as held:
            gone = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            gone.sendall(
                b"GET / HTTP/1.1\r\nHost: h\r\nX-Gone: 1\r\nAuthorization: Bearer "
                + idp.issue(sub="gone").encode()
                + b"\r\n\r\n"
            )
            held.wait()
            gone.close()
            beside = send_request(port, idp.issue(sub="beside"))
        with beside:
            assert beside.recv(12) == b"HTTP/1.1 200"
        assert ended.wait(PATIENCE), "the request of a client that disconnected ends"
        with send_request(port, idp.issue()) as after:
            assert after.recv(12) == b"HTTP/1.1 200"
    assert idp.fetches == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    """Accept a WebSocket, and refuse its caller when it has disconnected."""
    await receive()
    await send({"type": "websocket.accept"})
    assert (await receive())["type"] == "websocket.disconnect"
    token = current_token()
    assert token is not None
    token.require("live")


async def refusing_in_starlette(socket: Any) -> None:
    await refusing(socket.scope, socket.receive, socket.send)


@pytest.mark.parametrize(
    "app", [refusing, Starlette(routes=[WebSocketRoute("/", refusing_in_starlette)])]
)
def test_a_refusal_after_the_client_disconnected_is_not_an_error_of_the_server(idp, app, caplog):
    """Some servers raise for the close of a WebSocket that is gone; the refusal is logged all the same."""
    caplog.set_level(logging.INFO)
    received = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}]

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise RuntimeError("the client is gone")

    protected = JWKSMiddleware(app, client_of(idp), warm_up=None)
    asyncio.run(protected(ws_scope(idp.issue()), receive, send))
    assert [
        record.jwks_code for record in caplog.records if record.name == "jwks_client.requests"
    ] == ["insufficient_scope"]


def test_an_error_of_the_server_s_send_is_raised(idp):
    """An OSError of the server's send is raised to the server, and is not answered."""

    async def send(message: Any) -> None:
        raise OSError("the client is gone")

    async def receive() -> Any:
        raise AssertionError("the body must not be read")

    app = JWKSMiddleware(fine, client_of(idp))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(OSError, match="gone"):
        asyncio.run(app(scope, receive, send))
