"""Tokens and key sets in the shape of each provider: the right kind is accepted, similar kinds are not."""

import base64
import hashlib
import json
from urllib.parse import urlsplit

import httpx
import pytest

from jwks_client import KeysUnavailableError, Provider, TokenError, providers
from jwks_client.testing import FakeProvider

# Tokens of this issuer have the claims that the test names, and nothing else that the kit knows.
BARE = Provider(
    name="bare",
    issuer=providers.UNCHECKED,
    audience=providers.UNCHECKED,
    jwks_url="https://bare.test/",
)
NOW = 1_700_000_000
UUID = "0a1b2c3d-0000-4000-8000-000000000000"
PROJECT = "project-test-0a1b2c3d-0000-4000-8000-000000000000"
DOMAIN = "wry-owl-1.customers.stytch.dev"
SESSION, ORGANIZATION = "https://stytch.com/session", "https://stytch.com/organization"


def publish(idp, provider, url, *keys, **top):
    """Publish the fake's key only at the provider's URL, once with each of these members."""
    assert provider.jwks_url == url
    [key] = idp.as_provider(provider).jwks()["keys"]
    named = [{n: v for n, v in {**key, **members}.items() if v is not None} for members in keys]
    idp.fail(json.dumps({"keys": named, **top}).encode(), only="jwks.json")


def verdict(client, token, **more):
    """Return the error's code, or "accepted"."""
    try:
        client.verify(token, **more)
    except TokenError as error:
        return error.code
    return "accepted"


# Hanko, passkey server


@pytest.fixture
def passkeys(idp):
    """Return the passkey server's token, and a client for its tenant."""

    def preset(**options):
        return providers.hanko_passkeys(UUID, relying_party_id="example.com", **options)

    def issue(**claims):
        usual = {
            "iss": None,
            "aud": ["example.com"],
            "sub": "user 7, of any form",
            "expires_in": 300,
            "cred": "kO1e…",
        }
        return idp.issue_for(BARE, **{**usual, **claims}, headers={"kid": UUID})

    url = f"https://passkeys.hanko.io/{UUID}/.well-known/jwks.json"
    publish(idp, preset(), url, {"kid": UUID})
    return issue, lambda **options: idp.client(preset(**options))


def test_a_passkey_token_is_accepted_without_issuer(passkeys):
    """The tenant's key set and the relying party id bind a passkey token."""
    issue, client = passkeys
    token = client().verify(issue())
    assert (token.issuer, token.subject) == (None, "user 7, of any form")
    assert (token.audience, token.key_id) == (("example.com",), UUID)
    assert verdict(client(), issue(trans="tx1")) == "forbidden_claim"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": ["evil.example"]}, "wrong_audience"),
        ({"aud": None}, "missing_claim"),
        ({"sub": None}, "missing_claim"),
        ({"expires_in": None}, "missing_claim"),
        ({"iat": None, "exp": NOW + 60}, "missing_claim"),
        ({"iat": NOW - 330, "exp": NOW + 60}, "token_too_old"),
        ({"iat": NOW - 329, "exp": NOW + 60}, "accepted"),
    ],
)
def test_a_passkey_token_is_for_one_relying_party_and_recent(passkeys, claims, code):
    """A passkey token of another relying party, or an old or undated one, is refused."""
    issue, client = passkeys
    assert verdict(client(), issue(**claims)) == code


def test_the_age_of_a_passkey_token_can_be_configured(passkeys):
    """Hanko's own next-auth provider uses max_age=60; UNCHECKED leaves the age to exp."""
    issue, client = passkeys
    token = issue(iat=NOW - 90, exp=NOW + 210)
    assert verdict(client(max_age=60), token) == "token_too_old"
    assert verdict(client(max_age=60, leeway=31), token) == "accepted"
    assert (
        verdict(client(max_age=providers.UNCHECKED), issue(iat=NOW - 9000, exp=NOW + 1))
        == "accepted"
    )


# Hanko, sessions


HANKO = f"https://{UUID}.hanko.io"
KMS = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000"


def hanko_session(idp, kid=UUID, **claims):
    """Return a session token as Hanko makes it."""
    usual = {
        "iss": None,
        "aud": ["https://app.example.com"],
        "sub": UUID,
        "expires_in": 43200,
        "session_id": UUID,
        "email": {"address": "a@example.com", "is_primary": True, "is_verified": True},
        "amr": ["passkey", "ext:google"],
    }
    return idp.issue_for(BARE, **{**usual, **claims}, headers={"kid": kid})


def hanko_client(idp, kid=UUID, **options):
    """Return a client for such sessions."""
    provider = providers.hanko(HANKO, audience="https://app.example.com", **options)
    publish(idp, provider, f"{HANKO}/.well-known/jwks.json", {"kid": kid})
    return idp.client()


@pytest.mark.parametrize("kid", [UUID, KMS])
def test_a_hanko_session_is_accepted(idp, kid):
    """Local keys have UUIDs as kids and KMS keys have ARNs; no issuer is checked by default."""
    token = hanko_client(idp, kid).verify(hanko_session(idp, kid))
    assert (token.subject, token.issuer, token.key_id) == (UUID, None, kid)
    assert token.claims["email"]["address"] == "a@example.com"


def test_a_hanko_webhook_is_not_a_session(idp):
    """A webhook's token shares keys and audience, and is refused by either of its marks."""
    client = hanko_client(idp)
    webhook = {"sub": "hanko webhooks", "evt": "user.create", "data": {}, "expires_in": 300}
    assert verdict(client, hanko_session(idp, session_id=None, **webhook)) == "missing_claim"
    assert verdict(client, hanko_session(idp, **webhook)) == "forbidden_claim"


def test_a_hanko_issuer_is_checked_if_configured(idp):
    """With a configured issuer, a token without it or with another is refused."""
    client = hanko_client(idp, issuer="https://auth.example.com")
    assert verdict(client, hanko_session(idp)) == "missing_claim"
    assert verdict(client, hanko_session(idp, iss="hanko")) == "wrong_issuer"
    assert verdict(client, hanko_session(idp, iss="https://auth.example.com")) == "accepted"
    assert verdict(hanko_client(idp), hanko_session(idp, iss="hanko")) == "accepted"


# Prelude


PRELUDE = "app1.session.prelude.dev"


@pytest.fixture
def prelude(clock):
    """Return the fakes that sign session and step-up tokens, each with its own key set."""
    session, step_up = (FakeProvider(clock=clock, algorithm="EdDSA") for _ in range(2))
    url = f"https://{PRELUDE}/.well-known"
    publish(session, providers.prelude("app1"), f"{url}/jwks.json", {"kid": "s1", "alg": None})
    grants = providers.prelude_step_up("app1")
    publish(step_up, grants, f"{url}/step-up-jwks.json", {"kid": "u1", "alg": None})
    return session, step_up


def prelude_session(idp, **claims):
    """Return a session's access token as Prelude makes it."""
    usual = {
        "iss": PRELUDE,
        "aud": None,
        "sub": "usr_01",
        "nbf": NOW,
        "jti": "j1",
        "sid": "ses_01",
        "cc": {"plan": "pro"},
    }
    return idp.issue_for(BARE, **{**usual, **claims}, headers={"kid": "s1"})


def prelude_grant(idp, **claims):
    """Return a step-up token as Prelude makes it."""
    usual = {"iss": PRELUDE, "aud": None, "sub": "usr_01", "scope": "prld:pwd:write pay"}
    return idp.issue_for(BARE, **{**usual, **claims}, headers={"kid": "u1"})


@pytest.mark.parametrize("issuer", [PRELUDE, f"https://{PRELUDE}"])
def test_a_prelude_session_is_accepted_with_either_spelling_of_the_host(prelude, issuer):
    """Tokens carry the bare host, and the metadata the URL; both are accepted."""
    session, _ = prelude
    token = session.client().verify(prelude_session(session, iss=issuer))
    assert (token.issuer, token.subject, token.algorithm) == (issuer, "usr_01", "EdDSA")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "app2.session.prelude.dev"}, "wrong_issuer"),
        ({"iss": f"http://{PRELUDE}"}, "wrong_issuer"),
        ({"iss": f"https://{PRELUDE}/"}, "wrong_issuer"),
        ({"sub": None}, "missing_claim"),
        ({"nbf": NOW + 15, "iat": NOW + 15, "exp": NOW + 75}, "accepted"),
        ({"aud": "anything"}, "accepted"),
    ],
)
def test_a_prelude_session_needs_its_host_and_tolerates_15_seconds(prelude, claims, code):
    """Only the app's own host is accepted, and a token that is valid from this very second."""
    session, _ = prelude
    assert verdict(session.client(), prelude_session(session, **claims)) == code


def test_prelude_session_and_step_up_have_their_own_keys(prelude):
    """Neither kind passes for the other, alone or both in one client."""
    session, step_up = prelude
    plain, grant = prelude_session(session, scope="pay"), prelude_grant(step_up)
    assert verdict(session.client(), grant) == "unknown_key"
    assert verdict(step_up.client(), plain) == "unknown_key"
    at = {urlsplit(one.jwks_url).path: one.transport for one in prelude}
    route = httpx.MockTransport(lambda asked: at[asked.url.path].handle_request(asked))
    http = httpx.Client(transport=route)
    both = session.client(session.provider, step_up.provider, http=http)
    assert both.verify(plain).provider == "prelude"
    token = both.verify(grant)
    assert (token.provider, token.scopes) == ("prelude_step_up", {"prld:pwd:write", "pay"})


def test_a_prelude_step_up_token_grants_its_scopes(prelude):
    """Without scope a step-up token grants nothing, and a list of scopes is read as well."""
    _, step_up = prelude
    client = step_up.client()
    assert verdict(client, prelude_grant(step_up, scope=None)) == "missing_claim"
    assert client.verify(prelude_grant(step_up, scope=["pay"])).scopes == {"pay"}


# Stytch


STYTCH_KINDS = {
    "stytch": {"sub": "user-test-1", SESSION: {"id": "session-test-1", "roles": ["stytch_user"]}},
    "stytch_b2b": {
        "sub": "member-test-1",
        SESSION: {"id": "session-test-1", "roles": []},
        ORGANIZATION: {"organization_id": "organization-test-1", "slug": "acme"},
    },
    "stytch_connected_app": {
        "sub": "user-test-1",
        "client_id": "connected-app-test-1",
        "scope": "openid profile",
        "jti": "j1",
    },
    "stytch_m2m": {"sub": "m2m-client-test-1", "scope": "read:users write:users"},
}
STYTCH_KID = f"jwk-test-{UUID}"
STYTCH_URLS = {
    "stytch": f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
    "stytch_b2b": f"https://test.stytch.com/v1/b2b/sessions/jwks/{PROJECT}",
    "stytch_connected_app": f"https://test.stytch.com/v1/public/{PROJECT}/.well-known/jwks.json",
    "stytch_m2m": f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
    "domain": f"https://{DOMAIN}/.well-known/jwks.json",
}


def stytch_client(idp, kind, domain=None):
    """Return a client of one kind; the key set has Stytch's misspelt thumbprint and extra members."""
    provider = getattr(providers, kind)(PROJECT, project_domain=domain)
    members = {"key_ops": ["verify"], "x5c": ["MIIC…"], "x5tS256": "cGFkZGVk//8="}
    publish(
        idp,
        provider,
        STYTCH_URLS["domain" if domain else kind],
        {"kid": STYTCH_KID, **members},
        request_id="request-id-test-1",
        status_code=200,
    )
    return idp.client()


def stytch_token(idp, kind, headers=None, **claims):
    """Return a token of one kind as Stytch makes it."""
    usual = {
        "iss": f"stytch.com/{PROJECT}",
        "aud": [PROJECT],
        "expires_in": 300,
        "nbf": NOW,
        **STYTCH_KINDS[kind],
    }
    headers = {"kid": STYTCH_KID, **(headers or {})}
    return idp.issue_for(BARE, **{**usual, **claims}, headers=headers)


STYTCH_VERDICTS = {
    ("stytch", "stytch_b2b"): "forbidden_claim",
    ("stytch", "stytch_connected_app"): "missing_claim",
    ("stytch", "stytch_m2m"): "missing_claim",
    ("stytch_b2b", "stytch"): "missing_claim",
    ("stytch_b2b", "stytch_connected_app"): "missing_claim",
    ("stytch_b2b", "stytch_m2m"): "missing_claim",
    ("stytch_connected_app", "stytch"): "missing_claim",
    ("stytch_connected_app", "stytch_b2b"): "missing_claim",
    ("stytch_connected_app", "stytch_m2m"): "rejected_by_check",
    ("stytch_m2m", "stytch"): "forbidden_claim",
    ("stytch_m2m", "stytch_b2b"): "forbidden_claim",
    ("stytch_m2m", "stytch_connected_app"): "rejected_by_check",
}


@pytest.mark.parametrize("domain", [None, DOMAIN])
@pytest.mark.parametrize("kind", STYTCH_KINDS)
@pytest.mark.parametrize("wanted", STYTCH_KINDS)
def test_each_kind_of_stytch_token_is_accepted_only_as_itself(idp, wanted, kind, domain):
    """Four kinds share keys, issuer and audience, and none passes for another."""
    client = stytch_client(idp, wanted, domain)
    expected = STYTCH_VERDICTS.get((wanted, kind), "accepted")
    assert verdict(client, stytch_token(idp, kind)) == expected


@pytest.mark.parametrize(
    ("kinds", "claims", "code"),
    [
        (
            ("stytch_connected_app", "stytch"),
            {"client_id": "connected-app-test-1", "scope": "x"},
            "forbidden_claim",
        ),
        (("stytch", "stytch"), {"scope": "x", "client_id": "mine"}, "accepted"),
        (("stytch_m2m", "stytch_m2m"), {"sub": "user-m2m-client-1"}, "rejected_by_check"),
        (("stytch_m2m", "stytch_m2m"), {"sub": None}, "rejected_by_check"),
        (
            ("stytch_connected_app", "stytch_connected_app"),
            {"aud": [PROJECT, "https://api.example.com"], ORGANIZATION: {"organization_id": "o"}},
            "accepted",
        ),
    ],
)
def test_custom_claims_do_not_change_the_kind_of_a_stytch_token(idp, kinds, claims, code):
    """A session's custom claims may have any name, and decide nothing about its kind."""
    wanted, kind = kinds
    client = stytch_client(idp, wanted)
    assert verdict(client, stytch_token(idp, kind, **claims)) == code


@pytest.mark.parametrize("kind", STYTCH_KINDS)
def test_the_project_domain_is_an_issuer_only_if_configured(idp, kind):
    """With a project domain both issuers are accepted, without it only the one without a scheme."""
    for domain, code in ((DOMAIN, "accepted"), (None, "wrong_issuer")):
        client = stytch_client(idp, kind, domain)
        assert verdict(client, stytch_token(idp, kind, iss=f"https://{DOMAIN}")) == code


@pytest.mark.parametrize("kind", STYTCH_KINDS)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"headers": {"typ": None}}, "wrong_token_type"),
        ({"headers": {"typ": "at+jwt"}}, "wrong_token_type"),
        ({"iss": f"https://stytch.com/{PROJECT}"}, "wrong_issuer"),
        ({"iss": f"stytch.com/{PROJECT}/"}, "wrong_issuer"),
        ({"aud": ["project-test-other"]}, "wrong_audience"),
        ({"nbf": None}, "missing_claim"),
        ({"iat": None, "exp": NOW + 60}, "missing_claim"),
        ({"expires_in": None}, "missing_claim"),
    ],
)
def test_the_rules_of_every_stytch_token(idp, kind, changes, code):
    """Every Stytch token must have typ JWT, the exact issuer, this project as audience, and all five registered claims."""
    client = stytch_client(idp, kind)
    assert verdict(client, stytch_token(idp, kind, **changes)) == code


def test_stytch_sessions_and_machines_share_one_key_set(idp):
    """One fetch serves both kinds, and each token is accepted by the provider of its kind."""
    stytch_client(idp, "stytch")
    client = idp.client(providers.stytch(PROJECT), providers.stytch_m2m(PROJECT))
    session = client.verify(stytch_token(idp, "stytch"))
    machine = client.verify(stytch_token(idp, "stytch_m2m"))
    assert (session.provider, machine.provider) == ("stytch", "stytch_m2m")
    assert machine.scopes == {"read:users", "write:users"}
    [asked] = idp.requests
    assert f"https://{asked.headers['host']}{asked.path}" == STYTCH_URLS["stytch"]
    assert verdict(client, stytch_token(idp, "stytch_connected_app")) == "missing_claim"


# WSO2 and Asgardeo


WSO2_URLS = {
    "plain": ("https://localhost:9443/oauth2", providers.wso2(audience="client1")),
    "tenant": (
        "https://is.example.com:9443/t/acme.com/oauth2",
        providers.wso2("https://is.example.com:9443", audience="client1", tenant="acme.com"),
    ),
    "asgardeo": (
        "https://api.asgardeo.io/t/bifrost/oauth2",
        providers.asgardeo("bifrost", audience="client1"),
    ),
}


def hex_kid(algorithm="RS256"):
    """Return a WSO2 kid: base64url of the hex text of a certificate's hash, and the algorithm."""
    text = hashlib.sha256(b"certificate").hexdigest().encode()
    return f"{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}_{algorithm}"


def wso2_token(idp, base, headers=None, **claims):
    """Return an access token as WSO2 makes it."""
    usual = {
        "iss": f"{base}/token",
        "aud": ["client1", "https://api.example.com"],
        "sub": UUID,
        "azp": "client1",
        "client_id": "client1",
        "aut": "APPLICATION_USER",
        "scope": "openid orders:read",
        "nbf": NOW,
        "jti": UUID,
        "org_id": "10084a8d-113f-4211-a0d5-efe36b082211",
        "expires_in": 3600,
    }
    usual_headers = {"kid": hex_kid(), "typ": "at+jwt", "x5t": "not-looked-at"}
    headers = {**usual_headers, **(headers or {})}
    return idp.issue_for(BARE, **{**usual, **claims}, headers=headers)


@pytest.fixture(params=WSO2_URLS)
def wso2(idp, request):
    """Return each deployment with a key set as WSO2 makes it: one modulus under several kids."""
    base, provider = WSO2_URLS[request.param]
    again = {"kid": hex_kid("PS256"), "alg": "PS256"}
    older = {"kid": hex_kid().removesuffix("_RS256")}
    publish(idp, provider, f"{base}/jwks", {"kid": hex_kid(), "x5t#S256": "aGV4"}, again, older)
    return base, idp.client()


@pytest.mark.parametrize(
    ("headers", "claims"),
    [
        ({}, {}),
        ({"typ": None}, {}),
        ({"typ": "JWT", "kid": hex_kid().removesuffix("_RS256")}, {}),
        ({}, {"scope": ["openid", "orders:read"]}),
        ({}, {"aut": "APPLICATION", "aud": "client1"}),
    ],
)
def test_a_wso2_access_token_is_accepted(idp, wso2, headers, claims):
    """New and old releases, users and applications, and scopes as text or array are accepted."""
    base, client = wso2
    token = client.verify(wso2_token(idp, base, headers, **claims))
    assert token.scopes == {"openid", "orders:read"}
    assert token.issuer == f"{base}/token"


@pytest.mark.parametrize(
    ("headers", "claims", "code"),
    [
        # An ID token: no typ, the same issuer, and the client id as audience.
        (
            {"typ": None},
            {"aut": None, "client_id": None, "scope": None, "at_hash": "x", "aud": "client1"},
            "forbidden_claim",
        ),
        ({"typ": None}, {"aut": None, "nonce": "x", "aud": "client1"}, "forbidden_claim"),
        # A subject token, which an impersonator exchanges.
        ({"typ": None}, {"aut": None, "may_act": {"sub": "x"}}, "rejected_by_check"),
        # Refresh tokens of new and old releases.
        ({"typ": "rt+jwt"}, {"aud": "client1"}, "wrong_token_type"),
        ({"typ": None}, {"aud": "https://localhost:9443/oauth2/token"}, "wrong_audience"),
        ({}, {"iss": "https://localhost:9443/t/other.com/oauth2/token"}, "wrong_issuer"),
        ({}, {"aud": ["client2"]}, "wrong_audience"),
        ({}, {"cnf": {"x5t#S256": "x"}}, "invalid_claim"),
        ({}, {"exp": NOW * 1000 + 3_600_000}, "invalid_claim"),
    ],
)
def test_a_neighbour_of_a_wso2_access_token_is_refused(idp, wso2, headers, claims, code):
    """ID, subject and refresh tokens, other tenants, bound tokens and times in milliseconds are refused."""
    base, client = wso2
    assert verdict(client, wso2_token(idp, base, headers, **claims)) == code


def test_wso2_can_require_users(idp):
    """A claim value of the caller narrows the access token, and the factory's own requirements stay."""
    base, _ = WSO2_URLS["plain"]
    provider = providers.wso2(audience="client1", claim_values={"aut": "APPLICATION_USER"})
    publish(idp, provider, f"{base}/jwks", {"kid": hex_kid()})
    client = idp.client()
    assert verdict(client, wso2_token(idp, base)) == "accepted"
    assert verdict(client, wso2_token(idp, base, aut="APPLICATION")) == "invalid_claim"
    assert verdict(client, wso2_token(idp, base, aut=None)) == "missing_claim"


def test_wso2_s_error_text_with_status_200_is_a_failed_fetch(idp):
    """WSO2's key endpoint answers errors with status 200 and a sentence, so the fetch fails: 503."""
    base, provider = WSO2_URLS["plain"]
    json_type = {"Content-Type": "application/json"}
    idp.as_provider(provider).fail(b"Error while generating the keyset", headers=json_type)
    with pytest.raises(KeysUnavailableError) as caught:
        idp.client().verify(wso2_token(idp, base))
    assert (caught.value.code, caught.value.http_status) == ("bad_key_set", 503)


def test_a_1024_bit_key_is_unusable_and_does_not_affect_the_good_one(idp):
    """A weak key of an old tenant is never used, and the key next to it is."""
    base, provider = WSO2_URLS["plain"]
    weak_modulus = base64.urlsafe_b64encode(b"\xc1" * 128).rstrip(b"=").decode()
    weak = {"kid": "weak", "n": weak_modulus}
    publish(idp, provider, f"{base}/jwks", {"kid": hex_kid()}, weak)
    client = idp.client()
    assert verdict(client, wso2_token(idp, base)) == "accepted"
    assert verdict(client, wso2_token(idp, base, {"kid": "weak"})) == "unknown_key"
    (unusable,) = client.keys().unusable
    assert unusable.kid == "weak"
    assert "2048" in unusable.reason


# Any provider


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("missing", [None, "openid-configuration"])
def test_oidc_finds_the_keys_by_discovery_or_rfc_8414(clock, slash, missing):
    """If the OpenID document is missing, the OAuth metadata is read; the issuer must match exactly."""
    idp = FakeProvider(issuer=f"https://issuer.test{slash}", algorithm="EdDSA", clock=clock)
    if missing is not None:
        idp.fail(404, only=missing)
    provider = providers.oidc(idp.issuer, audience="api")
    client = idp.client(provider)
    assert client.verify(idp.issue()).provider == "oidc"
    other = idp.issue(iss="https://issuer.test/" if slash == "" else "https://issuer.test")
    assert verdict(client, other) == "wrong_issuer"


def test_generic_verifies_by_url_and_keeps_to_its_algorithms(clock):
    """A key that fits is not enough: the algorithm must be among the configured ones."""
    idp = FakeProvider(algorithm="ES256", clock=clock)
    for algorithms, code in ((["ES256"], "accepted"), (["RS256"], "algorithm_not_allowed")):
        provider = providers.generic(
            idp.jwks_url, issuer=idp.issuer, audience="api", algorithms=algorithms
        )
        assert verdict(idp.client(provider), idp.issue()) == code


@pytest.mark.parametrize("scopes", [["a", "b"], "a b"])
def test_generic_reads_plural_scopes_and_any_kid(idp, scopes):
    """A server with ``scopes`` and with RFC 7638 thumbprints as kids needs no preset."""
    url, issuer = "http://localhost:4000/.well-known/jwks.json", "http://localhost:4000/"
    provider = providers.generic(url, issuer=issuer, audience="client1")
    thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    other = {**FakeProvider().jwks()["keys"][0], "kid": "another"}
    publish(idp, provider, url, {"kid": thumbprint}, other)
    claims = {"iss": issuer, "aud": "client1", "sub": "7@users", "scopes": scopes}
    token = idp.client().verify(idp.issue_for(BARE, **claims, headers={"kid": thumbprint}))
    assert token.scopes == {"a", "b"}
