"""Protect an MCP server: clients are led from the first 401 to where they get a token.

Shows what the Model Context Protocol asks of a server that takes tokens. The challenge of a 401
names the protected resource's metadata (RFC 9728), the middleware serves that document to
everybody, and it names the authorization servers. A tool that needs a scope answers 403 with the
scope in the challenge, so that a client can ask for more. The MCP part is the least there can be:
one tool, one JSON answer for each POST, written out to show where the token is.

    pip install "jwks-client-sdk[cli]"       # brings uvicorn
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/mcp_server.py

Settings: OIDC_ISSUER; OIDC_AUDIENCE, which in production should be the resource itself (RFC 8707),
so that no token of another API is taken; MCP_RESOURCE, the URL by which clients know this server;
and PORT (0: any free one). As it stands it works with the provider that ``jwks-client serve`` runs
on this machine. The token comes with each request.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from jwks_client import AsyncJWKSClient, VerifiedToken, providers
from jwks_client.asgi import JWKSMiddleware, ProtectedResource, get_token

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

MOST_BYTES = 64 * 1024
WHOAMI = {
    "name": "whoami",
    "description": "Says who is asking.",
    "inputSchema": {"type": "object", "properties": {}},
}


async def mcp(scope: Message, receive: Receive, send: Send) -> None:
    """The server: one POST, one JSON-RPC message, one answer."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    token = get_token(scope)
    assert token is not None  # noqa: S101 (the middleware lets nobody in without one)
    if scope["method"] != "POST":
        await answer(send, 405, None)
        return
    try:
        message = json.loads(await read_body(receive))
        method, number = message["method"], message.get("id")
        params = message.get("params") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        await answer(send, 400, {"jsonrpc": "2.0", "id": None, "error": PARSE_ERROR})
        return
    if number is None:  # a notification
        await answer(send, 202, None)
        return
    await answer(send, 200, {"jsonrpc": "2.0", "id": number, **handle(method, params, token)})


def handle(method: str, params: dict[str, Any], token: VerifiedToken) -> dict[str, Any]:
    """What a request is answered; an error of the library becomes the middleware's answer."""
    match method:
        case "initialize":
            return {
                "result": {
                    "protocolVersion": params.get("protocolVersion", "2025-06-18"),
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "example", "version": "1"},
                }
            }
        case "tools/list":
            return {"result": {"tools": [WHOAMI]}}
        case "tools/call" if params.get("name") == "whoami":
            token.require("tools:run")
            return {"result": {"content": [{"type": "text", "text": f"you are {token.subject}"}]}}
        case _:
            return {"error": {"code": -32601, "message": "there is no such method or tool"}}


PARSE_ERROR = {"code": -32700, "message": "a POST takes one JSON-RPC message"}


async def read_body(receive: Receive) -> bytes:
    """The body of a request; ValueError if it is too long or breaks off."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request" or len(body) > MOST_BYTES:
            raise ValueError("no body that will do")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, status: int, content: object) -> None:
    """Send one answer."""
    body = b"" if content is None else json.dumps(content).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_app() -> JWKSMiddleware:
    """The server as the environment configures it; also for ``uvicorn --factory``."""
    issuer = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400")
    provider = providers.oidc(issuer, audience=os.environ.get("OIDC_AUDIENCE", "api"))
    resource = ProtectedResource(
        resource=os.environ.get("MCP_RESOURCE", "http://127.0.0.1:8000/mcp"),
        authorization_servers=[issuer],
        scopes_supported=["tools:run"],
        resource_name="An example",
    )
    client = AsyncJWKSClient(provider)
    return JWKSMiddleware(mcp, client, resource_metadata=resource, close_client=True)


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
