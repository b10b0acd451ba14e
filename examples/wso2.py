"""Verify a JWT access token of a WSO2 Identity Server.

Shows how to trust a server's own certificate, without turning verification off.

    export WSO2_BASE_URL=https://is.example.com:9443 WSO2_AUDIENCE=your-client-id
    export WSO2_CA_FILE=wso2carbon.pem      # only for a certificate that is not publicly trusted
    python examples/wso2.py < token.txt     # or the token as first argument

Settings: WSO2_BASE_URL, WSO2_AUDIENCE, and if needed WSO2_TENANT, WSO2_ISSUER and WSO2_CA_FILE. Set
the application's access token type to JWT; by default it gets opaque tokens.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import FetchPolicy, JWKSClient, KeysUnavailableError, TokenError, providers


def main() -> int:
    """Verify one token and print for whom it acts."""
    provider = providers.wso2(
        os.environ.get("WSO2_BASE_URL", "https://localhost:9443"),
        audience=os.environ.get("WSO2_AUDIENCE", "your-client-id"),
        tenant=os.environ.get("WSO2_TENANT"),
        issuer=os.environ.get("WSO2_ISSUER"),
    )
    fetch = FetchPolicy(ca_file=os.environ.get("WSO2_CA_FILE"))
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(provider, fetch=fetch) as client:
        try:
            access = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    who = access.claims.get("aut", "subject")  # APPLICATION or APPLICATION_USER
    print(f"{who} {access.subject}, scopes {' '.join(sorted(access.scopes))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
