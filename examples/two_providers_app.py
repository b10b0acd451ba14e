"""One API for two providers at once: people by Stytch, partners by their own provider.

Shows one client with both, routes that take either or only one, and a health page with the state of
each. A token of one never passes for the other's, and an outage of one is no matter to the other.

    pip install "jwks-client-sdk[fastapi,cli]"       # cli brings uvicorn
    export STYTCH_PROJECT_ID=project-live-…
    export PARTNER_ISSUER=https://idp.partner.example PARTNER_AUDIENCE=…
    python examples/two_providers_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/whoami

Settings: STYTCH_PROJECT_ID, PARTNER_ISSUER, PARTNER_AUDIENCE and PORT (0: any free one). As it
stands its partners are those of the provider that ``jwks-client serve`` runs on this machine.
"""

import contextlib
import os
import sys
from typing import Annotated

from fastapi import Depends, FastAPI

from jwks_client import AsyncJWKSClient, VerifiedToken, providers
from jwks_client.integrations.fastapi import JWKSAuth

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"


def make_app() -> FastAPI:
    """The app as the environment configures it; also for ``uvicorn --factory``."""
    people = providers.stytch(os.environ.get("STYTCH_PROJECT_ID", PROJECT), name="people")
    partners = providers.oidc(
        os.environ.get("PARTNER_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("PARTNER_AUDIENCE", "api"),
        name="partners",
    )
    client = AsyncJWKSClient(people, partners)
    auth = JWKSAuth(client)
    app = FastAPI(title="Shop")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {name: one.state for name, one in client.health().items()}

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
