"""Accounts at the documented providers as they look from outside, and an internet of nothing else.

An account is a key set at the provider's own URL and tokens of the provider's own shape. The fake
internet answers for them where httpx's own transports would open a connection, so that examples and
code blocks run as users write them, to the last line. Loopback stays real.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import httpx

from jwks_client.testing import FakeProvider

UUID = "0a1b2c3d-0000-4000-8000-000000000000"
PROJECT = "project-test-0a1b2c3d"
PRELUDE = "app2.session.prelude.dev"
WSO2 = "https://is.example.com:9443/t/acme.com/oauth2"
ASGARDEO = "https://api.asgardeo.io/t/bifrost/oauth2"
ENTRA = "https://login.microsoftonline.com"
ENTRA_TENANT = "11111111-2222-4333-8444-555555555555"


class Account:
    """One key set at its URL, and tokens of one shape.

    Arguments:
        url: where the provider publishes its keys.
        kid: how it names them.
        algorithm: what it signs with.
        headers: of its tokens, over the usual ones.
        members: of its keys, over the usual ones.
        top: of its key set, beside ``keys``.
        claims: of its tokens, over the usual ones; ``nbf=...`` stands for the time of issue.
    """

    def __init__(
        self,
        url: str,
        kid: str,
        *,
        algorithm: str = "RS256",
        headers: Mapping[str, Any] | None = None,
        members: Mapping[str, Any] | None = None,
        top: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> None:
        self.url = url
        self._signer = FakeProvider(algorithm=algorithm)
        self._header = {"kid": kid, **(headers or {})}
        self._members = {"kid": kid, **(members or {})}
        self._top = dict(top or {})
        self._claims = claims

    def document(self) -> dict[str, Any]:
        """The key set."""
        keys = [{**key, **self._members} for key in self._signer.jwks()["keys"]]
        return {"keys": keys, **self._top}

    def issue(self, *, ago: int = 0, **claims: Any) -> str:
        """A token, issued that many seconds ago; None leaves a claim out."""
        issued_at = int(self._signer.clock.time()) - ago
        named = {"iat": issued_at, **self._claims, **claims}
        if named.get("nbf") is ...:
            named["nbf"] = issued_at
        return self._signer.issue(**named, headers=self._header)


def _stytch(**claims: Any) -> Account:
    return Account(
        f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
        f"jwk-test-{UUID}",
        members={"key_ops": ["verify"], "x5c": ["MIIC…"], "x5tS256": "cGFkZGVk//8="},
        top={"request_id": "request-id-test-1", "status_code": 200},
        iss=f"stytch.com/{PROJECT}",
        aud=[PROJECT],
        nbf=...,
        expires_in=300,
        **claims,
    )


def _wso2(url: str) -> Account:
    return Account(
        f"{url}/jwks",
        f"{base64.urlsafe_b64encode(hashlib.sha256(b'certificate').hexdigest().encode()).decode()}_RS256",
        headers={"typ": "at+jwt"},
        iss=f"{url}/token",
        aud=["client1"],
        sub=UUID,
        azp="client1",
        client_id="client1",
        aut="APPLICATION_USER",
        scope="openid orders:read",
        nbf=...,
        jti=UUID,
        expires_in=3600,
    )


_MAKERS = {
    "hanko": lambda: Account(
        f"https://{UUID}.hanko.io/.well-known/jwks.json",
        UUID,
        iss=None,
        aud=["https://shop.example.com"],
        sub=UUID,
        session_id=UUID,
        email={"address": "a@example.com", "is_primary": True, "is_verified": True},
        amr=["passkey"],
        expires_in=43200,
    ),
    "hanko_passkeys": lambda: Account(
        f"https://passkeys.hanko.io/{UUID}/.well-known/jwks.json",
        UUID,
        iss=None,
        aud=["shop.example.com"],
        sub="user 7",
        cred="kO1e",
        expires_in=300,
    ),
    "prelude": lambda: Account(
        f"https://{PRELUDE}/.well-known/jwks.json",
        "s1",
        algorithm="EdDSA",
        iss=PRELUDE,
        aud=None,
        sub="usr_01",
        sid="ses_01",
        jti="j1",
        cc={"plan": "pro"},
        nbf=...,
    ),
    "prelude_step_up": lambda: Account(
        f"https://{PRELUDE}/.well-known/step-up-jwks.json",
        "u1",
        algorithm="EdDSA",
        iss=PRELUDE,
        aud=None,
        sub="usr_01",
        scope="pay prld:pwd:write",
    ),
    "stytch": lambda: _stytch(
        sub="user-test-1",
        **{"https://stytch.com/session": {"id": "session-test-1", "roles": ["stytch_user"]}},
    ),
    "stytch_m2m": lambda: _stytch(sub="m2m-client-test-1", scope="read:users write:users"),
    "wso2": lambda: _wso2(WSO2),
    "asgardeo": lambda: _wso2(ASGARDEO),
    "entra": lambda: Account(
        f"{ENTRA}/common/discovery/v2.0/keys",
        "e1",
        members={"issuer": f"{ENTRA}/{{tenantid}}/v2.0", "x5t": "e1"},
        iss=f"{ENTRA}/{ENTRA_TENANT}/v2.0",
        aud="client1",
        tid=ENTRA_TENANT,
        oid=UUID,
        sub="AAAAsub",
        scp="orders.read",
        ver="2.0",
        nbf=...,
    ),
}


@functools.cache
def account(kind: str) -> Account:
    """The one account of a kind; its keys are made once a run."""
    return _MAKERS[kind]()


class FakeInternet:
    """The pages that there are, and what was asked of them.

    A host without a page cannot be connected to; at a host with one, any other URL is a 404.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._accounts: dict[str, Account] = {}

    def publish(self, *accounts: Account) -> None:
        """Put these key sets at their URLs."""
        self._accounts |= {one.url: one for one in accounts}

    def switch_off(self) -> None:
        """Take everything away."""
        self._accounts.clear()

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What is at a URL."""
        url = str(request.url)
        self.asked.append(url)
        if request.url.host not in {httpx.URL(one).host for one in self._accounts}:
            raise httpx.ConnectError("there is no such host", request=request)
        if url not in self._accounts:
            return httpx.Response(404, request=request)
        return httpx.Response(200, json=self._accounts[url].document(), request=request)
