"""Protect a Litestar app: a plugin for the whole app, guards for routes.

Shows public routes for probes, guards, a WebSocket, and an OpenAPI document that names the
provider.
The keys are loaded when the app starts, and the client is closed when it ends.

    pip install "jwks-client-sdk[litestar,cli]" websockets   # cli brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/litestar_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

import contextlib
import os
import sys
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import State

from jwks_client import AsyncJWKSClient, providers
from jwks_client.integrations.litestar import JWKSAuth, requires


@get("/health", exclude_from_auth=True)
async def health() -> dict[str, str]:
    """Answer a liveness probe."""
    return {"status": "ok"}


@get("/ready", exclude_from_auth=True)
async def ready(state: State) -> Response[dict[str, bool]]:
    """Answer a readiness probe: 503 until the keys are loaded."""
    is_ready = state.client.ready
    return Response({"ready": is_ready}, status_code=200 if is_ready else 503)


@get("/me")
async def me(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Answer every caller with a valid token."""
    return {"sub": request.user.identity}


@get("/orders", guards=[requires("orders:read")])
async def read_orders(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Show the caller's orders."""
    return {"orders of": request.auth.subject}


@post("/orders", guards=[requires("orders:write", claims={"email_verified": True})])
async def order(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Accept an order from a caller whose address is verified."""
    return {"ordered by": request.auth.subject}


@websocket("/live", guards=[requires("orders:read")])
async def live(socket: WebSocket[Any, Any, Any]) -> None:
    """Send the orders as they arrive."""
    await socket.accept()
    await socket.send_json({"orders of": socket.auth.subject})
    await socket.close()


def make_app() -> Litestar:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    issuer = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400")
    provider = providers.oidc(issuer, audience=os.environ.get("OIDC_AUDIENCE", "api"))
    client = AsyncJWKSClient(provider)
    auth = JWKSAuth(
        client,
        exclude=["/schema", "/schema/*"],
        openid_connect_url=f"{issuer}/.well-known/openid-configuration",
        close_client=True,
    )
    return Litestar(
        [health, ready, me, read_orders, order, live],
        plugins=[auth],
        state=State({"client": client}),
    )


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
