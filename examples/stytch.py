"""Verify a session JWT of a Stytch consumer project.

Shows the whole task: name the provider, verify the token, and handle each outcome.

    export STYTCH_PROJECT_ID=project-live-…   # from the Stytch dashboard
    python examples/stytch.py < token.txt     # or the token as first argument

Settings: STYTCH_PROJECT_ID, and STYTCH_PROJECT_DOMAIN if your tokens name one as their issuer.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, providers

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"
SESSION = "https://stytch.com/session"


def main() -> int:
    """Verify one token and print its user."""
    provider = providers.stytch(
        os.environ.get("STYTCH_PROJECT_ID", PROJECT),
        project_domain=os.environ.get("STYTCH_PROJECT_DOMAIN"),
    )
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(provider) as client:
        try:
            session = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    print(f"user {session.subject}, session {session.claims[SESSION].get('id')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
