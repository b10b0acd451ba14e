"""Verify an access token of a Stytch machine, and require a scope.

Shows the difference between a refused token (401) and a valid token without the scope (403).

    export STYTCH_PROJECT_ID=project-live-… STYTCH_SCOPE=read:users
    python examples/stytch_m2m.py < token.txt     # or the token as first argument

Settings: STYTCH_PROJECT_ID and STYTCH_SCOPE. Wildcards are not expanded: a machine with the scope
``read:*`` does not have ``read:users`` here.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import (
    InsufficientScopeError,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
    providers,
)

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"


def main() -> int:
    """Verify one token, require the scope, and print the machine."""
    provider = providers.stytch_m2m(os.environ.get("STYTCH_PROJECT_ID", PROJECT))
    scope = os.environ.get("STYTCH_SCOPE", "read:users")
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(provider) as client:
        try:
            machine = client.verify(token).require(scope)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except InsufficientScopeError as error:
            print(f"403 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    print(f"machine {machine.subject}, scopes {' '.join(sorted(machine.scopes))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
