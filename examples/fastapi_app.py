"""Protect a FastAPI app by a dependency, without a middleware; /docs has a field for the token.

Shows a route that requires a scope, claims as a type, a WebSocket, and how the client starts and
ends with the app. Refused requests are answered with 400, 401, 403 or 503. /health is for a
liveness probe; /ready is for a readiness probe, and answers 503 until the keys are loaded.

    pip install "jwks-client-sdk[fastapi,cli]" websockets   # cli brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/fastapi_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Response, Security, WebSocket

from jwks_client import AsyncJWKSClient, KeysUnavailableError, VerifiedToken, providers
from jwks_client.integrations.fastapi import JWKSAuth


@dataclass
class User:
    """The claims that this app reads."""

    sub: str
    name: str | None = None


async def load(client: AsyncJWKSClient) -> None:
    """Load the keys, and retry until they are loaded: the provider may be down at startup."""
    while not client.ready:
        try:
            await client.warm_up()
        except KeysUnavailableError as error:
            print(f"keys not loaded yet: {error}", file=sys.stderr)
            await asyncio.sleep(error.retry_after or 1)


def make_app() -> FastAPI:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    issuer = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400")
    client = AsyncJWKSClient(
        providers.oidc(issuer, audience=os.environ.get("OIDC_AUDIENCE", "api"))
    )

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            loading = asyncio.create_task(load(client))
            yield
            loading.cancel()

    app = FastAPI(title="Orders", lifespan=live)
    auth = JWKSAuth(
        client,
        openid_connect_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
    )

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {name: one.state for name, one in client.health().items()}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, bool]:
        response.status_code = 200 if client.ready else 503
        return {"ready": client.ready}

    @app.get("/me")
    async def me(user: Annotated[User, Depends(auth.claims_as(User))]) -> User:
        return user

    @app.get("/orders")
    def orders(
        token: Annotated[VerifiedToken, Security(auth, scopes=["orders:read"])],
    ) -> dict[str, str | None]:
        return {"orders of": token.subject}

    @app.websocket("/live")
    async def live_orders(
        websocket: WebSocket, token: Annotated[VerifiedToken, Depends(auth)]
    ) -> None:
        await websocket.accept()
        await websocket.send_json({"orders of": token.subject})
        await websocket.close()

    return app


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
