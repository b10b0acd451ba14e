"""The app of the table for Flask, Quart and Falcon, under the middleware."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
import flask
import quart
from table_app import INSIDE, METHODS, ORG, act, act_in_task, seen, status_of, work_on

from jwks_client import asgi, wsgi
from jwks_client.decorators import requires


def flask_app(client: Any, settings: Any) -> Any:
    """Return a Flask app, with middleware inside that notes statuses."""
    app = flask.Flask("table")
    app.after_request(lambda response: INSIDE.append(response.status_code) or response)

    def token() -> Any:
        return wsgi.get_token(flask.request.environ)

    @app.route("/orders", methods=METHODS)
    @requires("orders:read")
    def orders() -> Any:
        return seen(token())

    @app.route("/org", methods=METHODS)
    @requires(claims=ORG)
    def org() -> Any:
        return seen(token())

    @app.route("/", defaults={"rest": ""}, methods=METHODS)
    @app.route("/<path:rest>", methods=METHODS)
    def anything(rest: str) -> Any:
        path = f"/{rest}"
        response = flask.jsonify(act(path, token(), flask.request.query_string.decode()))
        if path == "/late":
            response.call_on_close(work_on)
        return response, status_of(path)

    app.wsgi_app = wsgi.JWKSMiddleware(app.wsgi_app, client, warm_up=None, **settings)
    return app


def quart_app(client: Any, settings: Any) -> Any:
    """Return a Quart app, with a WebSocket."""
    app = quart.Quart("table")

    @app.route("/orders", methods=METHODS)
    @requires("orders:read")
    async def orders() -> Any:
        return seen(asgi.get_token(quart.request.scope))

    @app.route("/org", methods=METHODS)
    @requires(claims=ORG)
    async def org() -> Any:
        return seen(asgi.get_token(quart.request.scope))

    @app.route("/", defaults={"rest": ""}, methods=METHODS)
    @app.route("/<path:rest>", methods=METHODS)
    async def anything(rest: str) -> Any:
        path, token = f"/{rest}", asgi.get_token(quart.request.scope)
        return await act_in_task(path, token), status_of(path)

    @app.websocket("/ws")
    async def socket() -> None:
        await quart.websocket.accept()
        await quart.websocket.send_json(seen(asgi.get_token(quart.websocket.scope)))

    return asgi.JWKSMiddleware(app, client, warm_up=None, **settings)


def falcon_asgi(client: Any, settings: Any) -> Any:
    """Return a Falcon app under ASGI."""

    @requires("orders:read")
    async def orders(req: Any, resp: Any) -> None:
        resp.media = seen(asgi.get_token(req))

    @requires(claims=ORG)
    async def org(req: Any, resp: Any) -> None:
        resp.media = seen(asgi.get_token(req))

    async def anything(req: Any, resp: Any) -> None:
        resp.media = await act_in_task(req.path, asgi.get_token(req))

    app = falcon.asgi.App()
    for path, handler in (("/", anything), ("/orders", orders), ("/org", org)):
        app.add_sink(handler, path)
    return asgi.JWKSMiddleware(app, client, warm_up=None, **settings)


def falcon_wsgi(client: Any, settings: Any) -> Any:
    """Return a Falcon app under WSGI."""

    @requires("orders:read")
    def orders(req: Any, resp: Any) -> None:
        resp.media = seen(wsgi.get_token(req))

    @requires(claims=ORG)
    def org(req: Any, resp: Any) -> None:
        resp.media = seen(wsgi.get_token(req))

    def anything(req: Any, resp: Any) -> None:
        resp.media = act(req.path, wsgi.get_token(req))

    app = falcon.App()
    for path, handler in (("/", anything), ("/orders", orders), ("/org", org)):
        app.add_sink(handler, path)
    return wsgi.JWKSMiddleware(app, client, warm_up=None, **settings)
