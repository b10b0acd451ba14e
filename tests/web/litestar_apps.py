"""The app of the table for Litestar, with the plugin and under the middleware."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response, WebSocket, route, websocket
from litestar.background_tasks import BackgroundTask
from table_app import METHODS, ORG, act_in_task, seen, status_of, work_on_in_task

from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.decorators import requires
from jwks_client.integrations.litestar import JWKSAuth
from jwks_client.integrations.litestar import requires as guard


@route(["/", "/{rest:path}"], http_method=METHODS)
async def anything(request: Request[Any, Any, Any]) -> Response[Any]:
    scope = request.scope
    found = await act_in_task(scope["path"], get_token(scope), scope["query_string"].decode())
    background = BackgroundTask(work_on_in_task) if scope["path"] == "/late" else None
    return Response(found, status_code=status_of(scope["path"]), background=background)


async def whoami(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return seen(get_token(request.scope))


async def whoami_by_plugin(request: Request[Any, Any, Any]) -> dict[str, Any]:
    assert request.auth is request.user.token
    return seen(request.auth)


@websocket("/ws")
async def live(socket: WebSocket[Any, Any, Any]) -> None:
    scope = socket.scope
    await socket.accept()
    query, offered = scope["query_string"].decode(), scope.get("subprotocols", [])
    await socket.send_json(seen(get_token(scope), query, offered))
    await socket.close()


def app_of(*handlers: Any, **settings: Any) -> Litestar:
    handlers = (anything, live, *handlers)
    return Litestar(handlers, openapi_config=None, logging_config=None, **settings)


def by_plugin(client: Any, settings: Any) -> Any:
    """Protect the app by the plugin, with guards."""
    anyhow: dict[str, Any] = {"http_method": METHODS, "status_code": 200}
    return app_of(
        route("/orders", guards=[guard("orders:read")], **anyhow)(whoami_by_plugin),
        route("/org", guards=[guard(claims=ORG)], **anyhow)(whoami_by_plugin),
        plugins=[JWKSAuth(client, warm_up=None, **settings)],
    )


def under_middleware(client: Any, settings: Any) -> Any:
    """Protect the app by `JWKSMiddleware`, with decorated handlers."""
    anyhow: dict[str, Any] = {"http_method": METHODS, "status_code": 200}
    app = app_of(
        route("/orders", **anyhow)(requires("orders:read")(whoami)),
        route("/org", **anyhow)(requires(claims=ORG)(whoami)),
    )
    return JWKSMiddleware(app, client, warm_up=None, **settings)
