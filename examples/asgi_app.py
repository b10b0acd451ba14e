"""Protect an ASGI app with a middleware: two lines, whatever the app is made with.

Shows a plain app that needs no framework. What reaches it has a verified token; everything else is
answered by the middleware: 401, 400, 403 for a scope that `require` misses, 503 while the
provider's keys are not to be had. Keys are loaded at the start, and /health is open to all.

    pip install "jwks-client-sdk[cli]"       # brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/asgi_app.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes with each request.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from jwks_client import AsyncJWKSClient, providers
from jwks_client.asgi import JWKSMiddleware, get_token

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


async def orders(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI's)
    """The app: ``/health`` for everybody, all else for who may read orders."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    token = get_token(scope)
    if token is None:  # only /health gets here without one
        content: object = {"status": "ok"}
    else:
        token.require("orders:read")
        content = {"orders of": token.subject}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


def make_app() -> JWKSMiddleware:
    """The app as the environment configures it; also for ``uvicorn --factory``."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    client = AsyncJWKSClient(provider)
    return JWKSMiddleware(orders, client, exclude=["/health"], close_client=True)


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
