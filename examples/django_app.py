"""Protect a Django site: the native middleware, and `requires` on views.

A site in one file. In a project the settings are in ``settings.py`` and the client in a separate
module. The relevant settings are MIDDLEWARE, JWKS_CLIENT and JWKS_OPTIONS.

    pip install "jwks-client-sdk[django]" uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/django_app.py

Settings: OIDC_ISSUER, OIDC_AUDIENCE, and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

from __future__ import annotations

import contextlib
import os
import sys

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler  # noqa: TC002 (a reader looks for it here)
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views import View

from jwks_client import AsyncJWKSClient, KeysUnavailableError, providers
from jwks_client.integrations.django import requires

client: AsyncJWKSClient  # set by make_app


def health(_request: HttpRequest) -> JsonResponse:
    """Answer a liveness probe."""
    return JsonResponse({"status": "ok"})


async def ready(_request: HttpRequest) -> JsonResponse:
    """Answer a readiness probe: try to load the keys, and answer 503 until they are loaded."""
    if not client.ready:
        with contextlib.suppress(KeysUnavailableError):
            await client.warm_up(timeout=1)
    return JsonResponse({"ready": client.ready}, status=200 if client.ready else 503)


async def me(request: HttpRequest) -> JsonResponse:
    """Answer every caller with a token."""
    return JsonResponse({"sub": request.token.subject})


@requires("orders:read")
class Orders(View):
    """Orders, with different scopes for reading and writing."""

    async def get(self, request: HttpRequest) -> JsonResponse:
        """List the orders."""
        return JsonResponse({"orders of": request.token.subject})

    @requires("orders:write")
    async def post(self, request: HttpRequest) -> JsonResponse:
        """Make an order."""
        return JsonResponse({"order of": request.token.subject}, status=201)


urlpatterns = [
    path("health", health),
    path("ready", ready),
    path("me", me),
    path("orders", Orders.as_view()),
]


def make_app() -> ASGIHandler:
    """Return the site, configured by the environment."""
    global client  # noqa: PLW0603 (in a project: a separate module, project/auth.py)
    client = AsyncJWKSClient(
        providers.oidc(
            os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
            audience=os.environ.get("OIDC_AUDIENCE", "api"),
        )
    )
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=["jwks_client.integrations.django.JWKSMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only-signs-cookies-and-this-site-sets-none",
        JWKS_CLIENT=f"{__name__}.client",
        JWKS_OPTIONS={"exclude": ["/health", "/ready"], "realm": "orders"},
    )
    return get_asgi_application()


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        port = int(os.environ.get("PORT", "8000"))
        uvicorn.run(make_app(), host="127.0.0.1", port=port, lifespan="off")
    return 0


if __name__ == "__main__":
    sys.exit(main())
