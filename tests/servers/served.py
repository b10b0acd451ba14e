"""The app that each server runs: one protected app for each setup of the request table.

A server imports `asgi_app` or `wsgi_app` in its own process. The ``X-Setup`` header chooses the
setup; the environment names the providers by their base URLs on loopback. `raw` and `raw_wsgi` are
the protected app, in the idiom of its interface.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "web"))

from requests_table import SETUPS

from jwks_client import AsyncJWKSClient, CachePolicy, JWKSClient, providers
from jwks_client import asgi as for_asgi
from jwks_client import wsgi as for_wsgi
from jwks_client.errors import CredentialsError

ISSUER = "https://issuer.test"
# A provider that recovers is asked again at once: the tests wait for that and not for a backoff.
CACHE = CachePolicy(failure_backoff=(0.05, 0.2))
SCOPES = {"/orders": "orders:read", "/deep": "deep"}


def _provider(setup: str) -> Any:
    base = os.environ["AWAY_URL" if setup == "cold" else "PROVIDER_URL"]
    url = f"{base}/.well-known/jwks.json"
    return providers.generic(url, issuer=ISSUER, audience="api")


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what the app can see of a request."""
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
    """Answer with what the app can see of a request."""
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


class Asgi:
    """The protected apps behind one ASGI callable."""

    def __init__(self) -> None:
        self._apps: dict[str, Any] = {
            name: for_asgi.JWKSMiddleware(
                raw, AsyncJWKSClient(_provider(name), cache=CACHE), **settings
            )
            for name, settings in SETUPS.items()
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The start and the end of the server are those of the app that most requests go to.
        headers = dict(scope.get("headers", ()))
        await self._apps[headers.get(b"x-setup", b"plain").decode()](scope, receive, send)


class Wsgi:
    """The protected apps behind one WSGI callable."""

    def __init__(self) -> None:
        self._apps: dict[str, Any] = {
            name: for_wsgi.JWKSMiddleware(
                raw_wsgi, JWKSClient(_provider(name), cache=CACHE), **settings
            )
            for name, settings in SETUPS.items()
        }

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._apps[environ.get("HTTP_X_SETUP", "plain")](environ, start_response)
