"""Accounts at the documented providers, and an internet that contains only them.

An account is a `FakeProvider` in the shape of its provider, with the claims of one user there. The
internet answers where httpx's own transports would open a connection, so that examples and code
blocks run as users write them, to the last line. Loopback stays real.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from jwks_client import Provider, providers
from jwks_client.testing import FakeProvider

UUID = "0a1b2c3d-0000-4000-8000-000000000000"
PROJECT = "project-test-0a1b2c3d"
PRELUDE = "app2.session.prelude.dev"
WSO2 = "https://is.example.com:9443/t/acme.com/oauth2"
ENTRA = "https://login.microsoftonline.com"
ENTRA_TENANT = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True)
class Account:
    """A provider, the documented URL of its keys, and its tokens' additional claims."""

    idp: FakeProvider
    url: str
    claims: Mapping[str, Any]

    def issue(self, *, ago: int = 0, **claims: Any) -> str:
        """Return a token, issued that many seconds ago; None leaves a claim out."""
        issued_at = int(self.idp.clock.time()) - ago
        return self.idp.issue(**{"iat": issued_at, **self.claims, **claims})


_WSO2_USER = {"sub": UUID, "scope": "openid orders:read", "expires_in": 3600}
_KINDS: Mapping[str, tuple[Provider, str, Mapping[str, Any]]] = {
    "hanko": (
        providers.hanko(f"https://{UUID}.hanko.io", audience="https://shop.example.com"),
        f"https://{UUID}.hanko.io/.well-known/jwks.json",
        {
            "sub": UUID,
            "email": {"address": "a@example.com", "is_primary": True, "is_verified": True},
            "expires_in": 43200,
        },
    ),
    "hanko_passkeys": (
        providers.hanko_passkeys(UUID, relying_party_id="shop.example.com"),
        f"https://passkeys.hanko.io/{UUID}/.well-known/jwks.json",
        {"sub": "user 7", "cred": "kO1e", "expires_in": 300},
    ),
    "prelude": (
        providers.prelude("app2"),
        f"https://{PRELUDE}/.well-known/jwks.json",
        {"sub": "usr_01", "sid": "ses_01"},
    ),
    "prelude_step_up": (
        providers.prelude_step_up("app2"),
        f"https://{PRELUDE}/.well-known/step-up-jwks.json",
        {"sub": "usr_01", "scope": "pay prld:pwd:write"},
    ),
    "stytch": (
        providers.stytch(PROJECT),
        f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
        {
            "sub": "user-test-1",
            "https://stytch.com/session": {"id": "session-test-1", "roles": ["stytch_user"]},
            "expires_in": 300,
        },
    ),
    "stytch_m2m": (
        providers.stytch_m2m(PROJECT),
        f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
        {"sub": "m2m-client-test-1", "scope": "read:users write:users", "expires_in": 300},
    ),
    "wso2": (
        providers.wso2("https://is.example.com:9443", audience="client1", tenant="acme.com"),
        f"{WSO2}/jwks",
        _WSO2_USER,
    ),
    "asgardeo": (
        providers.asgardeo("bifrost", audience="client1"),
        "https://api.asgardeo.io/t/bifrost/oauth2/jwks",
        _WSO2_USER,
    ),
    "entra": (
        providers.entra_multi_tenant(audience="client1", allowed_tenants=[ENTRA_TENANT]),
        f"{ENTRA}/common/discovery/v2.0/keys",
        {"oid": UUID, "sub": "AAAAsub", "scp": "orders.read", "ver": "2.0"},
    ),
}


@functools.cache
def account(kind: str) -> Account:
    """Return the one account of a kind; its keys are made once per run."""
    provider, url, claims = _KINDS[kind]
    return Account(FakeProvider().as_provider(provider), url, claims)


class FakeInternet:
    """The existing providers, and the requests to them.

    A host without a provider cannot be connected to; at a host with one, any other path than its key set is
    a 404.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._accounts: dict[str, Account] = {}

    def publish(self, *accounts: Account) -> None:
        """Put these providers on the internet."""
        self._accounts |= {one.url: one for one in accounts}

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return the response of a URL."""
        url = str(request.url)
        self.asked.append(url)
        if request.url.host not in {httpx.URL(one).host for one in self._accounts}:
            raise httpx.ConnectError("the host does not exist", request=request)
        if url not in self._accounts:
            return httpx.Response(404, request=request)
        return self._accounts[url].idp.transport.handle_request(request)
