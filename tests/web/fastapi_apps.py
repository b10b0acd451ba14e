"""The app of the table for FastAPI: `JWKSAuth` alone, and under the middleware."""
# No annotations from the future: FastAPI reads those of functions, and they name local variables.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from starlette_apps import anything, socket
from table_app import METHODS, ORG, Watch, seen

from jwks_client import VerifiedToken
from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.integrations.fastapi import JWKSAuth


def app_of(auth: JWKSAuth) -> FastAPI:
    """Return routes, a router and a WebSocket, each with the dependency."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter(dependencies=[Depends(auth)])
    anyone = Annotated[VerifiedToken | None, Depends(auth)]
    reader = Annotated[VerifiedToken, Security(auth, scopes=["orders:read"])]

    @app.api_route("/orders", methods=METHODS)
    def orders(request: Request, token: reader) -> Any:
        return seen(token, request.url.query)

    @app.api_route("/org", methods=METHODS)
    async def org(token: Annotated[VerifiedToken, Depends(auth.requires(claims=ORG))]) -> Any:
        return seen(token)

    @app.api_route("/open", methods=METHODS)
    async def opened() -> Any:
        return seen(None)

    @app.websocket("/ws")
    async def live(websocket: WebSocket, token: anyone) -> None:
        assert token == get_token(websocket)
        await socket(websocket)

    @router.api_route("/{path:path}", methods=METHODS)
    async def rest(request: Request, token: anyone) -> Any:
        assert token == get_token(request)
        return await anything(request)

    app.include_router(router)
    return app


def by_dependency(client: Any, settings: Any) -> Any:
    """Protect the app by the dependency, which verifies."""
    return app_of(JWKSAuth(client, **{n: one for n, one in settings.items() if n != "exclude"}))


def under_middleware(client: Any, settings: Any) -> Any:
    """Protect the app by the middleware; the dependency uses its result, anonymous requests included."""
    app = app_of(JWKSAuth(optional=True))
    app.add_middleware(Watch)
    app.add_middleware(JWKSMiddleware, client=client, warm_up=None, **settings)
    return app
