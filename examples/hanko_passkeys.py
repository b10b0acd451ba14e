"""Verify the token that Hanko's passkey server returns after a user has used a passkey.

Shows a token that arrives in a JSON body, has no issuer, and is accepted for one minute here.
Exchange it once for a session of your application. It has no jti, so remember the tokens that you
have accepted.

    export HANKO_TENANT_ID=… HANKO_RELYING_PARTY_ID=example.com
    python examples/hanko_passkeys.py < answer.json     # {"token": "…"}, or the token itself

Settings: HANKO_TENANT_ID and HANKO_RELYING_PARTY_ID. The token can also be the first argument.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import json
import os
import sys

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, providers

TENANT = "00000000-0000-4000-8000-000000000000"


def token_in(body: str) -> str:
    """Return the token in a JSON body, or the body itself if it is not JSON."""
    try:
        return str(json.loads(body)["token"])
    except (ValueError, KeyError, TypeError):
        return body.strip()


def main() -> int:
    """Verify one token and print who used which passkey."""
    provider = providers.hanko_passkeys(
        os.environ.get("HANKO_TENANT_ID", TENANT),
        relying_party_id=os.environ.get("HANKO_RELYING_PARTY_ID", "example.com"),
        max_age=60,
    )
    token = token_in(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read())
    with JWKSClient(provider) as client:
        try:
            passkey = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    print(f"user {passkey.subject}, passkey {passkey.claims.get('cred')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
