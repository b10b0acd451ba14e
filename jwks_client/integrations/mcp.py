"""MCP servers: `JWKSTokenVerifier`, for the MCP SDK and for FastMCP.

    verifier = JWKSTokenVerifier(client, resource="https://mcp.example.com/mcp")
    server = MCPServer("orders", token_verifier=verifier, auth=AuthSettings(…))
    app = JWKSMiddleware(server.streamable_http_app(), client, optional=True)

The SDK does not let a verifier report that keys are unavailable, so `JWKSMiddleware` around the app
answers such requests. Must not depend on: HTTP, sessions, tools.
"""

from __future__ import annotations

from collections.abc import Collection

try:
    from mcp.server.auth.provider import AccessToken
except ImportError as error:
    raise ImportError('The MCP SDK is not installed: pip install "jwks-client-sdk[mcp]"') from error

from .. import VerifiedToken
from .._client.access import checks_every_audience
from .._core import settings
from .._web.guard import check_client
from .._web.identity import current_token
from ..errors import ConfigurationError, TokenError
from ..protocols import AsyncVerifier

__all__ = ["JWKSTokenVerifier"]


class JWKSTokenVerifier:
    """Verifies the access tokens of an MCP server.

    Arguments:
        client: an `AsyncJWKSClient`. Its providers must check the audience, which should be the
            resource (RFC 8707), so that tokens of other APIs are refused.
        resource: the URL of this server, which is passed to the SDK as the resource of each token.
        required_scopes: scopes that each token must have, for FastMCP; the MCP SDK reads them from
            its ``AuthSettings``.

    Raises ConfigurationError naming the argument.
    """

    def __init__(
        self, client: AsyncVerifier, *, resource: str, required_scopes: Collection[str] = ()
    ) -> None:
        check_client(client, asynchronous=True)
        if not checks_every_audience(client):
            raise ConfigurationError(
                "client",
                "must check the audience of every provider, got one with audience=UNCHECKED",
            )
        self._client = client
        self.resource = settings.url("resource", resource)
        self.required_scopes = list(settings.names("required_scopes", required_scopes))

    @property
    def scopes_supported(self) -> list[str]:
        """Return the scopes for the metadata of a FastMCP server."""
        return self.required_scopes

    def get_challenge_scopes(self, required_scopes: list[str] | None = None) -> list[str]:
        """Return the scopes for the challenge of a FastMCP server."""
        return self.required_scopes if required_scopes is None else required_scopes

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the SDK's form of a token, or None for a refused token (401).

        Raises KeysUnavailableError if the token cannot be checked now. The SDK answers that with a
        500, `JWKSMiddleware` with a 503. A 401 would make clients log in again.
        """
        verified = current_token()
        if verified is None or verified.raw != token:
            try:
                verified = await self._client.verify(token)
            except TokenError:
                return None
        return self._access_token(verified)

    def _access_token(self, token: VerifiedToken) -> AccessToken:
        claims = token.claims
        named = claims.get("client_id") or claims.get("azp") or token.subject or ""
        return AccessToken(
            token=token.raw,
            client_id=str(named),
            scopes=sorted(token.scopes),
            expires_at=None if token.expires_at is None else int(token.expires_at),
            resource=self.resource,
            subject=token.subject,
            claims=claims,  # early releases of the SDK have neither field
        )
