"""Good tokens in the wrong place: for another API, of another kind, another tenant, bound to a key, too old."""

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
# A provider's access tokens by RFC 9068, section 4, as settings say it.
RFC_9068 = {
    "token_types": ("at+jwt",),
    "required_claims": ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"),
}


def access_token(header=None, **claims):
    """An access token as RFC 9068 has them, with changes."""
    members = {"typ": "at+jwt", **(header or {})}
    return signed(EC, header_of(EC, **members), claims_of(EC, **{**ACCESS, **claims}))


def id_token(**claims):
    """An ID token for the same client at the same provider (OpenID Connect Core, section 2)."""
    usual = {"aud": "c1", "azp": "c1", "nonce": "n", "at_hash": "h", "auth_time": NOW, "jti": "i1"}
    return signed(EC, payload=claims_of(EC, **{**usual, **claims}))


def profile(drive, **fields):
    return Stand(drive, EC, honest=access_token, **{**RFC_9068, **fields})


@pytest.mark.parametrize("name", RFC_9068["required_claims"])
def test_an_access_token_lacks_nothing_that_the_profile_demands(drive, name):
    """Each of RFC 9068's claims, absent or null."""
    stand = profile(drive)
    for absent in (..., None):
        stand.refuses(access_token(**{name: absent}), "missing_claim", name)


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
def test_a_token_of_another_type_is_no_access_token(drive, typ):
    """RFC 8725, section 3.11: where a type is demanded, no other will do, nor none."""
    profile(drive).refuses(access_token({"typ": typ}), "wrong_token_type")


@pytest.mark.parametrize(
    "typ", ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"]
)
def test_a_type_has_no_case_and_may_be_said_in_full(drive, typ):
    """RFC 7515, section 4.1.9."""
    profile(drive).accepts(access_token({"typ": typ}))


@pytest.mark.parametrize("typ", [None, 1, True, [], ["at+jwt"], {"at+jwt": 1}], ids=repr)
def test_a_type_that_is_no_string_is_malformed(drive, typ):
    """Null is not absent."""
    profile(drive).refuses(access_token({"typ": typ}), "malformed_token")
    Stand(drive, EC).refuses(access_token({"typ": typ}), "malformed_token")


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "kb+jwt", "JOSE", "JWE", "none"]
)
def test_special_tokens_are_refused_unless_asked_for(drive, typ):
    """By default a token is a plain JWT or an access token: logout tokens and proofs are neither."""
    Stand(drive, EC).refuses(access_token({"typ": typ}), "wrong_token_type")


def test_an_id_token_is_no_access_token(drive):
    """By type, by audience, by the claims that only ID tokens have, or by what it lacks: each suffices."""
    profile(drive).refuses(id_token(aud="api"), "wrong_token_type")
    Stand(drive, EC).refuses(id_token(), "wrong_audience", "aud")
    for name in ("nonce", "at_hash", "azp", "auth_time"):
        stand = Stand(drive, EC, forbidden_claims=[name])
        stand.refuses(id_token(aud="api"), "forbidden_claim", name)
        stand.refuses(id_token(aud="api", **{name: None}), "forbidden_claim", name)
    stand = Stand(drive, EC, required_claims=["client_id"], honest=access_token)
    stand.refuses(id_token(aud="api"), "missing_claim", "client_id")
    kind = lambda: access_token(token_use="access")
    stand = Stand(drive, EC, claim_values={"token_use": "access"}, honest=kind)
    stand.refuses(id_token(aud="api", token_use="id"), "invalid_claim", "token_use")
    stand.refuses(id_token(aud="api"), "missing_claim", "token_use")


def test_an_access_token_is_no_id_token(drive):
    """Nor the other way round: who wants a nonce does not take a token without it, or with another."""
    wanted = {"nonce": "n"}
    stand = Stand(drive, EC, audience="c1", honest=id_token)
    stand.accepts(id_token(), claim_values=wanted)
    stand.refuses(access_token(aud="c1"), "missing_claim", "nonce", claim_values=wanted)
    stand.refuses(id_token(nonce="m"), "invalid_claim", "nonce", claim_values=wanted)
    stand.refuses(id_token(nonce=None), "invalid_claim", "nonce", claim_values=wanted)
    stand.refuses(
        id_token(nonce=None, nonce_supported=False), "invalid_claim", "nonce", claim_values=wanted
    )
    stand.refuses(access_token(), "wrong_audience", "aud", claim_values=wanted)
    # What was accepted without the nonce is not remembered as accepted with it.
    token = id_token(nonce="other")
    stand.accepts(token)
    stand.refuses(token, "invalid_claim", "nonce", claim_values=wanted)


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
def test_a_preset_tells_kinds_of_token_apart(drive, clock, preset):
    """Two kinds of token of one provider, one key set, one issuer: only the wanted kind is accepted."""
    make, right, wrong, code = preset
    idp = FakeProvider(clock=clock).as_provider(make())
    drive.client(idp)
    assert drive.verify(idp.issue(**right)).provider == idp.provider.name
    lacking = {name: None for name in right if name not in wrong}
    refuse(drive, idp.issue(**{**lacking, **wrong}), code)


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
def test_a_bound_token_is_no_bearer_token(drive, cnf):
    """``cnf`` of any kind, even empty: a thief has the token and not the key, and nobody here would notice."""
    stand = Stand(drive, EC)
    token = access_token(cnf=cnf)
    stand.refuses(token, "invalid_claim", "cnf")
    checked = Stand(drive, EC, bound_tokens="checked_elsewhere")
    assert checked.accepts(token).claims["cnf"] == cnf


def test_a_binding_in_the_header_is_not_a_binding_of_the_claims(drive):
    """``cnf`` binds where RFC 7800 has it, among the claims."""
    Stand(drive, EC).accepts(access_token({"cnf": {"jkt": "x"}}))


def test_a_token_for_another_api_is_refused(drive):
    """The same issuer, key and user, another audience: also where this API's name is in its words."""
    stand = Stand(drive, EC)
    for audience in ("billing", ["billing", "reports"], "https://issuer.test", "api2", ["api2"]):
        stand.refuses(access_token(aud=audience), "wrong_audience", "aud")
    stand.refuses(access_token(aud="billing", azp="api", client_id="api"), "wrong_audience", "aud")
    stand.accepts(access_token(aud=["billing", "api"]))


def test_a_neighbour_s_token_is_refused(drive, clock):
    """Another realm or tenant at the same host: by its issuer, and by its key set where that is another."""
    acme = FakeProvider("https://login.test/realms/acme", clock=clock)
    evil = FakeProvider("https://login.test/realms/evil", clock=clock)
    drive.client(acme)
    assert drive.verify(acme.issue()).issuer == acme.issuer
    refuse(drive, evil.issue(), "bad_signature")
    refuse(drive, evil.issue(iss=acme.issuer), "bad_signature")
    refuse(drive, acme.issue(iss=evil.issuer), "wrong_issuer")  # one key set for all realms
    for near in (
        f"{acme.issuer}/",
        acme.issuer[:-1],
        acme.issuer.upper(),
        f"{evil.issuer}/../acme",
    ):
        refuse(drive, acme.issue(iss=near), "wrong_issuer")
    drive.client(acme, evil, transport=at_one_host(acme, evil))
    assert drive.verify(evil.issue()).provider == evil.provider.name
    refuse(drive, evil.issue(iss=acme.issuer), "bad_signature")
    refuse(drive, evil.issue(), "bad_signature", provider=acme.provider.name)


def refuse(drive, token, code, **options):
    """Refused with this code."""
    with pytest.raises(TokenError) as caught:
        drive.verify(token, **options)
    assert caught.value.code == code


def at_one_host(*fakes):
    """A network where several providers share a host."""
    sets = {one.jwks_url: one for one in fakes}
    return httpx.MockTransport(
        lambda request: httpx.Response(200, json=sets[str(request.url)].jwks())
    )


def test_a_tenant_s_key_signs_for_that_tenant_alone(drive):
    """A key set of many tenants whose entries name their issuer: one tenant's key signs for no other."""
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
    stand.accepts(token(theirs, "t2"))
    for tid in ("t1", "t2"):
        stand.accepts(token(all_s, tid))
    stand.refuses(token(mine, "t2"), "wrong_issuer", "iss")
    stand.refuses(token(theirs, "t1"), "wrong_issuer", "iss")
    stand.refuses(token(all_s, "t3"), "wrong_issuer", "iss")
    stand.refuses(token(all_s, "t1", where("t2")), "wrong_issuer", "iss")


def test_what_one_provider_accepted_another_judges_for_itself(drive):
    """Two providers share a key set and an issuer; a token remembered for one is not accepted for the other."""
    strict = without_network(EC, name="strict", **RFC_9068)
    loose = without_network(EC, name="loose", audience="c1")
    drive.client(strict, loose, clock=CLOCK)
    token = id_token()
    assert drive.verify(token).provider == "loose"
    refuse(drive, token, "wrong_token_type", provider="strict")
    assert drive.verify(token, provider="loose").provider == "loose"
    good = access_token()
    assert drive.verify(good).provider == "strict"
    refuse(drive, good, "wrong_audience", provider="loose")


def test_a_provider_that_checks_no_issuer_does_not_vouch_for_others(drive):
    """``issuer=UNCHECKED`` beside a provider with an issuer: each has its own keys."""
    anybody = FakeProvider(algorithm="ES256", clock=CLOCK)
    open_one = Provider(
        name="open", issuer=providers.UNCHECKED, audience="api", jwks=anybody.jwks()
    )
    drive.client(without_network(EC), open_one, clock=CLOCK)
    assert drive.verify(EC.issue()).provider == "idp"
    verified = drive.verify(anybody.issue(iss=ISSUER))
    assert verified.provider == "open"  # told apart by name, as whoever leaves the issuer open must
    refuse(drive, anybody.issue(iss=ISSUER), "bad_signature", provider="idp")


def test_a_token_is_not_good_for_longer_because_it_is_known(drive, clock):
    """What is remembered is judged by the clock again: expiry, age, and the application's own word."""
    idp = FakeProvider(ISSUER, algorithm="ES256", clock=clock)
    words = [True]
    provider = without_network(idp, checks=[lambda _: words[0]], max_age=50)
    drive.client(provider, clock=clock)
    token = idp.issue(expires_in=60)
    assert drive.verify(token) == drive.verify(token)
    words[0] = False
    refuse(drive, token, "rejected_by_check")
    words[0] = True
    clock.advance(79)
    assert drive.verify(token).subject == "u1"
    clock.advance(1)
    refuse(drive, token, "token_too_old")
    clock.advance(10)
    refuse(drive, token, "token_expired")
    clock.jump_wall(-3600)
    refuse(drive, token, "token_issued_in_future")


def test_a_scope_that_is_not_there_is_not_granted(drive):
    """``require`` asks for whole words, and tells which were missing, not which were there."""
    stand = profile(drive)
    token = stand.accepts(access_token(scope="orders:read secret-scope"))
    assert token.require("orders:read") is token
    for scope in ("orders", "read", "orders:", "orders:read secret-scope", "ORDERS:READ", "*", ""):
        with pytest.raises(InsufficientScopeError) as caught:
            token.require(scope)
        assert "secret-scope" not in str(caught.value).replace(scope, "")
