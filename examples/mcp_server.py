"""Protect an MCP server; from a 401, clients discover where to get a token.

The server uses the MCP SDK, and `JWKSTokenVerifier` verifies its tokens. The challenge of a 401
names the protected resource's metadata (RFC 9728), which names the authorization servers. A token
without the scope is answered with 403. `JWKSMiddleware` around the server answers 503 when keys are
unavailable. The SDK alone cannot do that, so an outage would log its clients out. /health is for a
liveness probe; /ready is for a readiness probe, and answers 503 until the keys are loaded.

    pip install "jwks-client-sdk[mcp]"
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/mcp_server.py

Settings: OIDC_ISSUER; OIDC_AUDIENCE, which in production should be the resource itself (RFC 8707),
so that tokens of other APIs are refused; MCP_RESOURCE, the URL under which clients reach this
server; and PORT (0: any free one). As it stands it works with the provider that
``jwks-client serve`` runs on this machine. The token comes with each request.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.responses import JSONResponse

from jwks_client import AsyncJWKSClient, providers
from jwks_client.asgi import JWKSMiddleware, ProtectedResource, current_token
from jwks_client.integrations.mcp import JWKSTokenVerifier

if TYPE_CHECKING:
    from starlette.requests import Request

SCOPES = ["tools:run"]


def whoami() -> str:
    """Return the caller's subject."""
    token = current_token()
    return f"you are {token.subject if token else None}"


def make_app() -> JWKSMiddleware:
    """Return the server, configured by the environment; also for ``uvicorn --factory``."""
    issuer = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400")
    resource = os.environ.get("MCP_RESOURCE", "http://127.0.0.1:8000/mcp")
    client = AsyncJWKSClient(
        providers.oidc(issuer, audience=os.environ.get("OIDC_AUDIENCE", "api"))
    )
    server = MCPServer(
        "example",
        token_verifier=JWKSTokenVerifier(client, resource=resource),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(issuer),
            resource_server_url=AnyHttpUrl(resource),
            required_scopes=SCOPES,
            validate_token_resource=True,
        ),
    )
    server.add_tool(whoami)

    @server.custom_route("/health", methods=["GET"])
    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @server.custom_route("/ready", methods=["GET"])
    async def ready(_request: Request) -> JSONResponse:
        return JSONResponse({"ready": client.ready}, 200 if client.ready else 503)

    return JWKSMiddleware(
        server.streamable_http_app(stateless_http=True, json_response=True),
        client,
        optional=True,
        exclude=["/health", "/ready"],
        resource_metadata=ProtectedResource(
            resource=resource, authorization_servers=[issuer], scopes_supported=SCOPES
        ),
        close_client=True,
    )


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):  # older releases raise it again at their end
        uvicorn.run(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
