"""MCP servers: `JWKSTokenVerifier`, for the MCP SDK and for FastMCP.

    verifier = JWKSTokenVerifier(client, resource="https://mcp.example.com/mcp")
    server = MCPServer("orders", token_verifier=verifier, auth=AuthSettings(…))
    app = JWKSMiddleware(server.streamable_http_app(), client, optional=True)

The SDK has no way for a verifier to say that keys are unavailable, so `JWKSMiddleware` around the
app says it. Must not depend on: HTTP, sessions, tools.
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
        resource: the URL of this server, reported to the SDK as the resource of each token.
        required_scopes: scopes that each token must have, for FastMCP; the MCP SDK reads them from
            its ``AuthSettings``.

    Raises ConfigurationError that names the argument.
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
        """The scopes that the metadata of a FastMCP server names."""
        return self.required_scopes

    def get_challenge_scopes(self, required_scopes: list[str] | None = None) -> list[str]:
        """Return the scopes that the challenge of a FastMCP server names."""
        return self.required_scopes if required_scopes is None else required_scopes

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what the SDK keeps of a token, or None for a token that is refused (401).

        Raises KeysUnavailableError if the token cannot be checked now: a 500 of the SDK, or a 503
        under `JWKSMiddleware`, and never a 401, which would make clients log in again.
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
            claims=claims,  # the first releases have neither
        )
