"""django-oauth-toolkit (PyPI) as a process: one user, one application, ID tokens by code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from wsgi_server import serve


def _configure(given: dict[str, Any]) -> None:
    active, *inactive = given["pems"]
    settings.configure(
        SECRET_KEY="a-secret-of-the-test-that-is-long-enough",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="django_oauth_toolkit",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": given["database"]},
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGIN_URL="/login",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": active,
            "OIDC_RSA_PRIVATE_KEYS_INACTIVE": inactive,
            "OAUTH2_VALIDATOR_CLASS": "django_oauth_toolkit_claims.Validator",
            "SCOPES": {"openid": "who the user is"},
            "PKCE_REQUIRED": False,
        },
    )
    django.setup()


def _fill(given: dict[str, Any]) -> None:
    from django.contrib.auth import get_user_model
    from oauth2_provider.models import get_application_model

    user = get_user_model().objects.create_user("alice")
    get_application_model().objects.create(
        client_id="app",
        client_secret="secret-of-the-test",
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=f"{given['issuer']}/callback",
        algorithm="RS256",
        skip_authorization=True,
        user=user,
    )


def _login(request: Any) -> Any:
    from django.contrib.auth import get_user_model, login
    from django.http import HttpResponse

    login(request, get_user_model().objects.get(username="alice"))
    return HttpResponse("in")


def main() -> None:
    """Serve as the settings file says."""
    given = json.loads(Path(sys.argv[1]).read_text())
    _configure(given)
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    globals()["urlpatterns"] = [
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("login", _login),
    ]
    sys.modules["django_oauth_toolkit"] = sys.modules[__name__]
    call_command("migrate", verbosity=0)
    _fill(given)
    serve(get_wsgi_application(), given)


if __name__ == "__main__":
    main()
