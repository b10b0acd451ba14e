"""The table against FastAPI: `JWKSAuth` alone, and under the middleware."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from edge_running import Table, handler_rows, row_id, rows, running
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket

from jwks_client import VerifiedToken
from jwks_client.asgi import JWKSMiddleware
from jwks_client.integrations.fastapi import JWKSAuth

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# Those that are about what the middleware excludes.


def seen_of(connection: Any, token: VerifiedToken | None) -> dict[str, Any]:
    """What the app can tell of a request."""
    return {
        "sub": None if token is None else token.subject,
        "scopes": [one for one in connection.auth.scopes if one != "authenticated"],
        "query": connection.url.query,
        "subprotocols": list(connection.scope.get("subprotocols", [])),
    }


def protect(app: FastAPI, auth: JWKSAuth) -> FastAPI:
    """The app of the table: a route, a router, a WebSocket, each with the dependency."""
    router = APIRouter(dependencies=[Depends(auth)])
    anyone = Annotated[VerifiedToken | None, Depends(auth)]
    reader = Annotated[VerifiedToken, Security(auth, scopes=["orders:read"])]

    @app.api_route("/orders", methods=METHODS)
    def orders(request: Request, token: reader) -> Any:
        return seen_of(request, token)

    @router.api_route("/deep", methods=METHODS)
    async def deep(token: anyone) -> Any:
        assert token is not None
        return token.require("deep").subject

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, token: anyone) -> None:
        assert "token" not in str(websocket.query_params)
        await websocket.accept()
        await websocket.send_json(seen_of(websocket, token))
        await websocket.close()

    @router.api_route("/{path:path}", methods=METHODS)
    async def anything(request: Request, token: anyone) -> Any:
        return seen_of(request, token)

    app.include_router(router)
    return app


def plain() -> FastAPI:
    """An app whose pages with the documentation are out of the way."""
    return FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


def alone(client: Any, settings: Any) -> Any:
    """The dependency verifies."""
    rest = {name: value for name, value in settings.items() if name != "exclude"}
    return protect(plain(), JWKSAuth(client, **rest))


def under_middleware(client: Any, settings: Any) -> Any:
    """The middleware has verified; the dependency takes what it found, also none."""
    app = protect(plain(), JWKSAuth(optional=True))
    app.add_middleware(JWKSMiddleware, client=client, warm_up=None, **settings)
    return app


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    with running(alone, request.param) as table:
        yield table


@pytest.mark.parametrize(
    "row",
    handler_rows(),
    ids=row_id,
)
def test_the_dependency_answers_as_the_table_says(table, row):
    """FastAPI with JWKSAuth, and nothing installed, keeps to the table: WebSockets as well."""
    table.check(row)


@pytest.fixture(scope="module")
def middleware_table() -> Iterator[Table]:
    with running(under_middleware, "uvicorn") as table:
        yield table


@pytest.mark.parametrize("row", rows(websockets=True), ids=row_id)
def test_fastapi_under_the_middleware_answers_as_the_table_says(middleware_table, row):
    """With JWKSMiddleware around the app and JWKSAuth() in it the whole table holds."""
    middleware_table.check(row)
