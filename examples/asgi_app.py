"""Protect an ASGI app with a middleware, in two lines that work for every framework.

Shows a plain app without a framework. Only requests with a valid token reach it; the middleware
answers all others: 400, 401, 403 if `require` finds that a scope is missing, 503 while the
provider's keys are unavailable. Keys are loaded at startup, with retries while the provider is
down. /health and /ready need no token: the first is for a liveness probe, the second for a
readiness probe, and answers 503 until the keys are loaded.

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


class App:
    """The app: ``/health`` and ``/ready`` are public, the rest needs ``orders:read``."""

    def __init__(self, client: AsyncJWKSClient) -> None:
        self._client = client

    async def __call__(  # the signature is ASGI's
        self,
        scope: Message,
        receive: Receive,  # noqa: ARG002
        send: Send,
    ) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        token = get_token(scope)
        if token is not None:
            token.require("orders:read")
            await answer(send, 200, {"orders of": token.subject})
        elif scope["path"] == "/ready":
            await answer(send, 200 if self._client.ready else 503, {"ready": self._client.ready})
        else:  # only /health gets here without a token
            await answer(send, 200, {"status": "ok"})


async def answer(send: Send, status: int, content: object) -> None:
    """Send one JSON answer."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


def make_app() -> JWKSMiddleware:
    """Return the app, configured by the environment; also for ``uvicorn --factory``."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    client = AsyncJWKSClient(provider)
    return JWKSMiddleware(App(client), client, exclude=["/health", "/ready"], close_client=True)


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
