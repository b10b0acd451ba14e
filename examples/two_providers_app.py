"""One API for two providers: Stytch for people, another one for partners.

Shows one client with both, routes that accept either or only one, and paths for probes. The app is
ready when the keys for people are loaded; those for partners may follow later. A token of one
provider is never accepted as the other's, and an outage of one does not affect the other.

    pip install "jwks-client-sdk[fastapi,cli]"       # cli brings uvicorn
    export STYTCH_PROJECT_ID=project-live-…
    export PARTNER_ISSUER=https://idp.partner.example PARTNER_AUDIENCE=…
    python examples/two_providers_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/whoami

Settings: STYTCH_PROJECT_ID, PARTNER_ISSUER, PARTNER_AUDIENCE and PORT (0: any free one). As it
stands, the partners' provider is the one that ``jwks-client serve`` runs on this machine.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Response

from jwks_client import AsyncJWKSClient, KeysUnavailableError, VerifiedToken, providers
from jwks_client.integrations.fastapi import JWKSAuth

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"


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
    people = providers.stytch(os.environ.get("STYTCH_PROJECT_ID", PROJECT), name="people")
    partners = providers.oidc(
        os.environ.get("PARTNER_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("PARTNER_AUDIENCE", "api"),
        name="partners",
        required_at_start=False,
    )
    client = AsyncJWKSClient(people, partners)
    auth = JWKSAuth(client)

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            loading = asyncio.create_task(load(client))
            yield
            loading.cancel()

    app = FastAPI(title="Shop", lifespan=live)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {name: one.state for name, one in client.health().items()}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, bool]:
        response.status_code = 200 if client.ready else 503
        return {"ready": client.ready}

    @app.get("/whoami")
    async def whoami(token: Annotated[VerifiedToken, Depends(auth)]) -> dict[str, str | None]:
        return {"sub": token.subject, "of": token.provider}

    @app.get("/basket")
    async def basket(
        token: Annotated[VerifiedToken, Depends(auth.requires(provider="people"))],
    ) -> dict[str, str | None]:
        return {"basket of": token.subject}

    @app.get("/stock")
    async def stock(
        token: Annotated[VerifiedToken, Depends(auth.requires("stock:read", provider="partners"))],
    ) -> dict[str, str | None]:
        return {"stock for": token.subject}

    return app


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
