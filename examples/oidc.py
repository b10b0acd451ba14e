"""Verify a token of any provider that publishes its metadata below its issuer.

Shows discovery (OpenID Connect, or RFC 8414), claims as a custom type, and the client's log.
As it stands it works with the provider that ``jwks-client serve`` runs on this machine.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/oidc.py < token.txt     # or the token as first argument

Settings: OIDC_ISSUER, exactly as in the tokens, and OIDC_AUDIENCE.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import dataclass

from jwks_client import AsyncJWKSClient, KeysUnavailableError, TokenError, events, providers


@dataclass
class Claims:
    """The claims that this application reads; a token without ``sub`` is refused."""

    sub: str
    scope: str = ""


async def verify(token: str) -> int:
    """Verify one token and print its claims."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    async with AsyncJWKSClient(provider, listeners=[events.LoggingListener()]) as client:
        try:
            claims = (await client.verify(token)).claims_as(Claims)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    print(f"{claims.sub}, scopes {claims.scope or 'none'}")
    return 0


def main() -> int:
    """Read the token and verify it."""
    logging.basicConfig(level=logging.INFO)
    token = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()
    return asyncio.run(verify(token.strip()))


if __name__ == "__main__":
    sys.exit(main())
