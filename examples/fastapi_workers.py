"""Four workers of a FastAPI app share one fetch of the keys, through Redis.

A worker that is restarted while the provider is down uses the stored keys. The secret seals the
stored records: an attacker who can write to Redis, but does not know the secret, cannot plant a
key.

    pip install "jwks-client-sdk[fastapi,redis,cli]"     # cli brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    export REDIS_URL=redis://127.0.0.1:6379/0 JWKS_STORE_SECRET=…     # at least 32 bytes
    python examples/fastapi_workers.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE, REDIS_URL, JWKS_STORE_SECRET and PORT (0: any free one). As it
stands it works with the provider that ``jwks-client serve`` runs on this machine. It also works
without a Redis server: each worker then fetches for itself.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Response, Security

from jwks_client import AsyncJWKSClient, KeysUnavailableError, VerifiedToken, providers, stores
from jwks_client.integrations.fastapi import JWKSAuth

PLACEHOLDER = "not a secret: at least 32 bytes from a vault"


async def load(client: AsyncJWKSClient) -> None:
    """Load the keys, and retry until they are loaded: the provider may be down at startup."""
    while not client.ready:
        try:
            await client.warm_up()
        except KeysUnavailableError as error:
            print(f"keys not loaded yet: {error}", file=sys.stderr)
            await asyncio.sleep(error.retry_after or 1)


def make_app() -> FastAPI:
    """Return the app of one worker, configured by the environment."""
    issuer = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400")
    store = stores.RedisStore(
        os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
        secret=os.environ.get("JWKS_STORE_SECRET", PLACEHOLDER),
    )
    client = AsyncJWKSClient(
        providers.oidc(issuer, audience=os.environ.get("OIDC_AUDIENCE", "api")), store=store
    )

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            loading = asyncio.create_task(load(client))
            yield
            loading.cancel()

    app = FastAPI(title="Orders", lifespan=live)
    auth = JWKSAuth(client)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, bool]:
        response.status_code = 200 if client.ready else 503
        return {"ready": client.ready}

    @app.get("/orders")
    def orders(
        token: Annotated[VerifiedToken, Security(auth, scopes=["orders:read"])],
    ) -> dict[str, str | int | None]:
        return {"orders of": token.subject, "worker": os.getpid()}

    return app


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(
            f"{Path(__file__).stem}:make_app",
            factory=True,
            app_dir=str(Path(__file__).parent),
            workers=4,
            timeout_worker_healthcheck=30,  # uvicorn 0.37 and later would kill a slow start
            host="127.0.0.1",
            port=int(os.environ.get("PORT", "8000")),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
