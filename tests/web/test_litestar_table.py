"""The table against Litestar with the plugin, under a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from edge_running import Table, row_id, rows, running
from litestar import Litestar, Request, WebSocket, route, websocket

from jwks_client.asgi import current_token
from jwks_client.integrations.litestar import JWKSAuth, requires

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]


def seen_of(connection: Any) -> dict[str, Any]:
    """What the app can tell of a request."""
    token = connection.auth
    assert token is current_token() is connection.user.token
    return {
        "sub": None if token is None else token.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": connection.scope["query_string"].decode(),
        "subprotocols": list(connection.scope.get("subprotocols", [])),
    }


@route(["/", "/{rest:path}"], http_method=METHODS, sync_to_thread=False, status_code=200)
def anything(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return seen_of(request)


@route("/orders", http_method=METHODS, guards=[requires("orders:read")], status_code=200)
async def orders(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return seen_of(request)


@route("/deep", http_method=METHODS, status_code=200)
async def deep(request: Request[Any, Any, Any]) -> None:
    request.auth.require("deep")


@websocket("/ws")
async def live(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_json(seen_of(socket))
    await socket.close()


def by_plugin(client: Any, settings: Any) -> Any:
    plugin = JWKSAuth(client, warm_up=None, **settings)
    handlers = [anything, orders, deep, live]
    return Litestar(handlers, plugins=[plugin], openapi_config=None, logging_config=None)


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    with running(by_plugin, request.param) as table:
        yield table


@pytest.mark.parametrize("row", rows(websockets=True), ids=row_id)
def test_a_request_has_the_answer_of_the_table(table, row):
    """Litestar with the plugin answers as every integration does, handshakes included."""
    table.check(row)
