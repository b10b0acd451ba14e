"""Serve tenants that sign up and leave while the service runs; their providers are in SQLite.

Shows ``resolve`` together with a configured provider. Operators, whose tokens come from the
configured provider, may change the table. A tenant's tokens are verified with the keys that its row
names. ``forget`` makes a change effective at once in this process; other processes see it within
``resolve_ttl``. /health is for a liveness probe; /ready is for a readiness probe, and answers 503
until the operators' keys are loaded. A tenant's keys are loaded when its first token arrives.

    pip install "jwks-client-sdk[cli]"       # brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…        # the operators'
    python examples/tenants_sqlite.py
    curl -X PUT -H "Authorization: Bearer $OPERATOR" http://127.0.0.1:8000/tenants -d '{
        "issuer": "https://id.acme.example/", "audience": "…",
        "jwks_url": "https://id.acme.example/jwks"}'
    curl -H "Authorization: Bearer $TOKEN_OF_ACME" http://127.0.0.1:8000/
    curl -X DELETE -H "Authorization: Bearer $OPERATOR" http://127.0.0.1:8000/tenants -d '{
        "issuer": "https://id.acme.example/"}'

Settings: OIDC_ISSUER, OIDC_AUDIENCE, TENANTS_DB (a file) and PORT (0: any free one). As it stands
the operators' provider is the one that ``jwks-client serve`` runs on this machine; their tokens
need the scope tenants:write.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from typing import Any, TypeAlias

from jwks_client import AsyncJWKSClient, ConfigurationError, Provider, VerifiedToken, providers
from jwks_client.asgi import JWKSMiddleware, get_token

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

OPERATORS = "operators"
LONGEST_BODY = 10_000


class Tenants:
    """The table of tenants. Each call opens a connection, because the resolver runs in threads."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._open() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS tenants"
                " (issuer TEXT PRIMARY KEY, audience TEXT NOT NULL, jwks_url TEXT NOT NULL)"
            )

    @contextlib.contextmanager
    def _open(self) -> Any:
        with closing(sqlite3.connect(self._path, timeout=1)) as db, db:
            yield db

    def resolve(self, issuer: str) -> Provider | None:
        """Return the provider of an issuer, which is compared byte by byte."""
        with self._open() as db:
            row = db.execute(
                "SELECT audience, jwks_url FROM tenants WHERE issuer = ?", (issuer,)
            ).fetchone()
        return None if row is None else self._provider(issuer, *row)

    def put(self, issuer: str, audience: str, jwks_url: str) -> None:
        """Add or change a tenant. Raises ConfigurationError if the values are invalid."""
        if not issuer.startswith(("https://", "http://127.0.0.1:")):
            raise ConfigurationError("issuer", "must be an https URL")
        self._provider(issuer, audience, jwks_url)
        with self._open() as db:
            db.execute("REPLACE INTO tenants VALUES (?, ?, ?)", (issuer, audience, jwks_url))

    def remove(self, issuer: str) -> None:
        """Remove a tenant, if it exists."""
        with self._open() as db:
            db.execute("DELETE FROM tenants WHERE issuer = ?", (issuer,))

    @staticmethod
    def _provider(issuer: str, audience: str, jwks_url: str) -> Provider:
        return providers.generic(jwks_url, issuer=issuer, audience=audience)


class Service:
    """The app: shows tenants their own name, and lets operators change the table."""

    def __init__(self, tenants: Tenants, client: AsyncJWKSClient) -> None:
        self._tenants = tenants
        self._client = client

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request; the middleware has verified its token."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        token = get_token(scope)
        content: dict[str, object]
        if scope["path"] == "/ready":
            status, content = 200 if self._client.ready else 503, {"ready": self._client.ready}
        elif token is None:  # only /health gets here without a token
            status, content = 200, {"status": "ok"}
        elif scope["path"] == "/tenants":
            status, content = await self._change(token, scope["method"], receive)
        else:
            status, content = 200, {"tenant": token.provider, "sub": token.subject}
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    async def _change(
        self, token: VerifiedToken, method: str, receive: Receive
    ) -> tuple[int, dict[str, object]]:
        # A tenant can sign any scope, so only the configured provider makes a caller an operator.
        if token.provider != OPERATORS:
            return 403, {"error": "only operators may change tenants"}
        token.require("tenants:write")
        try:
            wanted = json.loads(await body_of(receive))
            issuer = str(wanted["issuer"])
            if method == "DELETE":
                await asyncio.to_thread(self._tenants.remove, issuer)
            else:
                row = issuer, str(wanted["audience"]), str(wanted["jwks_url"])
                await asyncio.to_thread(self._tenants.put, *row)
        except (ValueError, KeyError, TypeError, ConfigurationError) as error:
            return 400, {"error": str(error)}
        # Drops its keys, its remembered tokens and a remembered refusal at once in this process.
        self._client.forget(issuer)
        return 200, {"tenant": issuer}


async def body_of(receive: Receive) -> bytes:
    """Return the body of a request; raise ValueError if it is longer than any valid row."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LONGEST_BODY:
            raise ValueError("the body is too long")
    return body


def make_app() -> JWKSMiddleware:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    operators = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
        name=OPERATORS,
    )
    tenants = Tenants(os.environ.get("TENANTS_DB", "tenants.sqlite"))
    client = AsyncJWKSClient(operators, resolve=tenants.resolve)
    service = Service(tenants, client)
    return JWKSMiddleware(service, client, exclude=["/health", "/ready"], close_client=True)


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
