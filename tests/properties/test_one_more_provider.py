"""Adding a provider never changes the verdict on another provider's tokens."""

from __future__ import annotations

import httpx
import pytest
from driver import ByHost, driving
from hypothesis import given
from hypothesis import strategies as st
from odd_json import CLOCK, NOW, steady

from jwks_client import IssuerTemplate, JWKSError, Provider, providers
from jwks_client.testing import FakeProvider

FIRST = FakeProvider("https://first.test", algorithm="ES256", clock=CLOCK)
OTHER = FakeProvider("https://other.test", algorithm="ES256", clock=CLOCK)
FIRST.rotate()  # a kid that only this provider has, and one that both have
BOTH = {"name": "other", "audience": "api", "algorithms": ["ES256"], "jwks_url": OTHER.jwks_url}
SAME_KEYS = {**BOTH, "jwks_url": FIRST.jwks_url}
ITSELF = Provider(
    **{**SAME_KEYS, "name": "first", "issuer": FIRST.issuer, "required_claims": ["org"]}
)
# A provider with another issuer must have no effect; one with the same issuer may only accept more.
STRANGERS = {
    "another issuer": Provider(**BOTH, issuer=OTHER.issuer),
    "another issuer with the same keys": Provider(**SAME_KEYS, issuer=OTHER.issuer),
    "tenants": Provider(
        **BOTH, issuer=IssuerTemplate("https://{org}.test", allowed=lambda one: one == "b")
    ),
}
RELATIVES = {
    "same issuer with other keys": Provider(**BOTH, issuer=FIRST.issuer),
    "any issuer": Provider(**BOTH, issuer=providers.UNCHECKED),
    "any issuer with the same keys": Provider(
        **{**SAME_KEYS, "audience": "web"}, issuer=providers.UNCHECKED
    ),
    "same issuer with another audience": Provider(
        **{**SAME_KEYS, "audience": "web"}, issuer=FIRST.issuer
    ),
    "one that is stricter": Provider(
        **SAME_KEYS, issuer=FIRST.issuer, required_claims=["x", "org"]
    ),
    "tenants of the same name": Provider(
        **SAME_KEYS,
        issuer=IssuerTemplate("https://{org}.test", allowed={"first"}),
        forbidden_claims=["exp"],
    ),
    "one that always says no": Provider(**SAME_KEYS, issuer=FIRST.issuer, checks=[lambda _: False]),
}

# A token that the first provider accepts, except for at most two oddities.
oddities = [
    st.tuples(st.just("org"), st.sampled_from(["b", None])),
    st.tuples(st.just("aud"), st.sampled_from(["web", ["web", "api"], 5])),
    st.tuples(st.just("exp"), st.sampled_from([NOW - 60, NOW + 5, "soon"])),
    st.tuples(st.just("nbf"), st.sampled_from([NOW + 5, NOW + 60])),
    st.tuples(st.just("iss"), st.sampled_from([OTHER.issuer, "https://b.test", 5])),
    st.tuples(st.just("cnf"), st.just({"jkt": "x"})),
]
odd_headers = [
    st.tuples(st.just("kid"), st.sampled_from(["key-1", "nobody", None])),
    st.tuples(st.just("typ"), st.sampled_from(["at+jwt", "other"])),
    st.tuples(st.just("alg"), st.sampled_from(["ES384", "none"])),
]
claims = st.lists(st.one_of(oddities), max_size=2).map(dict)
headers = st.lists(st.one_of(odd_headers), max_size=1).map(dict)


def outcome(driver, providers, token):
    """Return the name of the provider that accepts a token, or the error."""
    driver.client(*providers, transport=ByHost([FIRST, OTHER]), clock=CLOCK)
    try:
        return driver.verify(token).provider
    except JWKSError as error:
        return error


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("added", STRANGERS | RELATIVES)
def test_a_provider_s_tokens_are_accepted_beside_another_provider(kind, added):
    """A second provider, before or after the first, working or failing, takes no token away; another issuer's does not even change the error."""
    other = {**STRANGERS, **RELATIVES}[added]

    accepted = []

    @steady(25, kind, added)
    @given(claims, headers, st.sampled_from([FIRST, FIRST, OTHER]), st.booleans(), st.booleans())
    def it_does(claims, headers, idp, other_fails, other_first):
        given_claims = {"org": "first", "iss": FIRST.issuer, **claims}
        token = idp.issue(headers=headers, **given_claims)
        OTHER.fail(httpx.ConnectError("no")) if other_fails else OTHER.recover()
        with driving(kind) as driver:
            alone = outcome(driver, [ITSELF], token)
            order = [other, ITSELF] if other_first else [ITSELF, other]
            beside = outcome(driver, order, token)
        if isinstance(alone, str):
            accepted.append(alone)
            assert beside in {alone, other.name}
            assert added in RELATIVES or beside == alone
        elif added in STRANGERS and given_claims["iss"] == FIRST.issuer:
            assert (type(beside), beside.code) == (type(alone), alone.code)

    it_does()
    assert accepted  # or nothing was compared
