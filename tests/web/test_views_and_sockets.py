"""Views with path arguments under ``@requires(client=…)``, and WebSockets under the middleware."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from flask import Flask
from litestar import Litestar
from litestar import WebSocket as LitestarSocket
from litestar import websocket as litestar_websocket
from quart import Quart, websocket

from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.decorators import requires


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_flask_view_with_path_arguments_finds_its_request(idp):
    """The view gets its arguments, and refusals are answered, without a middleware."""
    app = Flask("views")

    @app.get("/orders/<int:number>/<name>")
    @requires("orders:read", client=idp.client())
    def order(number: int, name: str) -> Any:
        return {"order": number, "name": name, "of": current_token().subject}

    http = app.test_client()
    good = bearer(idp.issue(sub="u7", scope="orders:read"))
    assert http.get("/orders/7/tea", headers=good).json == {"order": 7, "name": "tea", "of": "u7"}
    assert http.get("/orders/7/tea", headers=bearer(idp.issue())).status_code == 403
    assert http.get("/orders/7/tea").headers["WWW-Authenticate"] == "Bearer"


def test_a_quart_view_with_path_arguments_finds_its_request(idp):
    """Quart behaves the same, with the asynchronous client."""
    app = Quart("views")

    @app.get("/orders/<int:number>")
    @requires("orders:read", client=idp.async_client())
    async def order(number: int) -> Any:
        return {"order": number, "of": current_token().subject}

    async def ask(headers: dict[str, str]) -> tuple[int, Any]:
        answer = await app.test_client().get("/orders/7", headers=headers)
        return answer.status_code, await answer.get_json(force=True)

    good = bearer(idp.issue(sub="u7", scope="orders:read"))
    assert asyncio.run(ask(good)) == (200, {"order": 7, "of": "u7"})
    assert asyncio.run(ask(bearer(idp.issue())))[0] == 403
    assert asyncio.run(ask({}))[0] == 401


def closed_with(app: Any, path: str, token: str) -> list[dict[str, Any]]:
    """Return what an app under the middleware sends on a WebSocket, after the accept if any."""
    from asgi_calls import Call, ws_scope

    one = Call({"type": "websocket.connect"})
    asyncio.run(one.to(app, ws_scope(token, path, raw_path=path.encode())))
    return one.sent


def quart_app() -> Any:
    app = Quart("sockets")

    @app.websocket("/before")
    @requires("live")
    async def before() -> None:
        raise AssertionError

    @app.websocket("/after")
    async def after() -> None:
        await websocket.accept()
        current_token().require("live")

    return app


def litestar_app() -> Any:
    @litestar_websocket("/before")
    async def before(socket: LitestarSocket[Any, Any, Any]) -> None:
        current_token().require("live")

    @litestar_websocket("/after")
    async def after(socket: LitestarSocket[Any, Any, Any]) -> None:
        await socket.accept()
        current_token().require("live")

    return Litestar([before, after], logging_config=None)


@pytest.mark.parametrize("make", [quart_app, litestar_app])
def test_a_refusal_on_a_websocket_denies_it_or_closes_it_with_1008(idp, make):
    """Before the accept the handshake is denied with 403, after it the close code is 1008."""
    app = JWKSMiddleware(make(), idp.async_client(), warm_up=None)
    denied = closed_with(app, "/before", idp.issue())
    assert denied[0]["type"] == "websocket.http.response.start"
    assert denied[0]["status"] == 403
    closed = closed_with(app, "/after", idp.issue())
    assert [one["type"] for one in closed] == ["websocket.accept", "websocket.close"]
    assert closed[1]["code"] == 1008
