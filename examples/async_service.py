"""Protect an HTTP API without a framework: a plain ASGI app under uvicorn.

Shows what a service needs around ``verify``: one client for the life of the service, key sets that
are loaded in the background at startup, the right status for each error, and paths for probes.

    pip install "jwks-client-sdk[cli]"       # brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/async_service.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from jwks_client import AsyncJWKSClient, InsufficientScopeError, JWKSError, TokenError, providers
from jwks_client.errors import CredentialsError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Service:
    """The app: ``/health`` and ``/ready`` are public, the rest needs ``orders:read``."""

    def __init__(self, client: AsyncJWKSClient) -> None:
        self._client = client

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/health":
            health = self._client.health()
            await answer(send, 200, {name: one.state for name, one in health.items()})
        elif scope["path"] == "/ready":
            ready = self._client.ready
            await answer(send, 200 if ready else 503, {"ready": ready})
        else:
            try:
                token = (await self._client.verify(bearer(scope))).require("orders:read")
            except JWKSError as error:
                await answer(send, error.http_status, {"code": error.code}, headers_for(error))
            else:
                await answer(send, 200, {"sub": token.subject, "scopes": sorted(token.scopes)})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        warming = asyncio.create_task(self._warm_up())
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        warming.cancel()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _warm_up(self) -> None:
        while not self._client.ready:
            try:
                await self._client.warm_up()
            except JWKSError as error:  # the provider may be down at startup
                print(f"keys not loaded yet: {error}", file=sys.stderr)
                await asyncio.sleep(error.retry_after or 1)


def bearer(scope: Message) -> str:
    """Return the token of the Authorization header (RFC 6750)."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    credentials: str = found[0].decode("latin-1") if found else ""
    scheme, _, token = credentials.partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialsError("missing_credentials", "the request has no bearer token")
    if len(found) > 1 or not token or " " in token:
        raise CredentialsError("invalid_request", "the credentials are malformed")
    return token


def headers_for(error: JWKSError) -> dict[str, str]:
    """Return the headers for the answer to an error."""
    match error:
        case TokenError():
            return {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        case InsufficientScopeError():
            wanted = " ".join(error.required)
            return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'}
        case CredentialsError() if error.http_status == 400:
            return {"WWW-Authenticate": 'Bearer error="invalid_request"'}
        case CredentialsError():
            return {"WWW-Authenticate": "Bearer"}
        case _:
            return {"Retry-After": str(math.ceil(error.retry_after or 1))}


async def answer(
    send: Send, status: int, content: object, headers: dict[str, str] | None = None
) -> None:
    """Send one JSON answer."""
    named = {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}
    encoded = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


def make_app() -> Service:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    return Service(AsyncJWKSClient(provider))


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
