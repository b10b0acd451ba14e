"""Protect a Django REST API: users from tokens, a scope for each view, staff by a scope.

An API in one file. In a project the settings are in ``settings.py`` and the client in a separate
module.

    pip install "jwks-client-sdk[drf]" uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/drf_app.py

Settings: OIDC_ISSUER, OIDC_AUDIENCE, and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler  # noqa: TC002 (a reader looks for it here)
from django.urls import path

from jwks_client import JWKSClient, VerifiedToken, providers
from jwks_client.integrations.drf import HasScopes, JWKSAuthentication, TokenUser

client: JWKSClient  # set by make_app

APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.StaffAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "jwks_client.integrations.drf.exception_handler",
}


class StaffAuthentication(JWKSAuthentication):
    """Treats users whose tokens have the scope ``admin`` as staff."""

    def user_of(self, token: VerifiedToken) -> TokenUser:
        """Return the user of a token."""
        return TokenUser(token, is_staff="admin" in token.scopes)


def urls() -> list[Any]:
    """Return the views; the framework must be configured before they are defined."""
    from rest_framework.permissions import AllowAny, IsAdminUser
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Health(APIView):
        authentication_classes = ()
        permission_classes = (AllowAny,)

        def get(self, _request: Any) -> Response:
            return Response({"status": "ok"})

    class Ready(Health):  # 503 until the keys are loaded, which the first request begins
        def get(self, _request: Any) -> Response:
            return Response({"ready": client.ready}, status=200 if client.ready else 503)

    class Orders(APIView):
        permission_classes = (HasScopes("orders:read"),)

        def get(self, request: Any) -> Response:
            return Response({"orders of": request.user.username})

    class Staff(APIView):
        permission_classes = (IsAdminUser,)

        def get(self, request: Any) -> Response:
            return Response({"staff": request.auth.subject})

    return [
        path("health", Health.as_view()),
        path("ready", Ready.as_view()),
        path("orders", Orders.as_view()),
        path("staff", Staff.as_view()),
    ]


def make_app() -> ASGIHandler:
    """Return the API, configured by the environment."""
    global client  # noqa: PLW0603 (in a project: a separate module, project/auth.py)
    client = JWKSClient(
        providers.oidc(
            os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
            audience=os.environ.get("OIDC_AUDIENCE", "api"),
        )
    )
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        INSTALLED_APPS=APPS,
        LOGGING_CONFIG=None,
        REST_FRAMEWORK=REST_FRAMEWORK,
        ROOT_URLCONF=__name__,
        SECRET_KEY="only-signs-cookies-and-this-site-sets-none",
        JWKS_CLIENT=f"{__name__}.client",
    )
    django.setup()
    globals()["urlpatterns"] = urls()
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
