"""Verify a token of any provider whose key-set URL you know.

Shows explicit settings: you name issuer, audience and algorithms, and the token must match them.
As it stands it works with the provider that ``jwks-client serve`` runs on this machine.

    export JWKS_URL=https://… TOKEN_ISSUER=https://… TOKEN_AUDIENCE=… TOKEN_ALGORITHMS=RS256,ES256
    python examples/generic.py < token.txt     # or the token as first argument

Settings: JWKS_URL, TOKEN_ISSUER, TOKEN_AUDIENCE and TOKEN_ALGORITHMS.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import json
import os
import sys

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, providers


def main() -> int:
    """Verify one token and print its claims."""
    provider = providers.generic(
        os.environ.get("JWKS_URL", "http://127.0.0.1:8400/.well-known/jwks.json"),
        issuer=os.environ.get("TOKEN_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("TOKEN_AUDIENCE", "api"),
        algorithms=os.environ.get("TOKEN_ALGORITHMS", "RS256").split(","),
    )
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(provider) as client:
        try:
            verified = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    print(json.dumps(verified.claims, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
