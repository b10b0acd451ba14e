"""Verify a JWT access token of an Asgardeo organization.

Shows asyncio, and ``claim_values``: only tokens that act for a user are accepted.

    export ASGARDEO_ORGANIZATION=my-org ASGARDEO_AUDIENCE=your-client-id
    python examples/asgardeo.py < token.txt     # or the token as first argument

Settings: ASGARDEO_ORGANIZATION and ASGARDEO_AUDIENCE. Set the application's access token type to
JWT; by default it gets opaque tokens.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import asyncio
import os
import sys

from jwks_client import AsyncJWKSClient, KeysUnavailableError, TokenError, providers


async def verify(token: str) -> int:
    """Verify one token and print its user."""
    provider = providers.asgardeo(
        os.environ.get("ASGARDEO_ORGANIZATION", "my-org"),
        audience=os.environ.get("ASGARDEO_AUDIENCE", "your-client-id"),
        claim_values={"aut": "APPLICATION_USER"},
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
    print(f"user {access.subject}, scopes {' '.join(sorted(access.scopes))}")
    return 0


def main() -> int:
    """Read the token and verify it."""
    token = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()
    return asyncio.run(verify(token.strip()))


if __name__ == "__main__":
    sys.exit(main())
