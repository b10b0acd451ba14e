"""The app that each server runs: one protected app for each setup of the request table.

<<<<<<< HEAD
A server imports `asgi_app` or `wsgi_app` in its own process. The ``X-Setup`` header chooses the
setup; the environment names the providers by their base URLs on loopback.
=======
A server imports `asgi_app` or `wsgi_app` in its own process. The ``X-Setup`` header selects the
setup; the environment names the providers by their base URLs on loopback. `raw` and `raw_wsgi` are
the protected app, in the idiom of its interface.
>>>>>>> f2827f6 (Reword the remaining tests in plain English)
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


<<<<<<< HEAD
=======
async def raw(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what the app sees of a request."""
    token = for_asgi.get_token(scope)
    seen = {
        "sub": None if token is None else token.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": scope["query_string"].decode(),
        "subprotocols": list(scope.get("subprotocols", [])),
        "process": os.getpid(),
    }
    text = json.dumps(seen)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"] in SCOPES:
        if token is None:
            raise CredentialsError("missing_credentials", "nobody")
        token.require(SCOPES[scope["path"]])
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def raw_wsgi(environ: Any, start_response: Any) -> Any:
    """Answer with what the app sees of a request."""
    token = for_wsgi.get_token(environ)
    seen = {
        "sub": None if token is None else token.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": environ.get("QUERY_STRING", ""),
        "subprotocols": [],
        "process": os.getpid(),
    }
    if environ["PATH_INFO"] in SCOPES:
        if token is None:
            raise CredentialsError("missing_credentials", "nobody")
        token.require(SCOPES[environ["PATH_INFO"]])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


>>>>>>> f2827f6 (Reword the remaining tests in plain English)
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
