"""Protect a Starlette app: a middleware for the whole app, `requires` for routes.

Shows public paths for probes, a sync and an async route, a class-based endpoint and a WebSocket.
The middleware loads the keys at startup and closes the client at shutdown.

    pip install "jwks-client-sdk[starlette,cli]" websockets   # cli brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/starlette_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

import contextlib
import os
import sys

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwks_client import AsyncJWKSClient, providers
from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.decorators import requires


def subject() -> str | None:
    """Return the caller's subject, without passing the request along."""
    token = current_token()
    return None if token is None else token.subject


async def health(_: Request) -> JSONResponse:
    """Answer a liveness probe: the middleware excludes the path."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> JSONResponse:
    """Answer a readiness probe: 503 until the keys are loaded."""
    is_ready = request.app.state.client.ready
    return JSONResponse({"ready": is_ready}, status_code=200 if is_ready else 503)


def me(_: Request) -> JSONResponse:
    """Answer every caller with a valid token, in Starlette's thread pool."""
    return JSONResponse({"sub": subject()})


class Orders(HTTPEndpoint):
    """Orders, with a different requirement for each method."""

    @requires("orders:read")
    async def get(self, _: Request) -> JSONResponse:
        """Show the caller's orders."""
        return JSONResponse({"orders of": subject()})

    @requires("orders:write", claims={"email_verified": True})
    async def post(self, _: Request) -> JSONResponse:
        """Accept an order from a caller whose address is verified."""
        return JSONResponse({"ordered by": subject()}, status_code=201)


@requires("orders:read")
async def live(websocket: WebSocket) -> None:
    """Send the orders as they arrive."""
    await websocket.accept()
    await websocket.send_json({"orders of": subject()})
    await websocket.close()


def make_app() -> Starlette:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    client = AsyncJWKSClient(provider)
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/me", me),
            Route("/orders", Orders),
            WebSocketRoute("/live", live),
        ],
        middleware=[
            Middleware(
                JWKSMiddleware,
                client=client,
                exclude=["/health", "/ready"],
                close_client=True,
            )
        ],
    )
    app.state.client = client
    return app


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
