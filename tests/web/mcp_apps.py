"""An MCP server of the SDK, whichever major release is installed, and requests to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from edge_running import PATIENCE, serving
from mcp.server.auth.settings import AuthSettings

from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.integrations.mcp import JWKSTokenVerifier

RESOURCE = "https://mcp.test/mcp"


def whoami() -> str:
    """Say who is asking."""
    token = current_token()
    return f"you are {None if token is None else token.subject}"


def server_of(verifier: Any, scopes: list[str]) -> Any:
    """The SDK's server as an ASGI app: each POST is answered with JSON, without a session."""
    auth = AuthSettings(
        issuer_url="https://issuer.test",
        resource_server_url=RESOURCE,
        required_scopes=scopes,
        validate_token_resource=True,
    )
    how = {"stateless_http": True, "json_response": True}
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:  # before 2.0
        from mcp.server.fastmcp import FastMCP

        server = FastMCP("orders", token_verifier=verifier, auth=auth, **how)
        server.add_tool(whoami)
        return server.streamable_http_app()
    server = MCPServer("orders", token_verifier=verifier, auth=auth)
    server.add_tool(whoami)
    return server.streamable_http_app(**how)


@contextmanager
def asking(client: Any, *, scopes: list[str] = [], protected: bool = True) -> Iterator[Any]:  # noqa: B006 (not changed)
    """Serve the app; give a function of an Authorization header that calls the tool."""
    app = server_of(JWKSTokenVerifier(client, resource=RESOURCE), scopes)
    if protected:
        app = JWKSMiddleware(app, client, optional=True, warm_up=None)
    with serving(app, "uvicorn") as port:

        def ask(authorization: str | None) -> httpx.Response:
            headers = {"Accept": "application/json, text/event-stream"}
            if authorization is not None:
                headers["Authorization"] = authorization
            call = {"name": "whoami", "arguments": {}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            url = f"http://127.0.0.1:{port}/mcp"
            return httpx.post(url, json=message, headers=headers, trust_env=False, timeout=PATIENCE)

        yield ask
