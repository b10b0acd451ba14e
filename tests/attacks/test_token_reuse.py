"""Good tokens in the wrong place: for another API, of another kind, of another tenant, bound to a key, or too old."""

from __future__ import annotations

import httpx
import pytest
from forging import (
    CLOCK,
    EC,
    ISSUER,
    NOW,
    Stand,
    claims_of,
    document,
    header_of,
    made_by,
    own_key,
    signed,
    without_network,
)

from jwks_client import IssuerTemplate, Provider, TokenError, providers
from jwks_client.errors import InsufficientScopeError
from jwks_client.testing import FakeProvider

ACCESS = {"client_id": "c1", "jti": "t1", "scope": "read"}
# A provider's access tokens by RFC 9068, section 4, as settings.
RFC_9068 = {
    "token_types": ("at+jwt",),
    "required_claims": ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"),
}


def access_token(header=None, **claims):
    """Return an access token as RFC 9068 defines it, with changes."""
    members = {"typ": "at+jwt", **(header or {})}
    return signed(EC, header_of(EC, **members), claims_of(EC, **{**ACCESS, **claims}))


def id_token(**claims):
    """Return an ID token for the same client at the same provider (OpenID Connect Core, section 2)."""
    usual = {"aud": "c1", "azp": "c1", "nonce": "n", "at_hash": "h", "auth_time": NOW, "jti": "i1"}
    return signed(EC, payload=claims_of(EC, **{**usual, **claims}))


def profile(drive, **fields):
    return Stand(drive, EC, honest=access_token, **{**RFC_9068, **fields})


@pytest.mark.parametrize("name", RFC_9068["required_claims"])
def test_an_access_token_must_have_every_claim_of_the_profile(drive, name):
    """Each claim that RFC 9068 requires is missing if absent or null."""
    stand = profile(drive)
    for absent in (..., None):
        stand.assert_refused(access_token(**{name: absent}), "missing_claim", name)


@pytest.mark.parametrize(
    "typ",
    [
        ...,
        "",
        "JWT",
        "jwt",
        "id_token+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "entity-statement+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "kb+jwt",
        "dc+sd-jwt",
        "at+jwt ",
        " at+jwt",
        "at+jwt;x=1",
        "at+jwt\0",
        "at",
        "+jwt",
        "at_jwt",
        "application/application/at+jwt",
        "text/at+jwt",
        "a\u0442+jwt",
        "application/",
        "AT+JWTS",
    ],
)
def test_a_token_of_another_type_is_not_an_access_token(drive, typ):
    """If a typ is required, another typ or none is refused (RFC 8725, section 3.11)."""
    profile(drive).assert_refused(access_token({"typ": typ}), "wrong_token_type")


@pytest.mark.parametrize(
    "typ", ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"]
)
def test_a_type_is_case_insensitive_and_may_have_its_prefix(drive, typ):
    """A typ is case-insensitive and may have the prefix application/ (RFC 7515, section 4.1.9)."""
    profile(drive).assert_accepted(access_token({"typ": typ}))


@pytest.mark.parametrize("typ", [None, 1, True, [], ["at+jwt"], {"at+jwt": 1}], ids=repr)
def test_a_type_that_is_not_a_string_is_malformed(drive, typ):
    """A null typ is not an absent typ."""
    profile(drive).assert_refused(access_token({"typ": typ}), "malformed_token")
    Stand(drive, EC).assert_refused(access_token({"typ": typ}), "malformed_token")


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "kb+jwt", "JOSE", "JWE", "none"]
)
def test_special_tokens_are_refused_unless_configured(drive, typ):
    """By default a token is a plain JWT or an access token; logout tokens and proofs are refused."""
    Stand(drive, EC).assert_refused(access_token({"typ": typ}), "wrong_token_type")


def test_an_id_token_is_not_an_access_token(drive):
    """An ID token is refused by its type, its audience, the claims that only ID tokens have, or what it lacks."""
    profile(drive).assert_refused(id_token(aud="api"), "wrong_token_type")
    Stand(drive, EC).assert_refused(id_token(), "wrong_audience", "aud")
    for name in ("nonce", "at_hash", "azp", "auth_time"):
        stand = Stand(drive, EC, forbidden_claims=[name])
        stand.assert_refused(id_token(aud="api"), "forbidden_claim", name)
        stand.assert_refused(id_token(aud="api", **{name: None}), "forbidden_claim", name)
    stand = Stand(drive, EC, required_claims=["client_id"], honest=access_token)
    stand.assert_refused(id_token(aud="api"), "missing_claim", "client_id")
    kind = lambda: access_token(token_use="access")
    stand = Stand(drive, EC, claim_values={"token_use": "access"}, honest=kind)
    stand.assert_refused(id_token(aud="api", token_use="id"), "invalid_claim", "token_use")
    stand.assert_refused(id_token(aud="api"), "missing_claim", "token_use")


def test_an_access_token_is_not_an_id_token(drive):
    """A call that requires a nonce refuses a token without it or with another."""
    wanted = {"nonce": "n"}
    stand = Stand(drive, EC, audience="c1", honest=id_token)
    stand.assert_accepted(id_token(), claim_values=wanted)
    stand.assert_refused(access_token(aud="c1"), "missing_claim", "nonce", claim_values=wanted)
    stand.assert_refused(id_token(nonce="m"), "invalid_claim", "nonce", claim_values=wanted)
    stand.assert_refused(id_token(nonce=None), "invalid_claim", "nonce", claim_values=wanted)
    stand.assert_refused(
        id_token(nonce=None, nonce_supported=False), "invalid_claim", "nonce", claim_values=wanted
    )
    stand.assert_refused(access_token(), "wrong_audience", "aud", claim_values=wanted)
    # A token accepted without the nonce is not remembered as accepted with it.
    token = id_token(nonce="other")
    stand.assert_accepted(token)
    stand.assert_refused(token, "invalid_claim", "nonce", claim_values=wanted)


PRESETS = {
    "cognito_access": (
        lambda: providers.cognito_access("eu-west-1_abc", client_id="c1"),
        {"token_use": "access", "client_id": "c1"},
        {"token_use": "id", "aud": "c1"},
        "invalid_claim",
    ),
    "cognito_id": (
        lambda: providers.cognito_id("eu-west-1_abc", client_id="c1"),
        {"token_use": "id", "aud": "c1"},
        {"token_use": "access", "client_id": "c1", "aud": "c1"},
        "invalid_claim",
    ),
    "okta": (
        lambda: providers.okta("https://o.okta.com/oauth2/default", audience="api"),
        {"cid": "c1", "uid": "u", "aud": "api"},
        {"aud": "api", "idp": "x", "nonce": "n"},
        "missing_claim",
    ),
    "keycloak": (
        lambda: providers.keycloak("https://id.test", "acme", audience="api"),
        {"typ": "Bearer"},
        {"typ": "ID"},
        "invalid_claim",
    ),
    "asgardeo": (
        lambda: providers.asgardeo("acme", audience="api"),
        {"scope": "read"},
        {"at_hash": "h"},
        "forbidden_claim",
    ),
    "hanko": (
        lambda: providers.hanko("https://acme.hanko.io", audience="api"),
        {"session_id": "s"},
        {"session_id": "s", "evt": "user.login"},
        "forbidden_claim",
    ),
}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_distinguishes_kinds_of_token(drive, clock, preset):
    """Of two kinds of token with one provider, key set and issuer, only the kind of the preset is accepted."""
    make, right, wrong, code = preset
    idp = FakeProvider(clock=clock).as_provider(make())
    drive.client(idp)
    assert drive.verify(idp.issue(**right)).provider == idp.provider.name
    lacking = {name: None for name in right if name not in wrong}
    assert_refused(drive, idp.issue(**{**lacking, **wrong}), code)


@pytest.mark.parametrize(
    "cnf",
    [
        {"jkt": "x"},
        {"x5t#S256": "x"},
        {"jwk": {}},
        {"kid": "x"},
        {"jku": "https://a"},
        {},
        None,
        "",
        0,
        [],
        "x",
        True,
    ],
    ids=repr,
)
def test_a_bound_token_is_not_a_bearer_token(drive, cnf):
    """A token with ``cnf`` of any kind, even empty, is refused: a thief may have the token without its key."""
    stand = Stand(drive, EC)
    token = access_token(cnf=cnf)
    stand.assert_refused(token, "invalid_claim", "cnf")
    checked = Stand(drive, EC, bound_tokens="checked_elsewhere")
    assert checked.assert_accepted(token).claims["cnf"] == cnf


def test_a_binding_in_the_header_is_not_a_binding_of_the_claims(drive):
    """``cnf`` binds a token among its claims, as RFC 7800 defines, and not in its header."""
    Stand(drive, EC).assert_accepted(access_token({"cnf": {"jkt": "x"}}))


def test_a_token_for_another_api_is_refused(drive):
    """Another audience is refused with the same issuer, key and user, even if this API's name is part of it."""
    stand = Stand(drive, EC)
    for audience in ("billing", ["billing", "reports"], "https://issuer.test", "api2", ["api2"]):
        stand.assert_refused(access_token(aud=audience), "wrong_audience", "aud")
    stand.assert_refused(
        access_token(aud="billing", azp="api", client_id="api"), "wrong_audience", "aud"
    )
    stand.assert_accepted(access_token(aud=["billing", "api"]))


def test_a_neighbour_s_token_is_refused(drive, clock):
    """A token of another realm or tenant at the same host is refused by its issuer, and by its key set if that differs."""
    acme = FakeProvider("https://login.test/realms/acme", clock=clock)
    evil = FakeProvider("https://login.test/realms/evil", clock=clock)
    drive.client(acme)
    assert drive.verify(acme.issue()).issuer == acme.issuer
    assert_refused(drive, evil.issue(), "bad_signature")
    assert_refused(drive, evil.issue(iss=acme.issuer), "bad_signature")
    assert_refused(drive, acme.issue(iss=evil.issuer), "wrong_issuer")  # one key set for all realms
    for near in (
        f"{acme.issuer}/",
        acme.issuer[:-1],
        acme.issuer.upper(),
        f"{evil.issuer}/../acme",
    ):
        assert_refused(drive, acme.issue(iss=near), "wrong_issuer")
    drive.client(acme, evil, transport=at_one_host(acme, evil))
    assert drive.verify(evil.issue()).provider == evil.provider.name
    assert_refused(drive, evil.issue(iss=acme.issuer), "bad_signature")
    assert_refused(drive, evil.issue(), "bad_signature", provider=acme.provider.name)


def assert_refused(drive, token, code, **options):
    """Assert that the token is refused with this code."""
    with pytest.raises(TokenError) as caught:
        drive.verify(token, **options)
    assert caught.value.code == code


def at_one_host(*fakes):
    """Return a network where several providers share a host."""
    sets = {one.jwks_url: one for one in fakes}
    return httpx.MockTransport(
        lambda request: httpx.Response(200, json=sets[str(request.url)].jwks())
    )


def test_a_tenant_s_key_verifies_for_that_tenant_only(drive):
    """In a key set of many tenants, each entry names its issuer, and one tenant's key verifies for no other."""
    template = IssuerTemplate("https://login.test/{tid}/v2.0", allowed={"t1", "t2"})
    mine, theirs, all_s = (own_key("ES256", kid) for kid in ("k1", "k2", "k3"))
    where = "https://login.test/{}/v2.0".format
    entries = [
        {**mine.jwk(), "issuer": where("t1")},
        {**theirs.jwk(), "issuer": where("t2")},
        {**all_s.jwk(), "issuer": where("{tenantid}")},
    ]

    def token(key, tid, iss=None):
        claims = claims_of(EC, iss=iss or where(tid), tid=tid)
        return made_by(key.sign, header_of(EC, kid=key.kid), claims)

    stand = Stand(
        drive, EC, jwks=document(*entries), issuer=template, honest=lambda: token(mine, "t1")
    )
    stand.assert_accepted(token(theirs, "t2"))
    for tid in ("t1", "t2"):
        stand.assert_accepted(token(all_s, tid))
    stand.assert_refused(token(mine, "t2"), "wrong_issuer", "iss")
    stand.assert_refused(token(theirs, "t1"), "wrong_issuer", "iss")
    stand.assert_refused(token(all_s, "t3"), "wrong_issuer", "iss")
    stand.assert_refused(token(all_s, "t1", where("t2")), "wrong_issuer", "iss")


def test_a_token_accepted_for_one_provider_is_judged_again_for_another(drive):
    """A token remembered for one of two providers with a shared key set is not accepted for the other."""
    strict = without_network(EC, name="strict", **RFC_9068)
    loose = without_network(EC, name="loose", audience="c1")
    drive.client(strict, loose, clock=CLOCK)
    token = id_token()
    assert drive.verify(token).provider == "loose"
    assert_refused(drive, token, "wrong_token_type", provider="strict")
    assert drive.verify(token, provider="loose").provider == "loose"
    good = access_token()
    assert drive.verify(good).provider == "strict"
    assert_refused(drive, good, "wrong_audience", provider="loose")


def test_a_provider_without_an_issuer_check_does_not_vouch_for_others(drive):
    """A provider with ``issuer=UNCHECKED`` verifies with its own keys and not for a provider with an issuer."""
    anybody = FakeProvider(algorithm="ES256", clock=CLOCK)
    open_one = Provider(
        name="open", issuer=providers.UNCHECKED, audience="api", jwks=anybody.jwks()
    )
    drive.client(without_network(EC), open_one, clock=CLOCK)
    assert drive.verify(EC.issue()).provider == "idp"
    verified = drive.verify(anybody.issue(iss=ISSUER))
    assert (
        verified.provider == "open"
    )  # distinguished by a name, as an application without an issuer check must do
    assert_refused(drive, anybody.issue(iss=ISSUER), "bad_signature", provider="idp")


def test_a_remembered_token_is_not_valid_for_longer(drive, clock):
    """Expiry, age and the application's own checks run again for a remembered token."""
    idp = FakeProvider(ISSUER, algorithm="ES256", clock=clock)
    words = [True]
    provider = without_network(idp, checks=[lambda _: words[0]], max_age=50)
    drive.client(provider, clock=clock)
    token = idp.issue(expires_in=60)
    assert drive.verify(token) == drive.verify(token)
    words[0] = False
    assert_refused(drive, token, "rejected_by_check")
    words[0] = True
    clock.advance(79)
    assert drive.verify(token).subject == "u1"
    clock.advance(1)
    assert_refused(drive, token, "token_too_old")
    clock.advance(10)
    assert_refused(drive, token, "token_expired")
    clock.jump_wall(-3600)
    assert_refused(drive, token, "token_issued_in_future")


def test_a_missing_scope_is_not_granted(drive):
    """``require`` compares whole words, and its error names the missing scopes and none of the token's."""
    stand = profile(drive)
    token = stand.assert_accepted(access_token(scope="orders:read secret-scope"))
    assert token.require("orders:read") is token
    for scope in ("orders", "read", "orders:", "orders:read secret-scope", "ORDERS:READ", "*", ""):
        with pytest.raises(InsufficientScopeError) as caught:
            token.require(scope)
        assert "secret-scope" not in str(caught.value).replace(scope, "")
