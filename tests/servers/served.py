"""The app that each server runs: one protected app for each setup of the request table.

A server imports `asgi_app` or `wsgi_app` in its own process. The ``X-Setup`` header chooses the
setup; the environment names the providers by their base URLs on loopback.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "web"))

from plain_apps import asgi_app, wsgi_app
from requests_table import SETUPS

from jwks_client import AsyncJWKSClient, CachePolicy, JWKSClient, providers
from jwks_client import asgi as for_asgi
from jwks_client import wsgi as for_wsgi

ISSUER = "https://issuer.test"
# The client retries at once after an outage: the tests wait for that and not for a backoff.
CACHE = CachePolicy(failure_backoff=(0.05, 0.2))


def _provider(setup: str) -> Any:
    base = os.environ["AWAY_URL" if setup == "cold" else "PROVIDER_URL"]
    url = f"{base}/.well-known/jwks.json"
    return providers.generic(url, issuer=ISSUER, audience="api")


class Asgi:
    """The protected apps behind one ASGI callable."""

    def __init__(self) -> None:
        self._apps: dict[str, Any] = {
            name: for_asgi.JWKSMiddleware(
                asgi_app, AsyncJWKSClient(_provider(name), cache=CACHE), **settings
            )
            for name, settings in SETUPS.items()
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The server's start and end go to the app that gets most requests.
        headers = dict(scope.get("headers", ()))
        await self._apps[headers.get(b"x-setup", b"plain").decode()](scope, receive, send)


class Wsgi:
    """The protected apps behind one WSGI callable."""

    def __init__(self) -> None:
        self._apps: dict[str, Any] = {
            name: for_wsgi.JWKSMiddleware(
                wsgi_app, JWKSClient(_provider(name), cache=CACHE), **settings
            )
            for name, settings in SETUPS.items()
        }

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._apps[environ.get("HTTP_X_SETUP", "plain")](environ, start_response)
