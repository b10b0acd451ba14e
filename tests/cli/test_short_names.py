"""Short names of presets: every factory by its own signature, and near names where one is unknown."""

import inspect

import click
import pytest

from jwks_client import providers
from jwks_client.cli._presets import preset_names, provider_of

TENANT = "11111111-2222-4333-8444-555555555555"
# One spelling of each preset, and the same by its function.
SPELLED = {
    "asgardeo:my-org,audience=a": providers.asgardeo("my-org", audience="a"),
    "auth0:acme.eu.auth0.com,audience=https://a.example/": providers.auth0(
        "acme.eu.auth0.com", audience="https://a.example/"
    ),
    "authentik:https://id.example,app,audience=a": providers.authentik(
        "https://id.example", "app", audience="a"
    ),
    "clerk:clerk.example.com,authorized_parties=https://a.example,authorized_parties=https://b.example": providers.clerk(
        "clerk.example.com", authorized_parties=("https://a.example", "https://b.example")
    ),
    "cloudflare-access:acme,audience=tag": providers.cloudflare_access("acme", audience="tag"),
    "cognito_access:eu-central-1_Ab12Cd34E,client_id=c": providers.cognito_access(
        "eu-central-1_Ab12Cd34E", client_id="c"
    ),
    "cognito_id:eu-central-1_Ab12Cd34E,client_id=c": providers.cognito_id(
        "eu-central-1_Ab12Cd34E", client_id="c"
    ),
    "descope:P2abcdef": providers.descope("P2abcdef"),
    f"entra:{TENANT},audience=a": providers.entra(TENANT, audience="a"),
    f"entra_multi_tenant:audience=a,allowed_tenants={TENANT}": None,  # its check cannot be compared
    "firebase:my-project": providers.firebase("my-project"),
    "generic:https://i.example/jwks,issuer=https://i.example,audience=a,algorithms=ES256,leeway=5": providers.generic(
        "https://i.example/jwks",
        issuer="https://i.example",
        audience="a",
        algorithms=("ES256",),
        leeway=5.0,
    ),
    "github_actions:repository=acme/shop,audience=a": providers.github_actions(
        repository="acme/shop", audience="a"
    ),
    "gitlab:project_path=acme/shop,audience=a": providers.gitlab(
        project_path="acme/shop", audience="a"
    ),
    "google:x.apps.googleusercontent.com": providers.google("x.apps.googleusercontent.com"),
    "hanko:https://t.hanko.io,audience=UNCHECKED": providers.hanko(
        "https://t.hanko.io", audience=providers.UNCHECKED
    ),
    f"hanko_passkeys:{TENANT},relying_party_id=example.com,max_age=60": providers.hanko_passkeys(
        TENANT, relying_party_id="example.com", max_age=60.0
    ),
    f"hanko_passkeys_transaction:{TENANT},relying_party_id=UNCHECKED": (
        providers.hanko_passkeys_transaction(TENANT, relying_party_id=providers.UNCHECKED)
    ),
    f"entra_external_id:contoso,{TENANT},audience=a": providers.entra_external_id(
        "contoso", TENANT, audience="a"
    ),
    f"entra_b2c:contoso,{TENANT},policy=B2C_1_signin,audience=a": providers.entra_b2c(
        "contoso", TENANT, policy="B2C_1_signin", audience="a"
    ),
    "keycloak:https://id.example,realm,audience=a": providers.keycloak(
        "https://id.example", "realm", audience="a"
    ),
    "kinde:acme,audience=a,audience=b": providers.kinde("acme", audience=("a", "b")),
    "kubernetes:https://k.example,audience=a": providers.kubernetes(
        "https://k.example", audience="a"
    ),
    "logto:https://acme.logto.app,audience=a": providers.logto(
        "https://acme.logto.app", audience="a"
    ),
    "oidc:https://i.example,audience=a,require_expiry=false": providers.oidc(
        "https://i.example", audience="a", require_expiry=False
    ),
    "okta:https://acme.okta.com/oauth2/default,audience=a": providers.okta(
        "https://acme.okta.com/oauth2/default", audience="a"
    ),
    "ory_hydra:https://h.example/,audience=a": providers.ory_hydra(
        "https://h.example/", audience="a"
    ),
    "prelude:app1": providers.prelude("app1"),
    "prelude_step_up:domain=auth.example.com": providers.prelude_step_up(domain="auth.example.com"),
    "stytch:project-live-0a1b": providers.stytch("project-live-0a1b"),
    "stytch-b2b:project-live-0a1b": providers.stytch_b2b("project-live-0a1b"),
    "stytch_connected_app:project_id=project-live-0a1b,project_domain=l.example.com": providers.stytch_connected_app(
        "project-live-0a1b", project_domain="l.example.com"
    ),
    "stytch_m2m:project-live-0a1b,name=machines": providers.stytch_m2m(
        "project-live-0a1b", name="machines"
    ),
    "supabase:abcdefghijklmnop": providers.supabase("abcdefghijklmnop"),
    "workos:client_01ABC": providers.workos("client_01ABC"),
    "wso2:https://is.example:9443,audience=a,tenant=acme.com": providers.wso2(
        "https://is.example:9443", audience="a", tenant="acme.com"
    ),
    "zitadel:acme.zitadel.cloud,audience=a": providers.zitadel("acme.zitadel.cloud", audience="a"),
}


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_short_name_is_its_function(spelled):
    """A short name makes the same provider as the factory with the same arguments."""
    made = provider_of(spelled, {})
    assert SPELLED[spelled] in (None, made)
    assert made.jwks_url or made.discovery_url


def test_every_preset_has_a_short_name():
    """Every factory in `providers` has a short name with its required arguments."""
    functions = {name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))}
    assert set(preset_names()) == functions
    assert {one.partition(":")[0].replace("-", "_") for one in SPELLED} == functions


@pytest.mark.parametrize("name", preset_names())
def test_missing_arguments_are_named(name):
    """The error for missing arguments names them, as in the factory's signature."""
    needed = [
        parameter.name
        for parameter in inspect.signature(getattr(providers, name)).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    if needed:
        with pytest.raises(click.UsageError) as caught:
            provider_of(name, {})
        assert all(one in caught.value.message for one in needed)
    else:  # some require one of several arguments
        assert name in {"gitlab", "prelude", "prelude_step_up", "wso2"}


@pytest.mark.parametrize(
    ("spelled", "words"),
    [
        ("stich:x", ("'stich'", "stytch")),
        ("authO:x", ("auth0",)),
        ("qqqq:x", ("known: ", "zitadel")),
        (":x", ("known: ",)),
        ("auth0:a.auth0.com,audiense=x", ("'audiense'", "audience")),
        ("auth0:a.auth0.com,audience=x,lee_way=3", ("'lee_way'", "leeway")),
        ("auth0:a.auth0.com,b", ("no positional argument left for 'b'", "audience=…")),
        ("auth0:a.auth0.com,domain=b,audience=x", ("domain of auth0 must not be repeated",)),
        ("auth0:a.auth0.com,audience=x,leeway=much", ("a number of seconds",)),
        ("auth0:a.auth0.com,audience=x,leeway=nan", ("leeway",)),
        ("auth0:a.auth0.com,audience=x,require_expiry=maybe", ("true or false",)),
        ("auth0:a.auth0.com,audience=x,bound_tokens=maybe", ("checked_elsewhere",)),
        ("auth0:a.auth0.com,audience=x,checks=print", ("'checks'",)),
        ("auth0:https://a.auth0.com,audience=x", ("domain",)),
        ("stytch:project-live-1,leeway=1,leeway=2", ("leeway of stytch must not be repeated",)),
    ],
)
def test_errors_say_what_is_wrong(spelled, words):
    """The error for an unknown name suggests similar names; for a wrong value it lists the allowed values."""
    with pytest.raises(click.UsageError) as caught:
        provider_of(spelled, {})
    assert all(word in caught.value.message for word in words)


def test_options_override_the_short_name():
    """``--audience`` and similar options override the text; a preset's fixed values reject them."""
    given = {"audience": ["b"], "leeway": ["5"]}
    assert provider_of("auth0:a.auth0.com,audience=a", given) == providers.auth0(
        "a.auth0.com", audience="b", leeway=5.0
    )
    with pytest.raises(click.UsageError, match="determines jwks itself"):
        provider_of("hanko:https://t.hanko.io,audience=", {"jwks": ["{}"]})


def test_keys_alone_need_no_audience():
    """If no token is verified, only the arguments that locate the keys are required."""
    found = provider_of("keycloak:https://id.example,shop", {}, keys_alone=True)
    assert found.jwks_url == "https://id.example/realms/shop/protocol/openid-connect/certs"
    with pytest.raises(click.UsageError, match="realm"):
        provider_of("keycloak:https://id.example", {}, keys_alone=True)
