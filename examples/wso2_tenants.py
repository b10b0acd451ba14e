"""Verify access tokens of many WSO2 tenants, which can change while the client runs.

Shows ``resolve``: a token's issuer is looked up in the application's own records, and keys are only
fetched for a tenant that is found there. The token selects a row; it never provides a URL.

    export WSO2_BASE_URL=https://is.example.com:9443
    export WSO2_TENANTS="acme.com=client-id-1 globex.com=client-id-2"
    python examples/wso2_tenants.py < token.txt     # or the token as first argument

Settings: WSO2_BASE_URL; WSO2_TENANTS, a client id for each tenant's domain; and WSO2_CA_FILE for a
certificate that is not publicly trusted. A few tenants that never change need no resolver: pass
them all to ``JWKSClient(*tenants)``.
Exit status: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import os
import sys

from jwks_client import (
    FetchPolicy,
    JWKSClient,
    KeysUnavailableError,
    Provider,
    TokenError,
    providers,
)


class Tenants:
    """The application's records: two settings here, usually a table with an index on issuers."""

    def __init__(self, base_url: str, records: str) -> None:
        self._base_url = base_url
        self._client_ids = dict(record.split("=", 1) for record in records.split())
        self.domains = {self._provider(domain).issuer: domain for domain in self._client_ids}

    def _provider(self, domain: str) -> Provider:
        return providers.wso2(
            self._base_url, tenant=domain, audience=self._client_ids.get(domain, "")
        )

    def resolve(self, issuer: str) -> Provider | None:
        """Return the provider of an issuer, or None if no tenant has it. Called from threads."""
        domain = self.domains.get(issuer)
        return None if domain is None else self._provider(domain)


def main() -> int:
    """Verify one token and print its tenant."""
    tenants = Tenants(
        os.environ.get("WSO2_BASE_URL", "https://localhost:9443"),
        os.environ.get("WSO2_TENANTS", "acme.com=your-client-id"),
    )
    fetch = FetchPolicy(ca_file=os.environ.get("WSO2_CA_FILE"))
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    with JWKSClient(resolve=tenants.resolve, fetch=fetch) as client:
        try:
            access = client.verify(token)
        except TokenError as error:
            print(f"401 {error}", file=sys.stderr)
            return 1
        except KeysUnavailableError as error:
            print(f"503 {error}", file=sys.stderr)
            return 3
    # A resolved provider is known by its issuer.
    domain = tenants.domains[access.provider]
    print(f"{domain}: {access.subject}, scopes {' '.join(sorted(access.scopes))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
