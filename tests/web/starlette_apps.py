"""The app of the table for Starlette, protected in each way that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plain_apps import decorator_settings
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from table_app import METHODS, ORG, Watch, act_in_task, seen, status_of, work_on_in_task

from jwks_client import JWKSError
from jwks_client.asgi import JWKSMiddleware, current_token, get_token
from jwks_client.decorators import requires
from jwks_client.integrations.starlette import JWKSBackend

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.websockets import WebSocket


def seen_of(connection: HTTPConnection) -> dict[str, Any]:
    return seen(
        get_token(connection), connection.url.query, connection.scope.get("subprotocols", [])
    )


async def anything(request: Request) -> JSONResponse:
    path, token = request.url.path, get_token(request)
    found = await act_in_task(path, token, request.url.query)
    background = BackgroundTask(work_on_in_task) if path == "/late" else None
    return JSONResponse(found, status_of(path), background=background)


def in_thread(request: Request) -> JSONResponse:
    """Answer in Starlette's thread pool."""
    assert current_token() == get_token(request)
    return JSONResponse(seen_of(request))


async def socket(websocket: WebSocket) -> None:
    assert "token" not in str(websocket.query_params)
    await websocket.accept()
    await websocket.send_json(seen_of(websocket))
    await websocket.close()


def routes(orders: Any, org: Any, anything: Any, socket: Any, opened: Any = in_thread) -> list[Any]:
    """Return the routes of the table."""
    return [
        Route("/orders", orders, methods=METHODS),
        Route("/org", org, methods=METHODS),
        Route("/open", opened, methods=METHODS),
        WebSocketRoute("/ws", socket),
        Route("/{path:path}", anything, methods=METHODS),
    ]


def under_middleware(client: Any, settings: Any) -> Any:
    """Protect all routes by `JWKSMiddleware`, and some by `requires` for scopes and claims."""
    return Starlette(
        routes=routes(
            requires("orders:read")(in_thread), requires(claims=ORG)(anything), anything, socket
        ),
        middleware=[
            Middleware(JWKSMiddleware, client=client, warm_up=None, **settings),
            Middleware(Watch),
        ],
    )


def by_decorator(client: Any, settings: Any) -> Any:
    """Protect each handler by `requires` with a client, without a middleware."""
    rest = decorator_settings(settings)
    plainly = requires(client=client, **rest)

    async def opened(request: Request) -> JSONResponse:
        return JSONResponse(seen_of(request))

    return Starlette(
        routes=routes(
            requires("orders:read", client=client, **rest)(anything),
            requires(claims=ORG, client=client, **rest)(anything),
            plainly(anything),
            plainly(socket),
            opened,
        )
    )


def by_backend(client: Any, settings: Any) -> Any:
    """Protect the app by Starlette's own middleware, as far as that can."""
    rest = {name: value for name, value in settings.items() if name != "exclude"}
    if "locations" in rest:
        rest["locations"] = rest["locations"][:2]  # without locations of handshakes
    backend = JWKSBackend(client, **rest)
    protected = Starlette(
        routes=routes(
            requires("orders:read")(anything), requires(claims=ORG)(anything), anything, socket
        ),
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)
        ],
        exception_handlers={JWKSError: backend.answer},
    )

    async def opened(request: Request) -> JSONResponse:
        return JSONResponse(seen_of(request))

    return Starlette(routes=[Route("/open", opened), Mount("/", protected)])
