"""The MCP verifier in a real server of the SDK, alone and under the middleware."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from mcp_apps import RESOURCE, alone

from jwks_client import AsyncJWKSClient, ConfigurationError, KeysUnavailableError
from jwks_client.integrations.mcp import JWKSTokenVerifier
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeProvider


@pytest.fixture
def idp() -> FakeProvider:
    return FakeProvider()


def test_a_verifier_alone_refuses_with_401_and_never_in_an_outage(idp):
    """Without the middleware keys that are unavailable are the SDK's 500: clients stay logged in."""
    with alone(idp.async_client()) as ask:
        assert ask(idp.issue()).status_code == 200
        for refused in (idp.issue(expires_in=-3600), idp.issue(aud="another"), "junk"):
            assert ask(refused).status_code == 401
    idp.fail(503)
    with alone(idp.async_client()) as ask:
        assert ask(idp.issue()).status_code == 500


def test_the_attributes_that_the_sdk_keeps_of_a_token(idp):
    """The SDK keeps client, scopes, expiry and the resource, and None for a refused token."""
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
    """A client with an unchecked audience is refused, because tokens for other APIs must not open an MCP server."""
    provider = replace(idp.provider, audience=UNCHECKED)
    with pytest.raises(ConfigurationError) as caught:
        JWKSTokenVerifier(AsyncJWKSClient(provider), resource=RESOURCE)
    assert caught.value.field == "client"


def test_wrong_settings_are_refused_with_the_fix(idp):
    """A sync client, a class, and a resource that is not a URL are refused with the fix."""
    for client in (idp.client(), JWKSTokenVerifier, object()):
        with pytest.raises(ConfigurationError, match="AsyncJWKSClient") as caught:
            JWKSTokenVerifier(client, resource=RESOURCE)
        assert caught.value.field == "client"
    for wrong in ("mcp", "", "ftp://mcp.test/"):
        with pytest.raises(ConfigurationError) as caught:
            JWKSTokenVerifier(idp.async_client(), resource=wrong)
        assert caught.value.field == "resource"
