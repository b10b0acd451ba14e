"""`as_provider` and `issue_for`: the fake in the shape of a real provider, and tokens for any."""

import base64
import dataclasses
import hashlib
import json
import re
import uuid

import httpx
import pytest
from cryptography import x509

from jwks_client import (
    AsyncJWKSClient,
    IssuerTemplate,
    JWKSClient,
    JWKSError,
    Provider,
    TokenError,
    providers,
)
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeClock, FakeProvider

NAMES = sorted(name for name in providers.__all__ if name.islower())
TENANT, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def header_of(token):
    return claims_of(f".{token}")


def document_of(idp):
    """Return the key set as it is served."""
    with httpx.Client(transport=idp.transport) as client:
        return client.get(idp.jwks_url).raise_for_status().json()


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_accepts_its_shape_and_refuses_its_forgeries(name, clock):
    """By name, the fake has the factory's own provider and URL; its tokens are accepted and forged ones are not."""
    idp = FakeProvider(clock=clock).as_provider(name)
    assert idp.provider.name == name
    http = httpx.Client(transport=idp.transport)
    client = JWKSClient(idp.provider, http=http, clock=clock)  # as an application makes it
    token = client.verify(idp.issue(scope="a b"))
    assert token.provider == name
    assert {"a", "b"} <= token.scopes
    assert client.verify(idp.issue()).key_id == idp.kid
    idp.rotate()
    assert client.verify(idp.issue()).key_id == idp.kid
    assert len({key["kid"] for key in idp.jwks()["keys"] if key["use"] == "sig"}) == 2
    for forged in idp.forge.all():
        with pytest.raises(TokenError) as caught:
            client.verify(forged)
        assert (forged.name, caught.value.code) == (forged.name, forged.code)


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_can_be_served(name):
    """Over real HTTP `provider` is the same, except for the URL; so is discovery where it is used."""
    idp = FakeProvider().as_provider(name)
    before = idp.provider
    with idp.serve() as base_url:
        moved = idp.provider
        with JWKSClient(moved) as client:
            assert client.verify(idp.issue()).provider == name
        url = moved.jwks_url or moved.discovery_url
        assert url.startswith(base_url)
        assert (
            dataclasses.replace(moved, jwks_url=before.jwks_url, discovery_url=before.discovery_url)
            == before
        )
    assert idp.provider == before


def test_an_application_s_provider_is_used_unchanged(clock):
    """The fake takes the application's own provider, so no setting is repeated."""
    configured = providers.stytch("project-live-9z", max_age=30, leeway=0, claim_values={"v": 2})
    idp = FakeProvider(clock=clock).as_provider(configured)
    assert idp.provider == configured
    assert idp.jwks_url == "https://api.stytch.com/v1/sessions/jwks/project-live-9z"
    assert idp.client().verify(idp.issue()).claims["v"] == 2
    assert idp.kid.startswith("jwk-live-")


def test_arguments_are_those_of_the_factory():
    """Arguments may be positional or named; missing ones are invented in the right form."""
    by_position = FakeProvider().as_provider("auth0", "acme.us.auth0.com", audience="x")
    by_name = FakeProvider().as_provider("auth0", domain="acme.us.auth0.com", audience="x")
    expected = providers.auth0("acme.us.auth0.com", audience="x")
    assert by_position.provider == by_name.provider == expected
    assert (by_position.issuer, by_position.audience) == ("https://acme.us.auth0.com/", "x")
    some = FakeProvider().as_provider("auth0", audience="x", leeway=5)
    assert (some.provider.audience, some.provider.leeway) == ("x", 5)
    assert FakeProvider().as_provider("prelude", domain="id.acme.com").base_url == (
        "https://id.acme.com"
    )


def test_wrong_arguments_are_refused():
    """An unknown name lists the known ones; a wrong option is the factory's own error."""
    with pytest.raises(ValueError, match=r"stytch.*zitadel.*got 'stych'"):
        FakeProvider().as_provider("stych")
    with pytest.raises(JWKSError, match="domain"):
        FakeProvider().as_provider("auth0", "https://acme.auth0.com")
    with pytest.raises(TypeError):
        FakeProvider().as_provider("auth0", realm="acme")
    with pytest.raises(TypeError, match=r"dataclasses\.replace"):
        FakeProvider().as_provider(providers.stytch("project-test-1"), leeway=5)


def test_the_algorithm_is_the_provider_s_own_or_the_given_one():
    """Supabase signs with ES256 by default; another algorithm changes `provider` too."""
    assert FakeProvider().as_provider("supabase").algorithm == "ES256"
    assert FakeProvider().as_provider("prelude").algorithm == "EdDSA"
    assert FakeProvider().as_provider("logto").algorithm == "ES384"
    hanko = FakeProvider().as_provider("hanko", algorithm="ES256")
    assert (hanko.algorithm, hanko.provider.algorithms) == ("ES256", ("ES256",))
    assert hanko.client().verify(hanko.issue()).algorithm == "ES256"
    stytch = FakeProvider().as_provider("stytch", algorithm="ES256")
    assert stytch.client().verify(stytch.issue()).algorithm == "ES256"
    own = Provider(
        name="p", issuer="i", audience="a", jwks_url="https://i/k", algorithms=["ES256", "RS256"]
    )
    assert FakeProvider().as_provider(own).algorithm == "RS256"
    assert FakeProvider(algorithm="PS256").as_provider(own).algorithm == "ES256"
    assert FakeProvider().as_provider(own, algorithm="Ed448").algorithm == "Ed448"


def test_hanko_keys_and_sessions():
    """Hanko keys have UUIDv4 kids; sessions have no iss and an e-mail object; keys are fresh for ten minutes."""
    idp = FakeProvider().as_provider("hanko")
    assert uuid.UUID(idp.kid).version == 4
    [key] = document_of(idp)["keys"]
    assert set(key) == {"alg", "e", "kid", "kty", "n", "use"}
    claims = claims_of(idp.issue())
    assert "iss" not in claims
    assert idp.issuer == ""
    assert claims["aud"] == ["https://app.example.com"]
    assert claims["email"] == {
        "address": "u1@example.com",
        "is_primary": True,
        "is_verified": True,
    }
    with httpx.Client(transport=idp.transport) as client:
        headers = client.get(idp.jwks_url).headers
        assert headers["cache-control"] == "max-age=600"
        idp.answer_headers = {"cache-control": "max-age=5"}
        assert client.get(idp.jwks_url).headers["cache-control"] == "max-age=5"
    with pytest.raises(TokenError) as caught:
        idp.client().verify(idp.issue(evt="user.created", session_id=None))  # a webhook's
    assert caught.value.code in {"missing_claim", "forbidden_claim"}


def test_stytch_key_sets_have_their_oddities():
    """Stytch key sets have x5tS256 for x5t#S256, key_ops, and members other than `keys`; the issuer has no scheme."""
    idp = FakeProvider().as_provider("stytch")
    assert re.fullmatch(r"jwk-test-[0-9a-f-]{36}", idp.kid)
    document = document_of(idp)
    assert document == document_of(idp)
    assert document["status_code"] == 200
    assert "request_id" in document
    [key] = document["keys"]
    assert key["key_ops"] == ["verify"]
    certificate = base64.b64decode(key["x5c"][0])
    numbers = x509.load_der_x509_certificate(certificate).public_key().public_numbers()
    modulus = int.from_bytes(base64.urlsafe_b64decode(key["n"] + "=="), "big")
    assert numbers.n == modulus
    assert base64.b64decode(key["x5tS256"]) == hashlib.sha256(certificate).digest()
    claims = claims_of(idp.issue())
    assert claims["iss"] == "stytch.com/project-test-0a1b2c3d"
    assert claims["nbf"] == claims["iat"]
    assert claims["sub"] == "user-u1"
    assert claims_of(idp.issue(sub="user-9"))["sub"] == "user-9"


def test_kinds_of_token_of_one_provider_are_distinguished():
    """A machine's token is refused as a session, as in production."""
    session = FakeProvider().as_provider("stytch")
    machine = session.issue_for(providers.stytch_m2m("project-test-0a1b2c3d"), scope="read:users")
    assert claims_of(machine)["sub"] == "m2m-client-u1"
    with pytest.raises(TokenError) as caught:
        session.client().verify(machine)
    assert caught.value.code == "missing_claim"


def test_wso2_access_tokens():
    """WSO2 access tokens have typ at+jwt, kids of hex in base64 with the algorithm behind, and client_id and azp as audience."""
    idp = FakeProvider().as_provider("wso2", audience="my-app")
    head, _, algorithm = idp.kid.rpartition("_")
    assert algorithm == "RS256"
    assert re.fullmatch(r"[0-9a-f]{64}", base64.urlsafe_b64decode(head + "==").decode())
    token = idp.issue()
    assert header_of(token)["typ"] == "at+jwt"
    claims = claims_of(token)
    assert (claims["azp"], claims["client_id"], claims["aud"]) == ("my-app", "my-app", ["my-app"])
    assert idp.issuer == "https://localhost:9443/oauth2/token"
    assert idp.discovery_url == (
        "https://localhost:9443/oauth2/token/.well-known/openid-configuration"
    )


def test_entra_keys_have_no_alg_and_name_their_issuer():
    """Entra's keys lack `alg` and name an issuer template, and another tenant's tokens are refused."""
    idp = FakeProvider().as_provider("entra_multi_tenant", allowed_tenants=[TENANT, OTHER])
    [key] = document_of(idp)["keys"]
    assert "alg" not in key
    assert key["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"
    client = idp.client()
    assert client.verify(idp.issue()).claims["tid"] == TENANT
    other = client.verify(idp.issue(tid=OTHER))
    assert other.issuer == f"https://login.microsoftonline.com/{OTHER}/v2.0"
    assert idp.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"


def test_tenants_allowed_by_a_callable_must_be_named():
    """With a callable in `allowed` the caller must name the tenant, and the error names its claim."""
    idp = FakeProvider().as_provider("entra_multi_tenant", allowed_tenants=lambda one: one == OTHER)
    with pytest.raises(ValueError, match=r"tid=…"):
        idp.issue()
    assert idp.client().verify(idp.issue(tid=OTHER)).claims["tid"] == OTHER
    assert idp.issuer == "https://login.microsoftonline.com/{tid}/v2.0"


def test_keycloak_publishes_an_encryption_key():
    """Keycloak's set also has an encryption key, which a client ignores."""
    idp = FakeProvider().as_provider("keycloak")
    assert [key["use"] for key in document_of(idp)["keys"]] == ["sig", "enc"]
    assert document_of(idp) == document_of(idp)
    usable = idp.client().keys()
    assert [key.kid for key in usable] == [idp.kid]


@pytest.mark.parametrize("name", ["okta", "kinde", "ory_hydra"])
def test_scopes_are_where_the_provider_puts_them(name):
    """`scope=` is the same for every shape; in these tokens it becomes a list called scp."""
    idp = FakeProvider().as_provider(name)
    claims = claims_of(idp.issue(scope="a b"))
    assert claims["scp"] == ["a", "b"]
    assert "scope" not in claims


def test_auth_headers_are_those_of_the_provider(idp):
    """`auth_headers` has a Bearer token, or the provider's own header or cookie."""
    assert set(idp.auth_headers()) == {"Authorization"}
    scheme, token = idp.auth_headers(sub="u5", scope="a", org="o")["Authorization"].split()
    assert scheme == "Bearer"
    assert idp.client().verify(token).require("a").claims["org"] == "o"
    cloudflare = FakeProvider().as_provider("cloudflare_access").auth_headers()
    assert set(cloudflare) == {"Cf-Access-Jwt-Assertion"}
    cookie = providers.generic(
        "https://i/k", issuer="i", audience="a", locations=[providers.Cookie("session")]
    )
    assert FakeProvider().as_provider(cookie).auth_headers()["Cookie"].startswith("session=ey")
    query = providers.generic(
        "https://i/k", issuer="i", audience="a", locations=[providers.Query("access_token")]
    )
    assert set(FakeProvider().as_provider(query).auth_headers()) == {"Authorization"}


@pytest.mark.parametrize("name", NAMES)
def test_a_token_for_any_provider(name, clock):
    """`issue_for` needs only the Provider: a client with these keys accepts its tokens."""
    shaped = FakeProvider(clock=clock).as_provider(name).provider
    idp = FakeProvider(clock=clock, algorithm=next(iter(shaped.algorithms)))
    pointed = dataclasses.replace(shaped, jwks_url=None, discovery_url=None, jwks=idp.jwks())
    client = JWKSClient(pointed, clock=clock)
    token = client.verify(idp.issue_for(shaped, sub="u1", scope="x", extra=1))
    assert token.claims["extra"] == 1
    assert idp.issuer == "https://issuer.test"


@pytest.mark.parametrize(
    "rules",
    [
        {"issuer": ("https://b.test", "https://a.test"), "audience": ("y", "x")},
        {"issuer": UNCHECKED, "audience": UNCHECKED},
        {"issuer": IssuerTemplate("https://x/{org}/y", allowed={"o2", "o1"}), "audience": "a"},
        {"required_claims": ["nonce", "auth_time", "sid"], "token_types": ["at+jwt"]},
        {"claim_values": {"plan": {"pro", "team"}, "v": 2, "flag": True}},
        {"scope_claim": "permissions"},
        {"max_age": 10, "leeway": 0, "require_expiry": False},
        {"forbidden_claims": ["amr", "email"]},
        {"token_types": [None]},
        {"token_types": ["example+jwt"]},
    ],
)
def test_any_rules_are_met(rules, clock):
    """Issuer, audience, typ, required claims and required values are all right."""
    settings = {"name": "p", "issuer": "i", "audience": "a", "jwks_url": "https://i.test/k"}
    provider = Provider(**{**settings, **rules})
    idp = FakeProvider(clock=clock)
    client = JWKSClient(dataclasses.replace(provider, jwks_url=None, jwks=idp.jwks()), clock=clock)
    token = client.verify(idp.issue_for(provider, scope="a b"))
    assert token.scopes == {"a", "b"}
    shaped = FakeProvider(clock=clock).as_provider(provider)
    assert shaped.client().verify(shaped.issue(scope="a b")).scopes == {"a", "b"}


def test_a_shape_leaves_out_forbidden_claims():
    """Claims that a provider usually has are left out where the application forbids them."""
    strict = providers.hanko(
        "https://a.hanko.io",
        audience="https://a.test",
        forbidden_claims=["amr"],
        claim_values={"email": "u@a.test"},
    )
    idp = FakeProvider().as_provider(strict)
    claims = idp.client().verify(idp.issue()).claims
    assert "amr" not in claims
    assert claims["email"] == "u@a.test"
    early = providers.gitlab(project_path="a/b", audience="x", forbidden_claims=["nbf"])
    assert "nbf" not in claims_of(FakeProvider().as_provider(early).issue())


def test_a_provider_of_another_algorithm_is_refused(idp):
    """These keys cannot sign for another algorithm, and the error says what to do."""
    provider = providers.generic("https://i/k", issuer="i", audience="a", algorithms=["ES256"])
    with pytest.raises(ValueError, match=r"ES256.*RS256.*FakeProvider\(algorithm="):
        idp.issue_for(provider)


def test_a_static_key_set_is_fetched_from_the_fake(clock):
    """A provider with a static key set gets a URL, so that rotation can be tested."""
    provider = Provider(name="p", issuer="i", audience="a", jwks={"keys": []})
    idp = FakeProvider(clock=clock).as_provider(provider)
    client = idp.client()
    assert client.verify(idp.issue()).provider == "p"
    idp.rotate()
    assert client.verify(idp.issue()).key_id == "key-2"


def test_discovery_names_the_key_set_of_the_shape():
    """With `oidc` the fake answers at the issuer's discovery URL, and only there."""
    idp = FakeProvider().as_provider("oidc", "https://id.acme.com/realms/a", audience="x")
    client = idp.client()
    assert client.verify(idp.issue()).issuer == "https://id.acme.com/realms/a"
    assert [one.path for one in idp.requests] == [
        "/realms/a/.well-known/openid-configuration",
        "/.well-known/jwks.json",
    ]


def test_other_paths_are_not_found_in_a_shape():
    """The key set is at one place only, so a wrong URL in the application's settings is noticed."""
    idp = FakeProvider().as_provider("stytch")
    with httpx.Client(transport=idp.transport, base_url=idp.base_url) as client:
        for path in ("/.well-known/jwks.json", "/v1/sessions/jwks/project-test-other"):
            assert client.get(path).status_code == 404


def test_a_second_fake_in_the_same_shape_is_refused_as_a_forger():
    """Kids are the same each time, so a forger's kid is known, and its token is refused."""
    idp, forger = (FakeProvider(clock=FakeClock()).as_provider("hanko") for _ in range(2))
    assert idp.kid == forger.kid
    with pytest.raises(TokenError) as caught:
        idp.client().verify(forger.issue())
    assert caught.value.code == "bad_signature"


async def verified(client, token):
    return await client.verify(token)


def test_a_shape_is_the_same_to_both_clients():
    """The async client accepts the same tokens as the sync client."""
    import asyncio

    idp = FakeProvider().as_provider("auth0")
    client = idp.async_client()
    assert isinstance(client, AsyncJWKSClient)
    assert asyncio.run(verified(client, idp.issue())).claims["azp"] == "client-1"
