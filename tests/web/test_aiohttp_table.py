"""The table against aiohttp, under aiohttp's own server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp_running import AiohttpTable, serving_aiohttp
from edge_running import Table, row_id, rows

from jwks_client.asgi import current_token
from jwks_client.decorators import requires
from jwks_client.integrations.aiohttp import get_token, middleware, setup


def seen_of(request: web.Request) -> dict[str, Any]:
    """What the app can tell of a request."""
    token = get_token(request)
    assert token is current_token()
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return {
        "sub": None if token is None else token.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": request.query_string,
        "subprotocols": [one.strip() for one in offered.split(",") if one],
    }


async def anything(request: web.Request) -> web.Response:
    return web.json_response(seen_of(request))


async def deep(request: web.Request) -> web.Response:
    return web.json_response(get_token(request).require("deep").subject)


async def socket(request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    await websocket.send_json(seen_of(request))
    await websocket.close()
    return websocket


def routed(app: web.Application) -> web.Application:
    """Add the routes of the table."""
    app.router.add_route("*", "/orders", requires("orders:read")(anything))
    app.router.add_route("*", "/deep", deep)
    app.router.add_get("/ws", socket)
    app.router.add_route("*", "/{path:.*}", anything)
    return app


def by_middleware(client: Any, settings: Any) -> web.Application:
    return routed(web.Application(middlewares=[middleware(client, **settings)]))


def by_setup(client: Any, settings: Any) -> web.Application:
    app = routed(web.Application())
    setup(app, client, warm_up=None, **settings)
    return app


@pytest.fixture(scope="module", params=[by_middleware, by_setup], ids=["middleware", "setup"])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    table = AiohttpTable(request.param)
    with serving_aiohttp(table.apps) as table.ports:
        yield table


@pytest.mark.parametrize("row", rows(websockets=True), ids=row_id)
def test_a_request_has_the_answer_of_the_table(table, row):
    """aiohttp under the middleware answers as every integration does, handshakes included."""
    table.check(row)
