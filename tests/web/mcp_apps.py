"""The app of the table as an MCP server of the SDK, in whichever major release is installed.

A scope is required of a whole server, so each setup has two servers.
"""
# No annotations from the future: old releases of the SDK read those of tools as classes.

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from driver import NO_TLS
from edge_running import serving
from mcp.server.auth.settings import AuthSettings
from requests_table import Row
from table_app import PATIENCE, act
from table_running import Table, run_lifespans

from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.integrations.mcp import JWKSTokenVerifier

RESOURCE = "https://mcp.test/mcp"


def whoami(path: str) -> str:
    """Return what the tool sees of its caller."""
    return json.dumps(act(path, current_token()))


def server_of(verifier: Any, scopes: list[str]) -> Any:
    """Return the SDK's server as an ASGI app: each POST is answered with JSON, without a session."""
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


def fastmcp_server_of(verifier: Any, scopes: list[str]) -> Any:
    """Return a server of FastMCP, which reads the scopes from the verifier, as an ASGI app."""
    from fastmcp import FastMCP
    from fastmcp.server.auth import RemoteAuthProvider

    auth = RemoteAuthProvider(
        token_verifier=verifier,
        authorization_servers=["https://issuer.test"],
        base_url="https://mcp.test",
    )
    server = FastMCP("orders", auth=auth)
    server.tool(whoami)
    return server.http_app(stateless_http=True, json_response=True)


def table_app(make: Callable[[Any, list[str]], Any]) -> Callable[[Any, Any], Any]:
    """Return a function that makes the app of a setup: one server that requires a scope, and one without."""

    def app_of(client: Any, settings: Any) -> Any:
        apps = {
            path: JWKSMiddleware(
                make(JWKSTokenVerifier(client, resource=RESOURCE, required_scopes=scopes), scopes),
                client,
                optional=True,
                warm_up=None,
            )
            for path, scopes in {"/": [], "/orders": ["orders:read"]}.items()
        }

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await run_lifespans(apps.values(), receive, send)
                return
            path = dict(scope["headers"])[b"x-path"].decode()
            await apps.get(path, apps["/"])(scope, receive, send)

        return app

    return app_of


def has(row: Row) -> bool:
    """Return whether a tool call can express a row; a refusal of a tool is the tool's error, with 200."""
    said = row.path in ("/", "/orders", "/caught") and row.setup in ("plain", "cold")
    return said and row.method == "GET" and not row.websocket


class McpTable(Table):
    """The table of tool calls; the SDK refuses missing credentials and scopes."""

    def ask(self, row: Row, **tokens: str) -> "Reply":
        named = {**self.tokens, **tokens}
        headers = [(name, value.format_map(named)) for name, value in row.headers]
        extra = [("X-Setup", row.setup), ("X-Path", row.path)]
        return Reply(call(self._port, row.path, [*headers, *extra]))

    def assert_row(self, row: Row) -> None:
        by_sdk = row.code in ("missing_credentials", "insufficient_scope")
        if not by_sdk:
            super().assert_row(row)
            return
        self.refusals.clear()
        answer = self.ask(row)
        challenge = answer.headers["www-authenticate"]
        assert (answer.status, challenge.startswith("Bearer")) == (row.status, True)
        if row.code == "insufficient_scope":
            assert 'error="insufficient_scope"' in challenge
            assert "orders:read" in challenge

    def assert_problem(self, row: Row, answer: Any) -> None:
        """Assert that the middleware answered, and reported the refusal once."""
        assert json.loads(answer.body)["code"] == row.code
        assert [(one.code, one.status) for one in self.refusals] == [(row.code, row.status)]


class Reply:
    """An answer to a tool call; its body is the tool's text, or the whole of a refusal."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.headers, self.body = answer.status_code, answer.headers, answer.content
        if self.status == 200:
            self.body = answer.json()["result"]["content"][0]["text"]


def call(port: int, path: str, headers: list[tuple[str, str]]) -> httpx.Response:
    """Call the tool."""
    params = {"name": "whoami", "arguments": {"path": path}}
    return httpx.post(
        f"http://127.0.0.1:{port}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers=[("Accept", "application/json, text/event-stream"), *headers],
        trust_env=False,
        verify=NO_TLS,
        timeout=PATIENCE,
    )


@contextmanager
def alone(client: Any) -> Iterator[Callable[[str], httpx.Response]]:
    """Serve a server without the middleware; yield a function of a token that calls the tool."""
    app = server_of(JWKSTokenVerifier(client, resource=RESOURCE), [])
    with serving(app, "uvicorn") as port:
        yield lambda token: call(port, "/", [("Authorization", f"Bearer {token}")])
