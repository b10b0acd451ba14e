"""Verify tokens of two providers with one client: Stytch for people, another one for partners.

Shows how one client serves several providers: a token's issuer selects one of the configured
providers, ``token.provider`` names the one that accepted it, and an outage of one does not affect
the tokens of the other.

    export STYTCH_PROJECT_ID=project-live-…
    export PARTNER_ISSUER=https://idp.partner.example PARTNER_AUDIENCE=…
    python examples/two_providers.py < token.txt     # or the token as first argument

Settings: STYTCH_PROJECT_ID, PARTNER_ISSUER and PARTNER_AUDIENCE.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, providers

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"


def main() -> int:
    """Verify one token, then print its subject and the state of each key set."""
    people = providers.stytch(os.environ.get("STYTCH_PROJECT_ID", PROJECT), name="people")
    partners = providers.oidc(
        os.environ.get("PARTNER_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("PARTNER_AUDIENCE", "api"),
        name="partners",
    )
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(people, partners) as client:
        try:
            verified = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
        finally:
            for name, health in client.health().items():
                print(f"keys of {name}: {health.state}", file=sys.stderr)
    print(f"{verified.provider}: {verified.subject}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
