"""Verify access tokens that several Entra ID tenants issue for one application.

Shows an issuer with a placeholder. All tenants share one key set, so an allow-list decides which of
them are accepted. The token's ``tid``, its ``iss`` and its key must all belong to that tenant.

    export ENTRA_AUDIENCE=your-client-id
    export ENTRA_TENANTS="11111111-2222-4333-8444-555555555555 …"      # tenant ids
    python examples/entra_multi_tenant.py < token.txt     # or the token as first argument

Settings: ENTRA_AUDIENCE and ENTRA_TENANTS. Your API must request version 2.0 tokens
(``requestedAccessTokenVersion: 2`` in its manifest).
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import asyncio
import os
import sys

from jwks_client import AsyncJWKSClient, KeysUnavailableError, TokenError, providers

TENANT = "11111111-2222-4333-8444-555555555555"


async def verify(token: str) -> int:
    """Verify one token and print its user."""
    # If tenants sign up while this runs, give a function instead of the ids. It is called for each
    # token, accepts a tenant by returning True, and must be fast, so it should only read memory.
    provider = providers.entra_multi_tenant(
        audience=os.environ.get("ENTRA_AUDIENCE", "your-client-id"),
        allowed_tenants=os.environ.get("ENTRA_TENANTS", TENANT).split(),
    )
    async with AsyncJWKSClient(provider) as client:
        try:
            access = await client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    scopes = " ".join(sorted(access.scopes))
    print(f"tenant {access.claims['tid']}, user {access.subject}, scopes {scopes}")
    return 0


def main() -> int:
    """Read the token and verify it."""
    token = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()
    return asyncio.run(verify(token.strip()))


if __name__ == "__main__":
    sys.exit(main())
