"""The table against Starlette: under the middleware, with `requires` alone, and with its own backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from edge_running import Table, handler_rows, row_id, rows, running
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from jwks_client import JWKSError
from jwks_client.asgi import JWKSMiddleware, current_token, get_token
from jwks_client.decorators import requires
from jwks_client.integrations.starlette import JWKSBackend

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.websockets import WebSocket

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# Those that are about what the middleware excludes.


def seen_of(connection: HTTPConnection) -> dict[str, Any]:
    """What the app can tell of a request."""
    token = get_token(connection)
    return {
        "sub": None if token is None else token.subject,
        "scopes": [one for one in connection.auth.scopes if one != "authenticated"],
        "query": connection.url.query,
        "subprotocols": list(connection.scope.get("subprotocols", [])),
    }


async def anything(request: Request) -> JSONResponse:
    """Whatever else is asked."""
    return JSONResponse(seen_of(request))


async def deep(request: Request) -> JSONResponse:
    """Asks for a scope itself."""
    token = get_token(request)
    assert token is not None
    return JSONResponse(token.require("deep").subject)


def orders(request: Request) -> JSONResponse:
    """In Starlette's thread pool."""
    assert current_token() == get_token(request)
    return JSONResponse(seen_of(request))


async def socket(websocket: WebSocket) -> None:
    """Tells what it sees."""
    await websocket.accept()
    await websocket.send_json(seen_of(websocket))
    await websocket.close()


def routes(orders: Any, deep: Any, socket: Any, anything: Any) -> list[Any]:
    """The app of the table, one part of it in a mounted app."""
    mounted = Starlette(routes=[Route("/", orders, methods=METHODS)])
    return [
        Route("/deep", deep, methods=METHODS),
        WebSocketRoute("/ws", socket),
        Mount("/orders", mounted, name="mounted"),
        Route("/{path:path}", anything, methods=METHODS),
    ]


def under_middleware(client: Any, settings: Any) -> Any:
    """`JWKSMiddleware` for all, `requires` for the scope."""
    return Starlette(
        routes=[
            Route("/orders", requires("orders:read")(orders), methods=METHODS),
            *routes(orders, deep, socket, anything),
        ],
        middleware=[Middleware(JWKSMiddleware, client=client, warm_up=None, **settings)],
    )


def by_decorator(client: Any, settings: Any) -> Any:
    """`requires` with a client on each handler, and no middleware."""
    rest = {name: value for name, value in settings.items() if name not in ("exclude", "optional")}
    needs_token = requires(client=client, **rest)

    async def read_orders(request: Request) -> JSONResponse:
        return JSONResponse(seen_of(request))

    return Starlette(
        routes=[
            Route(
                "/orders",
                requires("orders:read", client=client, **rest)(read_orders),
                methods=METHODS,
            ),
            *routes(read_orders, *map(needs_token, (deep, socket, anything))),
        ]
    )


def by_backend(client: Any, settings: Any) -> Any:
    """Starlette's own middleware, for what it can do."""
    rest = {name: value for name, value in settings.items() if name != "exclude"}
    if "locations" in rest:
        rest["locations"] = rest["locations"][:2]  # no places of handshakes
    backend = JWKSBackend(client, **rest)
    scope_wanted = requires("orders:read")(anything)
    return Starlette(
        routes=[
            Route("/orders", scope_wanted, methods=METHODS),
            *routes(scope_wanted, deep, socket, anything),
        ],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)
        ],
        exception_handlers={JWKSError: backend.answer},
    )


@pytest.fixture(scope="module")
def middleware_table() -> Iterator[Table]:
    with running(under_middleware, "uvicorn") as table:
        yield table


@pytest.mark.parametrize("row", rows(websockets=True), ids=row_id)
def test_starlette_under_the_middleware_answers_as_the_table_says(middleware_table, row):
    """Starlette's routes, mounts and WebSockets under JWKSMiddleware keep to the table."""
    middleware_table.check(row)


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def decorator_table(request: pytest.FixtureRequest) -> Iterator[Table]:
    with running(by_decorator, request.param) as table:
        yield table


@pytest.mark.parametrize(
    "row",
    [row for row in handler_rows() if row.setup != "optional"],
    ids=row_id,
)
def test_a_handler_that_is_decorated_with_a_client_answers_as_the_table_says(decorator_table, row):
    """Without any middleware @requires(client=…) keeps to the table, handshakes included."""
    decorator_table.check(row)


@pytest.fixture(scope="module")
def backend_table() -> Iterator[Table]:
    with running(by_backend, "uvicorn") as table:
        yield table


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in handler_rows()
        if not (row.websocket and (row.setup == "websocket" or row.code is not None))
    ],
    ids=row_id,
)
def test_starlettes_own_middleware_answers_as_the_table_says(backend_table, row):
    """JWKSBackend keeps to the table in all that Starlette's own middleware leaves to it."""
    backend_table.check(row)
