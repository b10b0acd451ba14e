"""Tokens and key sets of each provider's shape: the right kind is accepted, neighbours are not."""

import base64
import hashlib

import httpx
import pytest

from jwks_client import JWKSClient, KeysUnavailableError, TokenError, providers
from jwks_client.testing import FakeClock, FakeProvider

CLOCK = FakeClock()
NOW = 1_700_000_000
UUID = "0a1b2c3d-0000-4000-8000-000000000000"
PROJECT = "project-test-0a1b2c3d-0000-4000-8000-000000000000"
DOMAIN = "wry-owl-1.customers.stytch.dev"
SESSION, ORGANIZATION = "https://stytch.com/session", "https://stytch.com/organization"


@pytest.fixture(scope="module")
def signer():
    """An RS256 key pair; what is issued with it is of each test's own shape."""
    return FakeProvider(clock=CLOCK)


def key_set(signer, kid, *more, top=None, **members):
    """The signer's key under another kid, with a provider's extra members around it."""
    key = {**signer.jwks()["keys"][-1], "kid": kid, **members}
    return {"keys": [{n: v for n, v in key.items() if v is not None}, *more], **(top or {})}


def client_of(*wanted, pages, asked=None):
    """A client whose network has these pages and answers 404 for any other URL."""

    def answer(request):
        url = str(request.url)
        if asked is not None:
            asked.append(url)
        match pages.get(url):
            case None:
                return httpx.Response(404)
            case bytes() as body:
                return httpx.Response(
                    200, content=body, headers={"Content-Type": "application/json"}
                )
            case document:
                return httpx.Response(200, json=document)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return JWKSClient(*wanted, http=http, clock=CLOCK)


def verdict(client, token, **more):
    """The error's code, or "accepted"."""
    try:
        client.verify(token, **more)
    except TokenError as error:
        return error.code
    return "accepted"


# Hanko, passkey server


@pytest.fixture(scope="module")
def passkeys(signer):
    """The passkey server's token, and a client for its tenant."""
    url = f"https://passkeys.hanko.io/{UUID}/.well-known/jwks.json"
    document = key_set(signer, UUID)

    def issue(**claims):
        usual = {
            "iss": None,
            "aud": ["example.com"],
            "sub": "user 7, of any form",
            "expires_in": 300,
            "cred": "kO1e…",
        }
        return signer.issue(**{**usual, **claims}, headers={"kid": UUID})

    def client(**options):
        provider = providers.hanko_passkeys(UUID, relying_party_id="example.com", **options)
        return client_of(provider, pages={url: document})

    return issue, client


def test_a_passkey_token_is_accepted_without_issuer(passkeys):
    """The tenant's key set and the relying party id are what binds it."""
    issue, client = passkeys
    token = client().verify(issue())
    assert (token.issuer, token.subject) == (None, "user 7, of any form")
    assert (token.audience, token.key_id) == (("example.com",), UUID)
    assert verdict(client(), issue(trans="tx1")) == "accepted"


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
def test_a_passkey_token_is_for_one_relying_party_and_fresh(passkeys, claims, code):
    """Another relying party's, an old or an undated token is refused."""
    issue, client = passkeys
    assert verdict(client(), issue(**claims)) == code


def test_the_age_of_a_passkey_token_is_the_callers_choice(passkeys):
    """max_age=60 is what Hanko's own next-auth provider uses; None leaves it to exp."""
    issue, client = passkeys
    token = issue(iat=NOW - 90, exp=NOW + 210)
    assert verdict(client(max_age=60), token) == "token_too_old"
    assert verdict(client(max_age=60, leeway=31), token) == "accepted"
    assert verdict(client(max_age=None), issue(iat=NOW - 9000, exp=NOW + 1)) == "accepted"


# Hanko, sessions


HANKO = f"https://{UUID}.hanko.io"
KMS = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000"


def hanko_session(signer, kid=UUID, **claims):
    """A session token as Hanko makes it."""
    usual = {
        "iss": None,
        "aud": ["https://app.example.com"],
        "sub": UUID,
        "expires_in": 43200,
        "session_id": UUID,
        "email": {"address": "a@example.com", "is_primary": True, "is_verified": True},
        "amr": ["passkey", "ext:google"],
    }
    return signer.issue(**{**usual, **claims}, headers={"kid": kid})


def hanko_client(signer, kid=UUID, **options):
    """A client for the signer's sessions."""
    provider = providers.hanko(HANKO, audience="https://app.example.com", **options)
    return client_of(provider, pages={f"{HANKO}/.well-known/jwks.json": key_set(signer, kid)})


@pytest.mark.parametrize("kid", [UUID, KMS])
def test_a_hanko_session_is_accepted(signer, kid):
    """Local keys have UUIDs for kids and KMS keys ARNs; no issuer is the default."""
    token = hanko_client(signer, kid).verify(hanko_session(signer, kid))
    assert (token.subject, token.issuer, token.key_id) == (UUID, None, kid)
    assert token.claims["email"]["address"] == "a@example.com"


def test_a_hanko_webhook_is_no_session(signer):
    """A webhook's token shares keys and audience, and is refused for either of its marks."""
    client = hanko_client(signer)
    webhook = {"sub": "hanko webhooks", "evt": "user.create", "data": {}, "expires_in": 300}
    assert verdict(client, hanko_session(signer, session_id=None, **webhook)) == "missing_claim"
    assert verdict(client, hanko_session(signer, **webhook)) == "forbidden_claim"


def test_a_hanko_issuer_is_checked_where_it_is_configured(signer):
    """With an issuer set, a token without it or with another is refused."""
    client = hanko_client(signer, issuer="https://auth.example.com")
    assert verdict(client, hanko_session(signer)) == "missing_claim"
    assert verdict(client, hanko_session(signer, iss="hanko")) == "wrong_issuer"
    assert verdict(client, hanko_session(signer, iss="https://auth.example.com")) == "accepted"
    assert verdict(hanko_client(signer), hanko_session(signer, iss="hanko")) == "accepted"


# Prelude


PRELUDE = "app1.session.prelude.dev"


@pytest.fixture(scope="module")
def prelude():
    """Signers of session and step-up tokens, and the two key sets."""
    session, step_up = (FakeProvider(clock=CLOCK, algorithm="EdDSA") for _ in range(2))
    pages = {
        f"https://{PRELUDE}/.well-known/jwks.json": key_set(session, "s1", alg=None),
        f"https://{PRELUDE}/.well-known/step-up-jwks.json": key_set(step_up, "u1", alg=None),
    }
    return session, step_up, pages


def prelude_session(signer, **claims):
    """A session's access token as Prelude makes it."""
    usual = {
        "iss": PRELUDE,
        "aud": None,
        "sub": "usr_01",
        "nbf": NOW,
        "jti": "j1",
        "sid": "ses_01",
        "cc": {"plan": "pro"},
    }
    return signer.issue(**{**usual, **claims}, headers={"kid": "s1"})


def prelude_grant(signer, **claims):
    """A step-up token as Prelude makes it."""
    usual = {"iss": PRELUDE, "aud": None, "sub": "usr_01", "scope": "prld:pwd:write pay"}
    return signer.issue(**{**usual, **claims}, headers={"kid": "u1"})


@pytest.mark.parametrize("issuer", [PRELUDE, f"https://{PRELUDE}"])
def test_a_prelude_session_is_accepted_with_either_spelling_of_the_host(prelude, issuer):
    """The bare host is what tokens carry, the URL what the metadata says."""
    session, _, pages = prelude
    client = client_of(providers.prelude("app1"), pages=pages)
    token = client.verify(prelude_session(session, iss=issuer))
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
def test_a_prelude_session_is_of_your_host_and_tolerates_a_clock_15_seconds_off(
    prelude, claims, code
):
    """Only the app's own host counts; a token that is valid from this very second is."""
    session, _, pages = prelude
    client = client_of(providers.prelude("app1"), pages=pages)
    assert verdict(client, prelude_session(session, **claims)) == code


def test_prelude_session_and_step_up_have_keys_of_their_own(prelude):
    """Neither kind passes for the other, alone or side by side in one client."""
    session, step_up, pages = prelude
    plain, grant = prelude_session(session, scope="pay"), prelude_grant(step_up)
    sessions, grants = providers.prelude("app1"), providers.prelude_step_up("app1")
    assert verdict(client_of(sessions, pages=pages), grant) == "unknown_key"
    assert verdict(client_of(grants, pages=pages), plain) == "unknown_key"
    both = client_of(sessions, grants, pages=pages)
    assert both.verify(plain).provider == "prelude"
    token = both.verify(grant)
    assert (token.provider, token.scopes) == ("prelude_step_up", {"prld:pwd:write", "pay"})


def test_a_prelude_step_up_token_says_what_it_grants(prelude):
    """Without scope it grants nothing; a list of scopes is read as well."""
    _, step_up, pages = prelude
    client = client_of(providers.prelude_step_up("app1"), pages=pages)
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
STYTCH_PAGES = {
    "stytch": f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
    "stytch_b2b": f"https://test.stytch.com/v1/b2b/sessions/jwks/{PROJECT}",
    "stytch_connected_app": f"https://test.stytch.com/v1/public/{PROJECT}/.well-known/jwks.json",
    "stytch_m2m": f"https://test.stytch.com/v1/sessions/jwks/{PROJECT}",
    "domain": f"https://{DOMAIN}/.well-known/jwks.json",
}


@pytest.fixture(scope="module")
def stytch_pages(signer):
    """Stytch's key set at each of its URLs, misspelt thumbprint and extra members included."""
    document = key_set(
        signer,
        STYTCH_KID,
        top={"request_id": "request-id-test-1", "status_code": 200},
        key_ops=["verify"],
        x5c=["MIIC…"],
        x5tS256="cGFkZGVk//8=",
    )
    return dict.fromkeys(STYTCH_PAGES.values(), document)


def stytch_token(signer, kind, headers=None, **claims):
    """A token of one kind as Stytch makes it."""
    usual = {
        "iss": f"stytch.com/{PROJECT}",
        "aud": [PROJECT],
        "expires_in": 300,
        "nbf": NOW,
        **STYTCH_KINDS[kind],
    }
    return signer.issue(**{**usual, **claims}, headers={"kid": STYTCH_KID, **(headers or {})})


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
def test_each_kind_of_stytch_token_is_accepted_as_itself_alone(
    signer, stytch_pages, wanted, kind, domain
):
    """Four kinds share keys, issuer and audience, and none passes for another."""
    provider = getattr(providers, wanted)(PROJECT, project_domain=domain)
    client = client_of(provider, pages=stytch_pages)
    expected = STYTCH_VERDICTS.get((wanted, kind), "accepted")
    assert verdict(client, stytch_token(signer, kind)) == expected


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
def test_custom_claims_do_not_change_what_kind_a_stytch_token_is(
    signer, stytch_pages, kinds, claims, code
):
    """A session's custom claims are the application's, so what they are named decides nothing."""
    wanted, kind = kinds
    client = client_of(getattr(providers, wanted)(PROJECT), pages=stytch_pages)
    assert verdict(client, stytch_token(signer, kind, **claims)) == code


@pytest.mark.parametrize("kind", STYTCH_KINDS)
def test_the_project_domain_is_an_issuer_only_where_it_is_given(signer, stytch_pages, kind):
    """With a project domain both issuers are accepted, without it the scheme-less one alone."""
    token = stytch_token(signer, kind, iss=f"https://{DOMAIN}")
    with_domain = getattr(providers, kind)(PROJECT, project_domain=DOMAIN)
    assert verdict(client_of(with_domain, pages=stytch_pages), token) == "accepted"
    without = getattr(providers, kind)(PROJECT)
    assert verdict(client_of(without, pages=stytch_pages), token) == "wrong_issuer"


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
def test_what_holds_for_every_stytch_token(signer, stytch_pages, kind, changes, code):
    """Typ JWT, the exact issuer, this project as audience, and all five registered claims."""
    client = client_of(getattr(providers, kind)(PROJECT), pages=stytch_pages)
    assert verdict(client, stytch_token(signer, kind, **changes)) == code


def test_stytch_sessions_and_machines_share_one_key_set(signer, stytch_pages):
    """One fetch serves both, and each token is of the provider that it is for."""
    asked = []
    client = client_of(
        providers.stytch(PROJECT), providers.stytch_m2m(PROJECT), asked=asked, pages=stytch_pages
    )
    session = client.verify(stytch_token(signer, "stytch"))
    machine = client.verify(stytch_token(signer, "stytch_m2m"))
    assert (session.provider, machine.provider) == ("stytch", "stytch_m2m")
    assert machine.scopes == {"read:users", "write:users"}
    assert asked == [STYTCH_PAGES["stytch"]]
    assert verdict(client, stytch_token(signer, "stytch_connected_app")) == "missing_claim"


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
    """A kid of WSO2: base64url of the hex text of a certificate's hash, and the algorithm."""
    text = hashlib.sha256(b"certificate").hexdigest().encode()
    return f"{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}_{algorithm}"


def wso2_token(signer, base, headers=None, **claims):
    """An access token as WSO2 makes it."""
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
    return signer.issue(**{**usual, **claims}, headers={**usual_headers, **(headers or {})})


@pytest.fixture(scope="module", params=WSO2_URLS)
def wso2(signer, request):
    """Each deployment with a key set as WSO2 makes it: one modulus under several kids."""
    base, provider = WSO2_URLS[request.param]
    again = {**signer.jwks()["keys"][-1], "kid": hex_kid("PS256"), "alg": "PS256"}
    older = {**signer.jwks()["keys"][-1], "kid": hex_kid().removesuffix("_RS256")}
    document = key_set(signer, hex_kid(), again, older, **{"x5t#S256": "aGV4"})
    return base, client_of(provider, pages={f"{base}/jwks": document})


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
def test_a_wso2_access_token_is_accepted(signer, wso2, headers, claims):
    """New and old releases, users and applications, scope as text or as array."""
    base, client = wso2
    token = client.verify(wso2_token(signer, base, headers, **claims))
    assert token.scopes == {"openid", "orders:read"}
    assert token.issuer == f"{base}/token"


@pytest.mark.parametrize(
    ("headers", "claims", "code"),
    [
        # An ID token: no typ, same issuer, and the client id as audience.
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
def test_a_neighbour_of_a_wso2_access_token_is_refused(signer, wso2, headers, claims, code):
    """ID, subject and refresh tokens, other tenants, bound tokens and times in milliseconds."""
    base, client = wso2
    assert verdict(client, wso2_token(signer, base, headers, **claims)) == code


def test_users_alone_can_be_asked_for(signer):
    """A caller's claim value narrows the access token, and keeps what the factory requires."""
    base, _ = WSO2_URLS["plain"]
    provider = providers.wso2(audience="client1", claim_values={"aut": "APPLICATION_USER"})
    client = client_of(provider, pages={f"{base}/jwks": key_set(signer, hex_kid())})
    assert verdict(client, wso2_token(signer, base)) == "accepted"
    assert verdict(client, wso2_token(signer, base, aut="APPLICATION")) == "invalid_claim"
    assert verdict(client, wso2_token(signer, base, aut=None)) == "missing_claim"


def test_wso2s_error_text_with_status_200_is_a_failed_fetch(signer):
    """The key endpoint answers 200 and a sentence when it fails: nobody can know, so 503."""
    base, provider = WSO2_URLS["plain"]
    client = client_of(provider, pages={f"{base}/jwks": b"Error while generating the keyset"})
    with pytest.raises(KeysUnavailableError) as caught:
        client.verify(wso2_token(signer, base))
    assert (caught.value.code, caught.value.http_status) == ("bad_key_set", 503)


def test_a_1024_bit_key_is_unusable_and_costs_the_good_one_nothing(signer):
    """A weak key of an old tenant is never used, and its neighbour is."""
    base, provider = WSO2_URLS["plain"]
    weak_modulus = base64.urlsafe_b64encode(b"\xc1" * 128).rstrip(b"=").decode()
    weak = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "weak", "e": "AQAB"}
    document = key_set(signer, hex_kid(), {**weak, "n": weak_modulus})
    client = client_of(provider, pages={f"{base}/jwks": document})
    assert verdict(client, wso2_token(signer, base)) == "accepted"
    assert verdict(client, wso2_token(signer, base, {"kid": "weak"})) == "unknown_key"
    (unusable,) = client.keys().unusable
    assert unusable.kid == "weak"
    assert "2048" in unusable.reason


# Any provider


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("missing", [None, "openid-configuration"])
def test_oidc_finds_the_keys_by_discovery_or_rfc_8414(slash, missing):
    """Where the OpenID document is not found the OAuth metadata is read; the issuer stays exact."""
    idp = FakeProvider(issuer=f"https://issuer.test{slash}", algorithm="EdDSA", clock=CLOCK)
    if missing is not None:
        idp.fail(404, only=missing)
    provider = providers.oidc(idp.issuer, audience="api")
    client = JWKSClient(provider, http=httpx.Client(transport=idp.transport), clock=CLOCK)
    assert client.verify(idp.issue()).provider == "oidc"
    other = idp.issue(iss="https://issuer.test/" if slash == "" else "https://issuer.test")
    assert verdict(client, other) == "wrong_issuer"


def test_generic_verifies_by_url_and_holds_to_its_algorithms():
    """A key that fits is not enough: the algorithm must be among those named."""
    idp = FakeProvider(algorithm="ES256", clock=CLOCK)
    for algorithms, code in ((["ES256"], "accepted"), (["RS256"], "algorithm_not_allowed")):
        provider = providers.generic(
            idp.jwks_url, issuer=idp.issuer, audience="api", algorithms=algorithms
        )
        http = httpx.Client(transport=idp.transport)
        assert verdict(JWKSClient(provider, http=http, clock=CLOCK), idp.issue()) == code


@pytest.mark.parametrize("scopes", [["a", "b"], "a b"])
def test_generic_reads_plural_scopes_and_any_kid(scopes):
    """A server that says ``scopes`` and names keys by their RFC 7638 thumbprint needs no preset."""
    idp = FakeProvider(issuer="http://localhost:4000/", audience="client1", clock=CLOCK)
    provider = providers.generic(
        "http://localhost:4000/.well-known/jwks.json", issuer=idp.issuer, audience="client1"
    )
    thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    other = {**FakeProvider(algorithm="RS256", clock=CLOCK).jwks()["keys"][0], "kid": "another"}
    pages = {"http://localhost:4000/.well-known/jwks.json": key_set(idp, thumbprint, other)}
    token = client_of(provider, pages=pages).verify(
        idp.issue(sub="7@users", scopes=scopes, headers={"kid": thumbprint})
    )
    assert token.scopes == {"a", "b"}
