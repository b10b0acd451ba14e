"""The ASGI apps to compare, and a server of all of them for `web.py`.

One app answers every path: directly under ``/open``, and behind a middleware elsewhere. ``/cpu``
returns the CPU seconds of the server's process. Run as a module, it reads its settings from
standard input and prints the port on which it listens.
"""

from __future__ import annotations

import base64
import json
import socket
import sys
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from jwks_client import AsyncJWKSClient, Provider
from jwks_client.asgi import JWKSMiddleware

OPEN = "an app without auth"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b'{"fine":true}'}


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


class SignatureOnly:
    """A middleware that only checks the signature: no claims, no kid, no 503."""

    def __init__(self, inner: Any, key: Any) -> None:
        self.app = inner
        self.verify = key.verify
        self.padding, self.digest = PKCS1v15(), SHA256()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        value = dict(scope["headers"])[b"authorization"]
        signed, _, text = value[7:].rpartition(b".")
        signature = base64.urlsafe_b64decode(text + b"==")
        try:
            self.verify(signature, signed, self.padding, self.digest)
        except InvalidSignature:
            raise PermissionError("an invalid signature") from None
        await self.app(scope, receive, send)


def apps(provider: Provider, key: Any, tokens: int) -> dict[str, Any]:
    """Return the apps by path; ``tokens`` is the number of distinct tokens, which come in turn.

    No server runs their lifespan, and the keys are static, so nothing has to be loaded.
    """
    return {
        "/open": app,
        "/cached": JWKSMiddleware(app, AsyncJWKSClient(provider), warm_up=None),
        # Each token is forgotten before its next use, and so is verified and remembered again.
        "/distinct": JWKSMiddleware(
            app, AsyncJWKSClient(provider, token_cache_size=max(1, tokens // 2)), warm_up=None
        ),
        "/signature": SignatureOnly(app, key),
    }


def fastapi_apps(provider: Provider) -> dict[str, Any]:
    """Return FastAPI apps with one route each, by their protection."""
    from fastapi import Depends, FastAPI
    from fastapi.security import HTTPBearer

    from jwks_client.integrations.fastapi import JWKSAuth

    def with_route(*dependencies: Any) -> Any:
        fastapi = FastAPI()

        @fastapi.get("/", dependencies=[Depends(one) for one in dependencies])
        async def route() -> dict[str, bool]:
            return {"fine": True}

        return fastapi

    def client() -> AsyncJWKSClient:
        return AsyncJWKSClient(provider)

    return {
        OPEN: with_route(),
        "with FastAPI's `HTTPBearer()`, which verifies nothing": with_route(HTTPBearer()),
        "with the dependency `JWKSAuth(client)`": with_route(JWKSAuth(client())),
        "under `JWKSMiddleware`": JWKSMiddleware(with_route(), client(), warm_up=None),
        "under `JWKSMiddleware`, with the dependency `JWKSAuth()`": JWKSMiddleware(
            with_route(JWKSAuth()), client(), warm_up=None
        ),
    }


class Served:
    """All apps behind one server, so that they run under the same conditions."""

    def __init__(self, by_path: dict[str, Any]) -> None:
        self.by_path = by_path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/cpu":
            body = json.dumps(time.process_time()).encode()
            length = str(len(body)).encode()
            await send({**START, "headers": [(b"content-length", length)]})
            await send({**BODY, "body": body})
        else:
            await self.by_path[scope["path"]](scope, receive, send)


def provider_of(asked: dict[str, Any]) -> Provider:
    """Return the provider with static keys, so that no app fetches."""
    return Provider(
        name="benchmark", issuer=asked["issuer"], audience=asked["audience"], jwks=asked["jwks"]
    )


def main() -> None:
    import uvicorn

    from jwks_client import JWKSClient

    asked = json.loads(sys.stdin.read())
    provider = provider_of(asked)
    key = JWKSClient(provider).get_signing_key(asked["jwks"]["keys"][0]["kid"]).key
    # The protocol must be TCP, as in uvicorn, or asyncio would not turn off Nagle's algorithm.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(
        Served(apps(provider, key, asked["tokens"])),
        http=sys.argv[1],
        loop=sys.argv[2],
        access_log=False,
        log_level="error",
        lifespan="off",
    )
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
