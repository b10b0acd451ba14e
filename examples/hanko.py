"""Verify a session token of Hanko Cloud or of a self-hosted Hanko backend.

Shows claims that are objects, and a custom check: the e-mail address must be verified.

    export HANKO_API_URL=https://….hanko.io HANKO_AUDIENCE=https://app.example.com
    python examples/hanko.py < token.txt     # or the token as first argument

Settings: HANKO_API_URL; HANKO_AUDIENCE, which is the App URL in Hanko Cloud; and HANKO_ISSUER if
you configured one. The token does not show whether its session has ended: call /sessions/validate
for that.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, VerifiedToken, providers

API_URL = "https://00000000-0000-4000-8000-000000000000.hanko.io"


def has_verified_email(token: VerifiedToken) -> bool:
    """Accept sessions of users whose e-mail address is verified."""
    email = token.claims.get("email")
    return isinstance(email, dict) and email.get("is_verified") is True


def main() -> int:
    """Verify one token and print its user."""
    provider = providers.hanko(
        os.environ.get("HANKO_API_URL", API_URL),
        audience=os.environ.get("HANKO_AUDIENCE", "https://app.example.com"),
        issuer=os.environ.get("HANKO_ISSUER", providers.UNCHECKED),
        checks=[has_verified_email],
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
    print(f"user {session.subject}, {session.claims['email'].get('address')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
