"""Verify a Prelude token: a session token, or a step-up token.

Shows asyncio, and two kinds of token on one client, each with its own key set. ``token.provider``
says which kind a token is.

    export PRELUDE_APP_ID=…                    # or PRELUDE_DOMAIN=auth.example.com
    python examples/prelude.py < token.txt     # or the token as first argument

Settings: PRELUDE_APP_ID, or PRELUDE_DOMAIN if your application has a custom domain.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import asyncio
import os
import sys

from jwks_client import AsyncJWKSClient, KeysUnavailableError, TokenError, providers


async def verify(token: str) -> int:
    """Verify one token and print its user, and what it grants."""
    domain = os.environ.get("PRELUDE_DOMAIN")
    app_id = None if domain else os.environ.get("PRELUDE_APP_ID", "app1")
    sessions = providers.prelude(app_id, domain=domain)
    step_up = providers.prelude_step_up(app_id, domain=domain)
    async with AsyncJWKSClient(sessions, step_up) as client:
        try:
            verified = await client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    if verified.provider == step_up.name:
        print(f"user {verified.subject} confirmed {' '.join(sorted(verified.scopes))}")
    else:
        print(f"user {verified.subject}, session {verified.claims.get('sid')}")
    return 0


def main() -> int:
    """Read the token and verify it."""
    token = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()
    return asyncio.run(verify(token.strip()))


if __name__ == "__main__":
    sys.exit(main())
