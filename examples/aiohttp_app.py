"""Protect an aiohttp app: `setup` for the whole app, `requires` for handlers.

Shows open paths for probes, handlers that require scopes and claims, and a WebSocket. The keys are
loaded when the app starts, and the client is closed when it ends.

    pip install "jwks-client-sdk[aiohttp]"
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/aiohttp_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

import functools
import os
import sys

from aiohttp import web

from jwks_client import AsyncJWKSClient, providers
from jwks_client.asgi import current_token
from jwks_client.decorators import requires
from jwks_client.integrations.aiohttp import get_token, setup


def subject() -> str | None:
    """Return the caller's subject, without passing the request along."""
    token = current_token()
    return None if token is None else token.subject


CLIENT = web.AppKey("client", AsyncJWKSClient)


async def health(_: web.Request) -> web.Response:
    """Answer a liveness probe: the path is excluded."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer a readiness probe: 503 until the keys are loaded."""
    is_ready = request.app[CLIENT].ready
    return web.json_response({"ready": is_ready}, status=200 if is_ready else 503)


async def me(request: web.Request) -> web.Response:
    """Answer every caller with a valid token."""
    token = get_token(request)
    return web.json_response({"sub": None if token is None else token.subject})


@requires("orders:read")
async def read_orders(_: web.Request) -> web.Response:
    """Show the caller's orders."""
    return web.json_response({"orders of": subject()})


@requires("orders:write", claims={"email_verified": True})
async def order(_: web.Request) -> web.Response:
    """Accept an order from a caller whose address is verified."""
    return web.json_response({"ordered by": subject()}, status=201)


@requires("orders:read")
async def live(request: web.Request) -> web.WebSocketResponse:
    """Send the orders as they arrive."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json({"orders of": subject()})
    await socket.close()
    return socket


def make_app() -> web.Application:
    """Return the app, configured by the environment."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    app = web.Application()
    app[CLIENT] = client = AsyncJWKSClient(provider)
    setup(app, client, exclude=["/health", "/ready"], close_client=True)
    app.add_routes(
        [
            web.get("/health", health),
            web.get("/ready", ready),
            web.get("/me", me),
            web.get("/orders", read_orders),
            web.post("/orders", order),
            web.get("/live", live),
        ]
    )
    return app


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    web.run_app(
        make_app(),
        host="127.0.0.1",
        port=int(os.environ.get("PORT", "8000")),
        print=functools.partial(print, file=sys.stderr, flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
