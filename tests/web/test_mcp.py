"""The MCP verifier in a real server of the SDK, alone and under the middleware."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from mcp_apps import RESOURCE, asking

from jwks_client import AsyncJWKSClient, ConfigurationError, KeysUnavailableError
from jwks_client.integrations.mcp import JWKSTokenVerifier
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeProvider


@pytest.fixture
def idp() -> FakeProvider:
    return FakeProvider()


def said(answer) -> str:
    """What the tool said."""
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["content"][0]["text"]


def test_a_good_token_reaches_the_tool(idp):
    """The tool sees its caller by current_token() under the middleware."""
    with asking(idp.async_client()) as ask:
        assert said(ask(f"Bearer {idp.issue(sub='u7')}")) == "you are u7"


def test_callers_are_kept_apart(idp):
    """Many calls at once: each tool sees its own caller."""
    subjects = [f"u{number}" for number in range(20)]
    with asking(idp.async_client()) as ask, ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda one: said(ask(f"Bearer {idp.issue(sub=one)}")), subjects)
        assert list(answers) == [f"you are {one}" for one in subjects]


@pytest.mark.parametrize("protected", [True, False])
def test_refused_credentials_are_401(idp, protected):
    """Missing, expired, forged tokens and tokens for another audience: a challenge."""
    forged = FakeProvider(issuer=idp.issuer).issue()
    with asking(idp.async_client(), protected=protected) as ask:
        for token in (None, idp.issue(expires_in=-3600), forged, idp.issue(aud="another")):
            answer = ask(None if token is None else f"Bearer {token}")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("protected", [True, False])
def test_a_missing_scope_is_403(idp, protected):
    """The SDK refuses a token without the scopes of its settings, and names them."""
    with asking(idp.async_client(), scopes=["tools:run"], protected=protected) as ask:
        answer = ask(f"Bearer {idp.issue()}")
        assert answer.status_code == 403
        assert "insufficient_scope" in answer.headers["www-authenticate"]
        assert "tools:run" in answer.headers["www-authenticate"]
        assert ask(f"Bearer {idp.issue(scope='tools:run')}").status_code == 200


def test_keys_that_are_unavailable_are_503_under_the_middleware(idp):
    """Retry-After and no challenge: no client is logged out by an outage."""
    idp.fail(503)
    with asking(idp.async_client()) as ask:
        answer = ask(f"Bearer {idp.issue()}")
        assert (answer.status_code, "www-authenticate" in answer.headers) == (503, False)
        assert int(answer.headers["retry-after"]) >= 1


def test_keys_that_are_unavailable_are_never_401(idp):
    """A verifier alone cannot say 503; the SDK's 500 does not make clients log in again."""
    idp.fail(503)
    with asking(idp.async_client(), protected=False) as ask:
        assert ask(f"Bearer {idp.issue()}").status_code == 500


def test_what_the_sdk_keeps_of_a_token(idp):
    """Client, scopes, expiry and the resource; None for a token that is refused."""
    verifier = JWKSTokenVerifier(idp.async_client(), resource=RESOURCE, required_scopes=["a"])
    raw = idp.issue(sub="u7", scope="b a", azp="c1")
    kept = asyncio.run(verifier.verify_token(raw))
    assert (kept.token, kept.client_id, kept.scopes) == (raw, "c1", ["a", "b"])
    assert (kept.resource, isinstance(kept.expires_at, int)) == (RESOURCE, True)
    assert asyncio.run(verifier.verify_token("junk")) is None
    assert (verifier.scopes_supported, verifier.get_challenge_scopes()) == (["a"], ["a"])
    assert verifier.get_challenge_scopes(["c"]) == ["c"]
    idp.fail(503)
    idp.rotate()
    with pytest.raises(KeysUnavailableError):
        asyncio.run(verifier.verify_token(idp.issue()))


def test_a_client_that_accepts_any_audience_is_refused(idp):
    """Tokens that were issued for other APIs must not open an MCP server."""
    provider = replace(idp.provider, audience=UNCHECKED)
    with pytest.raises(ConfigurationError) as caught:
        JWKSTokenVerifier(AsyncJWKSClient(provider), resource=RESOURCE)
    assert caught.value.field == "client"


def test_wrong_settings_are_refused_with_the_fix(idp):
    """A sync client, a class, a resource that is not a URL."""
    for client in (idp.client(), JWKSTokenVerifier, object()):
        with pytest.raises(ConfigurationError, match="AsyncJWKSClient") as caught:
            JWKSTokenVerifier(client, resource=RESOURCE)
        assert caught.value.field == "client"
    for wrong in ("mcp", "", "ftp://mcp.test/"):
        with pytest.raises(ConfigurationError) as caught:
            JWKSTokenVerifier(idp.async_client(), resource=wrong)
        assert caught.value.field == "resource"


def test_without_the_sdk_the_error_names_the_extra():
    """An import that fails says what to install."""
    code = "import sys; sys.modules['mcp'] = None; import jwks_client.integrations.mcp"
    run = [sys.executable, "-c", code]
    ended = subprocess.run(run, capture_output=True, text=True, check=False)
    assert 'pip install "jwks-client-sdk[mcp]"' in ended.stderr
