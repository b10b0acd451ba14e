"""The content of each factory: exact URLs and issuers, wrong identifiers, the merging rule."""

from types import SimpleNamespace

import pytest

from jwks_client import providers
from jwks_client._core.provider import DEFAULT_ALGORITHMS, IssuerTemplate, Provider
from jwks_client.errors import ConfigurationError, TokenError
from jwks_client.providers import Cookie, Header
from jwks_client.providers._checks import ClaimPrefix
from jwks_client.providers._make import make
from jwks_client.testing import FakeProvider

LIVE = "project-live-0a1b2c3d-0000-4000-8000-000000000000"
TEST = "project-test-0a1b2c3d-0000-4000-8000-000000000000"
REGISTERED = {"aud", "iss", "exp", "iat", "nbf"}
SESSION, ORGANIZATION = "https://stytch.com/session", "https://stytch.com/organization"
UUID = "0a1b2c3d-0000-4000-8000-000000000000"
BEARER = Header("Authorization", scheme="Bearer")

DOCUMENTED = [
    (
        providers.hanko_passkeys(UUID, relying_party_id="example.com"),
        "hanko_passkeys",
        f"https://passkeys.hanko.io/{UUID}/.well-known/jwks.json",
        providers.UNCHECKED,
        "example.com",
    ),
    (
        providers.hanko_passkeys(
            UUID, relying_party_id="localhost", base_url="https://keys.example.com/hanko/"
        ),
        "hanko_passkeys",
        f"https://keys.example.com/hanko/{UUID}/.well-known/jwks.json",
        providers.UNCHECKED,
        "localhost",
    ),
    (
        providers.hanko(f"https://{UUID}.hanko.io", audience="https://app.example.com"),
        "hanko",
        f"https://{UUID}.hanko.io/.well-known/jwks.json",
        providers.UNCHECKED,
        "https://app.example.com",
    ),
    (
        providers.hanko("https://auth.example.com/", audience="example.com", issuer="hanko"),
        "hanko",
        "https://auth.example.com/.well-known/jwks.json",
        "hanko",
        "example.com",
    ),
    (
        providers.prelude("app1"),
        "prelude",
        "https://app1.session.prelude.dev/.well-known/jwks.json",
        ("app1.session.prelude.dev", "https://app1.session.prelude.dev"),
        providers.UNCHECKED,
    ),
    (
        providers.prelude(domain="auth.example.com", audience="api"),
        "prelude",
        "https://auth.example.com/.well-known/jwks.json",
        ("auth.example.com", "https://auth.example.com"),
        "api",
    ),
    (
        providers.prelude_step_up("app1", domain="auth.example.com"),
        "prelude_step_up",
        "https://auth.example.com/.well-known/step-up-jwks.json",
        ("auth.example.com", "https://auth.example.com"),
        providers.UNCHECKED,
    ),
    (
        providers.prelude_step_up("app1"),
        "prelude_step_up",
        "https://app1.session.prelude.dev/.well-known/step-up-jwks.json",
        ("app1.session.prelude.dev", "https://app1.session.prelude.dev"),
        providers.UNCHECKED,
    ),
    (
        providers.stytch(LIVE),
        "stytch",
        f"https://api.stytch.com/v1/sessions/jwks/{LIVE}",
        (f"stytch.com/{LIVE}",),
        LIVE,
    ),
    (
        providers.stytch(TEST),
        "stytch",
        f"https://test.stytch.com/v1/sessions/jwks/{TEST}",
        (f"stytch.com/{TEST}",),
        TEST,
    ),
    (
        providers.stytch(LIVE, project_domain="login.example.com"),
        "stytch",
        "https://login.example.com/.well-known/jwks.json",
        (f"stytch.com/{LIVE}", "https://login.example.com"),
        LIVE,
    ),
    (
        providers.stytch_b2b(TEST),
        "stytch_b2b",
        f"https://test.stytch.com/v1/b2b/sessions/jwks/{TEST}",
        (f"stytch.com/{TEST}",),
        TEST,
    ),
    (
        providers.stytch_m2m(LIVE),
        "stytch_m2m",
        f"https://api.stytch.com/v1/sessions/jwks/{LIVE}",
        (f"stytch.com/{LIVE}",),
        LIVE,
    ),
    (
        providers.stytch_connected_app(LIVE),
        "stytch_connected_app",
        f"https://api.stytch.com/v1/public/{LIVE}/.well-known/jwks.json",
        (f"stytch.com/{LIVE}",),
        LIVE,
    ),
    (
        providers.stytch_connected_app(TEST, project_domain="wry-owl-1.customers.stytch.dev"),
        "stytch_connected_app",
        "https://wry-owl-1.customers.stytch.dev/.well-known/jwks.json",
        (f"stytch.com/{TEST}", "https://wry-owl-1.customers.stytch.dev"),
        TEST,
    ),
    (
        providers.wso2(audience="client1"),
        "wso2",
        "https://localhost:9443/oauth2/jwks",
        "https://localhost:9443/oauth2/token",
        "client1",
    ),
    (
        providers.wso2("https://is.example.com:9443/", audience="client1", tenant="acme.com"),
        "wso2",
        "https://is.example.com:9443/t/acme.com/oauth2/jwks",
        "https://is.example.com:9443/t/acme.com/oauth2/token",
        "client1",
    ),
    (
        providers.wso2("https://is.example.com/t/root/o/org1", audience="a", issuer="localhost"),
        "wso2",
        "https://is.example.com/t/root/o/org1/oauth2/jwks",
        "localhost",
        "a",
    ),
    (
        providers.asgardeo("bifrost", audience=("client1", "api")),
        "asgardeo",
        "https://api.asgardeo.io/t/bifrost/oauth2/jwks",
        "https://api.asgardeo.io/t/bifrost/oauth2/token",
        ("client1", "api"),
    ),
    (
        providers.generic(
            "https://idp.example.com/keys?v=1", issuer="anything", audience=providers.UNCHECKED
        ),
        "generic",
        "https://idp.example.com/keys?v=1",
        "anything",
        providers.UNCHECKED,
    ),
]


@pytest.mark.parametrize(("provider", "name", "jwks_url", "issuer", "audience"), DOCUMENTED)
def test_each_factory_has_the_documented_url_issuer_and_audience(
    provider, name, jwks_url, issuer, audience
):
    """A factory fetches and compares exactly what its provider documents."""
    assert (provider.name, provider.jwks_url) == (name, jwks_url)
    assert (provider.issuer, provider.audience) == (issuer, audience)
    assert provider.discovery_url is None
    assert provider.jwks is None


@pytest.mark.parametrize("factory", sorted(name for name in providers.__all__ if name.islower()))
def test_each_factory_is_documented_and_named_after_itself(factory):
    """Every factory documents its arguments, and the sources of its facts."""
    text = getattr(providers, factory).__doc__
    assert "Arguments:" in text
    assert "options:" in text
    if factory not in {"generic", "oidc"}:
        assert "Checked against:" in text
        assert "Limits:" in text


@pytest.mark.parametrize(
    ("issuer", "discovery_url"),
    [
        ("https://idp.example.com", "https://idp.example.com/.well-known/openid-configuration"),
        ("https://idp.example.com/", "https://idp.example.com/.well-known/openid-configuration"),
        (
            "https://idp.example.com/a/",
            "https://idp.example.com/a/.well-known/openid-configuration",
        ),
        ("http://localhost:4000/", "http://localhost:4000/.well-known/openid-configuration"),
    ],
)
def test_oidc_keeps_the_issuer_and_drops_one_slash_for_discovery(issuer, discovery_url):
    """The issuer is compared as given, slash included; only the URL is built without the slash."""
    provider = providers.oidc(issuer, audience="api")
    assert (provider.issuer, provider.discovery_url) == (issuer, discovery_url)
    assert (provider.jwks_url, provider.name) == (None, "oidc")
    assert tuple(provider.algorithms) == DEFAULT_ALGORITHMS


@pytest.mark.parametrize(
    ("provider", "algorithms", "locations", "max_age"),
    [
        (providers.hanko_passkeys("t", relying_party_id="a.b"), ("RS256",), (BEARER,), 300),
        (
            providers.hanko("https://h.example.com", audience="a"),
            ("RS256",),
            (BEARER, Cookie("hanko")),
            None,
        ),
        (providers.prelude("a"), ("EdDSA", "ES256", "RS256"), (BEARER,), None),
        (providers.prelude_step_up("a"), ("EdDSA", "ES256", "RS256"), (BEARER,), None),
        (providers.stytch(LIVE), ("RS256",), (BEARER, Cookie("stytch_session_jwt")), None),
        (providers.stytch_b2b(LIVE), ("RS256",), (BEARER, Cookie("stytch_session_jwt")), None),
        (providers.stytch_m2m(LIVE), ("RS256",), (BEARER,), None),
        (providers.stytch_connected_app(LIVE), ("RS256",), (BEARER,), None),
        (
            providers.wso2(audience="a"),
            ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"),
            (BEARER,),
            None,
        ),
        (
            providers.asgardeo("o", audience="a"),
            ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"),
            (BEARER,),
            None,
        ),
    ],
)
def test_algorithms_locations_and_age_are_the_provider_s_own(
    provider, algorithms, locations, max_age
):
    """A factory allows its provider's algorithms, and reads its tokens where they are sent."""
    assert tuple(provider.algorithms) == algorithms
    assert tuple(provider.locations) == locations
    assert provider.max_age == max_age
    assert provider.leeway == 30
    assert provider.require_expiry


HOSTILE = [
    "",
    "a/b",
    "../x",
    "a b",
    "a?b",
    "a#b",
    "a@b",
    "a:b",
    "a%2fb",
    "ä",
    "a\n",
    "https://evil.example",
    "x" * 256,
    7,
    b"abc",
]
SEGMENTS = [
    ("tenant_id", lambda v: providers.hanko_passkeys(v, relying_party_id="example.com")),
    ("app_id", providers.prelude),
    ("app_id", lambda v: providers.prelude_step_up(v, domain="auth.example.com")),
    ("project_id", providers.stytch),
    ("project_id", lambda v: providers.stytch_b2b(v, project_domain="login.example.com")),
    ("project_id", providers.stytch_connected_app),
    ("project_id", providers.stytch_m2m),
    ("tenant", lambda v: providers.wso2(audience="a", tenant=v)),
    ("organization", lambda v: providers.asgardeo(v, audience="a")),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("field", "factory"), SEGMENTS)
def test_an_identifier_that_could_lead_elsewhere_is_refused(field, factory, value):
    """Only one plain segment gets into a URL; the error names the parameter."""
    with pytest.raises(ConfigurationError) as caught:
        factory(value)
    assert caught.value.field == field


@pytest.mark.parametrize("value", [".", "..", ".acme", "acme.", "a..b"])
@pytest.mark.parametrize(("field", "factory"), SEGMENTS[-2:])
def test_dots_are_allowed_only_inside_a_domain_like_segment(field, factory, value):
    """A tenant may be acme.com, and must not be a step up the path."""
    with pytest.raises(ConfigurationError) as caught:
        factory(value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "value",
    [
        "https://auth.example.com",
        "auth.example.com/",
        "auth.example.com:8443",
        "auth..example.com",
        "-a.example.com",
        "auth.example.com.",
        "*.example.com",
        "user@example.com",
        "a b",
        "",
        "ä.example",
        7,
    ],
)
@pytest.mark.parametrize(
    ("field", "factory"),
    [
        ("relying_party_id", lambda v: providers.hanko_passkeys("t", relying_party_id=v)),
        ("domain", lambda v: providers.prelude(domain=v)),
        ("domain", lambda v: providers.prelude_step_up("app1", domain=v)),
        ("project_domain", lambda v: providers.stytch(LIVE, project_domain=v)),
        ("project_domain", lambda v: providers.stytch_connected_app(LIVE, project_domain=v)),
    ],
)
def test_a_domain_that_is_not_a_bare_host_is_refused(field, factory, value):
    """A domain must be a bare host; the error names the parameter and says so."""
    with pytest.raises(ConfigurationError, match=r"bare host|not blank") as caught:
        factory(value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "value",
    [
        "auth.example.com",
        "http://auth.example.com",
        "https://user:secret@auth.example.com",
        "https://auth.example.com?x=1",
        "https://auth.example.com/#x",
        "https://auth.example.com/.well-known/jwks.json",
        "",
        None,
    ],
)
@pytest.mark.parametrize(
    ("field", "factory"),
    [
        (
            "base_url",
            lambda v: providers.hanko_passkeys("t", relying_party_id="a.b", base_url=v),
        ),
        ("api_url", lambda v: providers.hanko(v, audience="a")),
        ("base_url", lambda v: providers.wso2(v, audience="a")),
        ("issuer", lambda v: providers.oidc(v, audience="a")),
    ],
)
def test_a_malformed_base_url_is_refused(field, factory, value):
    """A base URL must be https without query or fragment; the error names the parameter."""
    with pytest.raises(ConfigurationError) as caught:
        factory(value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "factory",
    [
        lambda **o: providers.hanko("http://idp:8000", audience="a", **o),
        lambda **o: providers.hanko_passkeys(
            "t", relying_party_id="a.b", base_url="http://idp:8000", **o
        ),
        lambda **o: providers.wso2("http://idp:8000", audience="a", **o),
        lambda **o: providers.oidc("http://idp:8000", audience="a", **o),
    ],
)
def test_plain_http_requires_allow_http(factory):
    """``allow_http`` reaches the factory's own parameter, and the resulting provider."""
    with pytest.raises(ConfigurationError, match="allow_http"):
        factory()
    provider = factory(allow_http=True)
    assert (provider.jwks_url or provider.discovery_url).startswith("http://idp:8000/")


@pytest.mark.parametrize(
    "value",
    ["live-1", "project-prod-1", "Project-live-1", "project-live", "project-live-", "secret-1"],
)
@pytest.mark.parametrize("domain", [None, "login.example.com"])
def test_a_stytch_project_id_must_say_live_or_test(value, domain):
    """A typing error never selects the test keys, and the error says what is expected."""
    with pytest.raises(ConfigurationError, match="project-live-…") as caught:
        providers.stytch(value, project_domain=domain)
    assert caught.value.field == "project_id"


def test_an_error_about_an_identifier_does_not_show_it():
    """A secret given in place of an id stays out of messages."""
    with pytest.raises(ConfigurationError) as caught:
        providers.stytch("secret-test-abc=")
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("factory", [providers.prelude, providers.prelude_step_up])
def test_prelude_needs_an_app_or_a_domain(factory):
    """Without app and domain the host is unknown, and the error names both parameters."""
    with pytest.raises(ConfigurationError, match="domain") as caught:
        factory()
    assert caught.value.field == "app_id"


def test_options_replace_fields():
    """Any field of Provider can be given by keyword, and replaces the factory's value."""
    provider = providers.stytch(
        LIVE,
        name="sessions",
        issuer="https://login.example.com",
        audience=("a", "b"),
        algorithms=("RS256", "ES256"),
        token_types=("JWT", None),
        leeway=0,
        max_age=60,
        locations=(Cookie("renamed"),),
    )
    assert (provider.name, provider.issuer, provider.audience) == (
        "sessions",
        "https://login.example.com",
        ("a", "b"),
    )
    assert tuple(provider.algorithms) == ("RS256", "ES256")
    assert tuple(provider.token_types) == ("jwt", None)
    assert (provider.leeway, provider.max_age) == (0, 60)
    assert tuple(provider.locations) == (Cookie("renamed"),)


def test_options_add_to_the_rules_of_a_kind_of_token():
    """An additional rule of the caller never removes the factory's own."""

    def mine(token):
        return True

    provider = providers.stytch_m2m(
        LIVE,
        required_claims=["scope"],
        forbidden_claims={"act"},
        claim_values={"env": "prod"},
        checks=[mine],
    )
    assert {"aud", "nbf", "scope"} <= set(provider.required_claims)
    assert set(provider.forbidden_claims) == {"https://stytch.com/session", "act"}
    assert provider.claim_values == {"env": "prod"}
    assert tuple(provider.checks) == (ClaimPrefix("sub", "m2m-client-"), mine)


def test_a_claim_value_replaces_only_the_one_of_its_name():
    """A caller can narrow one value, and the others stay."""
    provider = make(
        {"claim_values": {"kind": "session"}},
        name="x",
        issuer=providers.UNCHECKED,
        audience=providers.UNCHECKED,
        jwks_url="https://idp.example.com/keys",
        claim_values={"kind": frozenset({"session", "access"}), "v": 2},
    )
    assert provider.claim_values == {"kind": "session", "v": 2}


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"jwks_url": "https://mirror.example.com/keys"}, "jwks_url"),
        ({"discovery_url": "https://mirror.example.com/d"}, "discovery_url"),
        ({"jwks": {"keys": []}}, "jwks"),
    ],
)
def test_a_caller_s_key_source_replaces_the_factory_s(options, source):
    """A provider has one key source, and the caller's replaces the factory's; None counts as absent."""
    none = dict.fromkeys({"jwks_url", "discovery_url", "jwks"} - {source})
    for provider in (
        providers.stytch(LIVE, **options),
        providers.oidc("https://idp.example.com", audience="a", **options),
        providers.stytch(LIVE, **options, **none),
    ):
        found = {n: getattr(provider, n) for n in ("jwks_url", "discovery_url", "jwks")}
        assert found == {**none, **options}


def test_two_key_sources_of_the_caller_are_refused():
    """Two key sources of the caller are the caller's error."""
    with pytest.raises(ConfigurationError, match="exactly one"):
        providers.stytch(LIVE, jwks={"keys": []}, jwks_url="https://mirror.example.com/keys")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("required_claims", "scope"),
        ("forbidden_claims", b"scope"),
        ("required_claims", 7),
        ("required_claims", None),
        ("claim_values", [("a", 1)]),
        ("claim_values", None),
        ("checks", "x"),
        ("checks", [1]),
        ("leeway", -1),
        ("name", ""),
    ],
)
@pytest.mark.parametrize("factory", [providers.stytch_m2m, providers.stytch_b2b])
def test_a_wrong_option_is_refused_as_on_provider(factory, field, value):
    """Merging hides no wrong type: the error names the field, as Provider's own does."""
    with pytest.raises(ConfigurationError) as caught:
        factory(LIVE, **{field: value})
    assert caught.value.field == field


def test_an_unknown_option_is_a_type_error():
    """A misspelt keyword is never ignored."""
    with pytest.raises(TypeError, match="audiences"):
        providers.stytch(LIVE, audiences="x")


def test_equal_calls_make_equal_providers():
    """A provider is a value, its rules included, so equal settings compare equal."""
    for again in (
        lambda: providers.stytch_m2m(LIVE),
        lambda: providers.stytch_connected_app(LIVE, claim_values={"client_id": "connected-app-1"}),
        lambda: providers.wso2(audience="a"),
    ):
        assert again() == again()
    assert providers.stytch(LIVE) != providers.stytch_m2m(LIVE, name="stytch")
    assert isinstance(providers.prelude("a"), Provider)


def test_a_prefix_rule_is_readable_and_accepts_only_strings_with_its_prefix():
    """A prefix rule is a value with a readable repr, and refuses claims of another type."""
    rule = ClaimPrefix("sub", "m2m-client-")
    assert repr(rule) == "ClaimPrefix(claim='sub', prefix='m2m-client-')"
    assert (rule, hash(rule)) == (ClaimPrefix("sub", "m2m-client-"), hash(rule))
    rule(SimpleNamespace(claims={"sub": "m2m-client-test-1"}))
    for claims in ({}, {"sub": "user-1"}, {"sub": None}, {"sub": 7}, {"sub": ["m2m-client-1"]}):
        with pytest.raises(TokenError, match="'sub' does not begin with 'm2m-client-'"):
            rule(SimpleNamespace(claims=claims))


@pytest.mark.parametrize(
    ("provider", "claims", "message"),
    [
        (
            providers.entra(UUID, audience="a"),
            {"scp": None, "ver": "2.0"},
            "'ver' is present without 'scp' or 'scope' or 'roles' or 'role'",
        ),
        (
            providers.firebase("my-project"),
            {"sub": "x" * 129},
            "'sub' is not a string of 1 to 128 characters",
        ),
        (
            providers.clerk("clerk.example.com", authorized_parties="https://app.example.com"),
            {"sts": "pending"},
            "'sts' is 'pending'",
        ),
        (
            providers.stytch_m2m(LIVE),
            {"sub": "user-1"},
            "'sub' does not begin with 'm2m-client-'",
        ),
    ],
    ids=["entra", "firebase", "clerk", "stytch_m2m"],
)
def test_a_rule_of_a_preset_says_which_claim_it_refuses(provider, claims, message):
    """The developer wrote no check, so the error names the claim and not a callable."""
    idp = FakeProvider().as_provider(provider)
    with pytest.raises(TokenError) as caught:
        idp.client().verify(idp.issue(**claims))
    assert (caught.value.code, caught.value.message) == ("rejected_by_check", message)
    assert caught.value.claim == message.split("'")[1]


@pytest.mark.parametrize(
    ("provider", "required", "forbidden"),
    [
        (providers.hanko_passkeys("t", relying_party_id="a.b"), {"sub"}, {"trans"}),
        (providers.hanko("https://h.b", audience="a"), {"sub", "session_id"}, {"evt"}),
        (providers.prelude("a"), {"sub"}, set()),
        (providers.prelude_step_up("a"), {"scope"}, set()),
        (providers.stytch(LIVE), {*REGISTERED, SESSION}, {ORGANIZATION}),
        (providers.stytch_b2b(LIVE), {*REGISTERED, SESSION, ORGANIZATION}, set()),
        (providers.stytch_connected_app(LIVE), {*REGISTERED, "scope"}, {SESSION}),
        (providers.stytch_m2m(LIVE), REGISTERED, {SESSION}),
        (providers.wso2(audience="a"), set(), {"at_hash", "c_hash", "isk", "nonce"}),
        (providers.asgardeo("o", audience="a"), set(), {"at_hash", "c_hash", "isk", "nonce"}),
        (providers.generic("https://h.b/k", issuer="i", audience="a"), set(), set()),
        (providers.oidc("https://h.b", audience="a"), set(), set()),
    ],
)
def test_the_claims_of_a_kind_of_token_are_required(provider, required, forbidden):
    """Stytch's registered claims stay required even where a caller does not check their values."""
    assert set(provider.required_claims) == required
    assert set(provider.forbidden_claims) == forbidden


@pytest.mark.parametrize(
    "factory",
    [
        lambda **o: providers.generic("https://h.b/keys", issuer="i", audience="a", **o),
        lambda **o: providers.oidc("https://h.b", audience="a", **o),
    ],
)
def test_algorithms_are_the_usual_or_the_given_ones(factory):
    """By default all common asymmetric algorithms are allowed, otherwise only the given ones."""
    assert tuple(factory().algorithms) == DEFAULT_ALGORITHMS
    assert tuple(factory(algorithms=["ES256"]).algorithms) == ("ES256",)


def test_generic_accepts_a_template():
    """`generic` is Provider with a URL in front, so it accepts every form of issuer."""
    template = IssuerTemplate("https://idp.example.com/{tid}", allowed={"a"})
    provider = providers.generic(
        "https://idp.example.com/keys", issuer=template, audience=providers.UNCHECKED
    )
    assert provider.issuer == template
