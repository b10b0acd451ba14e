"""Parameters of presets: each named alternative to a restriction, further restrictors, other hosts."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from jwks_client import JWKSClient, Provider, TokenError, providers
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeClock, FakeProvider

CLOCK = FakeClock()
POOL = "eu-west-1_Ab12Cd34E"
TENANT, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-3333-4444-555555555555"
LOGIN = "https://login.microsoftonline.com"
SERVER, ANDROID = "1.apps.googleusercontent.com", "2.apps.googleusercontent.com"
ACTIONS = "https://token.actions.githubusercontent.com"
APP = "https://app.example.com"


def verdict(provider: Provider, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return "ok", or the code with which the provider refuses a token of these claims."""
    idp = FakeProvider(clock=CLOCK)
    token = idp.issue(headers=headers, **{"iss": None, "aud": None, **claims})
    try:
        JWKSClient(
            replace(provider, jwks_url=None, discovery_url=None, jwks=idp.jwks()), clock=CLOCK
        ).verify(token)
    except TokenError as error:
        return error.code
    return "ok"


@pytest.mark.parametrize(
    "factory", [name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))]
)
def test_type_checkers_accept_every_field_of_provider(factory):
    """Every field of Provider is a parameter of each factory, or one of its typed keywords, and never both."""
    signature = inspect.signature(getattr(providers, factory), eval_str=True)
    *own, options = signature.parameters.values()
    (typed,) = get_args(options.annotation)
    keywords = get_type_hints(typed).keys()
    names = {one.name for one in own}
    assert not names & keywords
    assert names | keywords >= {field.name for field in fields(Provider)}


@pytest.mark.parametrize("prefix", ["", "issuer-"])
def test_a_replica_of_a_cognito_pool_has_its_own_issuers(prefix):
    """A token of a region is accepted if that region is configured, and refused otherwise."""
    issuer = f"https://{prefix}cognito-idp.us-east-1.amazonaws.com/{POOL}"
    token = {"iss": issuer, "token_use": "access", "client_id": "c1"}
    alone = providers.cognito_access(POOL, client_id="c1")
    with_replicas = providers.cognito_access(
        POOL, client_id="c1", region=("eu-west-1", "us-east-1")
    )
    assert verdict(alone, **token) == "wrong_issuer"
    assert verdict(with_replicas, **token) == "ok"
    regions = ("eu-west-1", "us-east-1")
    identity = providers.cognito_id(POOL, client_id="c1", region=regions)
    assert identity.issuer == with_replicas.issuer
    assert identity.jwks_url == alone.jwks_url


def test_any_client_of_a_cognito_pool_can_be_accepted():
    """``UNCHECKED`` accepts every client of the pool, and still only tokens of the right kind."""
    home = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
    access = providers.cognito_access(POOL, client_id=UNCHECKED)
    identity = providers.cognito_id(POOL, client_id=UNCHECKED)
    assert verdict(access, iss=home, token_use="access", client_id="any") == "ok"
    assert verdict(access, iss=home, token_use="id", aud="any") == "invalid_claim"
    assert verdict(identity, iss=home, token_use="id", aud="any") == "ok"
    assert verdict(identity, iss=home, token_use="access", client_id="any") == "invalid_claim"


def test_a_descope_custom_domain_serves_the_keys_and_may_be_the_issuer():
    """Both the custom domain's issuers and Descope's own are accepted, for this project only."""
    provider = providers.descope("P2abc", base_url="https://auth.example.com/")
    assert provider.jwks_url == "https://auth.example.com/v2/keys/P2abc"
    for issuer, expected in (
        ("P2abc", "ok"),
        ("https://api.descope.com/P2abc", "ok"),
        ("https://auth.example.com/v1/apps/P2abc", "ok"),
        ("https://auth.example.com/P2other", "wrong_issuer"),
    ):
        assert verdict(provider, iss=issuer, drn="DS") == expected


@pytest.mark.parametrize(
    ("provider", "aud", "azp", "expected"),
    [
        (providers.google((SERVER, ANDROID)), ANDROID, SERVER, "ok"),
        (providers.google(SERVER, authorized_parties=ANDROID), SERVER, ANDROID, "ok"),
        (providers.google(SERVER, authorized_parties=ANDROID), SERVER, SERVER, "ok"),
        (providers.google(SERVER, authorized_parties=ANDROID), ANDROID, ANDROID, "wrong_audience"),
        (providers.google(SERVER, authorized_parties=ANDROID), SERVER, "1031", "invalid_claim"),
        (providers.google(SERVER, authorized_parties=UNCHECKED), SERVER, "1031", "ok"),
        (providers.google(UNCHECKED, authorized_parties=ANDROID), "x", ANDROID, "ok"),
        (providers.google(UNCHECKED, authorized_parties=ANDROID), "x", "1031", "invalid_claim"),
        (providers.google(UNCHECKED), "x", "1031", "ok"),
    ],
)
def test_the_requesters_of_a_google_token(provider, aud, azp, expected):
    """An app's own id may be ``azp``; another id is accepted only with an explicit setting."""
    assert verdict(provider, iss="https://accounts.google.com", aud=aud, azp=azp) == expected


@pytest.mark.parametrize(
    ("tenant", "claim", "expected"),
    [
        (UNCHECKED, {}, "ok"),
        (UNCHECKED, {"tenant": "t1"}, "ok"),
        ("t1", {"tenant": "t1"}, "ok"),
        (("t1", "t2"), {"tenant": "t2"}, "ok"),
        ("t1", {"tenant": "t2"}, "invalid_claim"),
        ("t1", {}, "missing_claim"),
        ("t1", "t1", "missing_claim"),
    ],
)
def test_the_tenant_of_a_firebase_user(tenant, claim, expected):
    """A configured tenant must be in the token's ``firebase`` claim."""
    provider = providers.firebase("my-project", tenant=tenant)
    token = {"iss": "https://securetoken.google.com/my-project", "aud": "my-project"}
    assert verdict(provider, **token, auth_time=1_699_999_000, firebase=claim) == expected


@pytest.mark.parametrize("several", [False, True])
def test_version_1_tokens_of_entra_can_be_accepted(several):
    """``version="1.0"`` accepts the older issuer of an allowed tenant, and no version 2.0 token."""
    options = {"audience": "api://app", "version": "1.0"}
    provider = (
        providers.entra_multi_tenant(allowed_tenants=[TENANT], **options)
        if several
        else providers.entra(TENANT, **options)
    )
    where = "common" if several else TENANT
    assert provider.jwks_url == f"{LOGIN}/{where}/discovery/keys"
    token = {"aud": "api://app", "tid": TENANT, "ver": "1.0", "roles": ["Orders.Read"]}
    assert verdict(provider, iss=f"https://sts.windows.net/{TENANT}/", **token) == "ok"
    assert verdict(provider, iss=f"{LOGIN}/{TENANT}/v2.0", **token) == "wrong_issuer"
    stranger = {**token, "tid": OTHER}
    assert verdict(provider, iss=f"https://sts.windows.net/{OTHER}/", **stranger) == "wrong_issuer"


def test_every_tenant_of_entra_can_be_accepted():
    """``UNCHECKED`` accepts any tenant, whose issuer must still be its own."""
    provider = providers.entra_multi_tenant(audience="app", allowed_tenants=UNCHECKED)
    token = {"aud": "app", "tid": OTHER, "ver": "2.0", "scp": "a"}
    assert verdict(provider, iss=f"{LOGIN}/{OTHER}/v2.0", **token) == "ok"
    assert verdict(provider, iss=f"{LOGIN}/{TENANT}/v2.0", **token) == "wrong_issuer"
    assert provider == providers.entra_multi_tenant(audience="app", allowed_tenants=UNCHECKED)


@pytest.mark.parametrize(
    ("permissions", "required", "expected"),
    [
        ({"scp": "access_as_user"}, True, "ok"),
        ({"roles": ["Orders.Read"]}, True, "ok"),
        ({"nonce": "n"}, True, "rejected_by_check"),
        ({"scp": None, "roles": None, "nonce": "n"}, True, "rejected_by_check"),
        ({"nonce": "n"}, False, "ok"),
    ],
)
def test_entra_tokens_have_scp_or_roles_by_default(permissions, required, expected):
    """An ID token for the API's audience is refused, unless the application accepts tokens without scp and roles."""
    provider = providers.entra(TENANT, audience="app", require_scp_or_roles=required)
    token = {"iss": f"{LOGIN}/{TENANT}/v2.0", "aud": "app", "tid": TENANT, "ver": "2.0"}
    assert verdict(provider, **token, **permissions) == expected


@pytest.mark.parametrize(
    ("options", "issuer"),
    [
        ({}, ACTIONS),
        ({"enterprise": "acme"}, f"{ACTIONS}/acme"),
        ({"host": "acme.ghe.com"}, "https://token.actions.acme.ghe.com"),
        ({"host": "git.example.com:8443"}, "https://git.example.com:8443/_services/token"),
    ],
)
def test_the_issuers_of_github(options, issuer):
    """An enterprise, GHE.com and a self-hosted server each have an issuer, with its keys below it."""
    provider = providers.github_actions(repository="acme/shop", audience="a", **options)
    assert (provider.issuer, provider.jwks_url) == (issuer, f"{issuer}/.well-known/jwks")
    assert verdict(provider, iss=issuer, aud="a", repository="Acme/Shop") == "ok"


def test_case_folding_at_github_is_ascii_only():
    """The Kelvin sign, whose lower case is a k, does not match the k of a repository's name."""
    provider = providers.github_actions(repository="acme/Kit", audience="a")
    for repository, expected in (("ACME/kIT", "ok"), ("acme/\u212ait", "invalid_claim")):
        assert verdict(provider, iss=ACTIONS, aud="a", repository=repository) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"owner": "ACME"}, "ok"),
        ({"owner": ("other", "acme")}, "ok"),
        ({"owner": "other"}, "invalid_claim"),
        ({"repository_id": "74"}, "ok"),
        ({"repository_id": ("73", "74")}, "ok"),
        ({"repository_id": "75"}, "invalid_claim"),
        ({"repository_id": "74", "owner": "other"}, "invalid_claim"),
        ({"repository": "acme/other", "owner": "acme"}, "invalid_claim"),
        ({}, "ok"),
    ],
)
def test_other_restrictors_of_github_replace_the_repository(options, expected):
    """``UNCHECKED`` leaves the choice to the id or the owner, and all given restrictors must match."""
    provider = providers.github_actions(**{"repository": UNCHECKED, "audience": "a", **options})
    token = {"repository": "Acme/Shop", "repository_id": "74", "repository_owner": "Acme"}
    assert verdict(provider, iss=ACTIONS, aud="a", **token) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"group": "acme"}, "ok"),
        ({"group": "acme/deep"}, "ok"),
        ({"group": ("other", "acme")}, "ok"),
        ({"group": "acm"}, "invalid_claim"),
        ({"group": "acme/deep/er"}, "invalid_claim"),
        ({"project_id": "7"}, "ok"),
        ({"project_id": "8", "group": "acme"}, "invalid_claim"),
        ({"project_path": "acme/other", "group": "acme"}, "invalid_claim"),
        ({}, "ok"),
    ],
)
def test_other_restrictors_of_gitlab_replace_the_project(options, expected):
    """A group stands for the projects in it and below it, by whole names."""
    provider = providers.gitlab(**{"project_path": UNCHECKED, "audience": "a", **options})
    token = {"namespace_path": "acme/deep", "project_path": "acme/deep/api", "project_id": "7"}
    assert verdict(provider, iss="https://gitlab.com", aud="a", **token) == expected


@pytest.mark.parametrize(
    ("options", "azp", "sid", "expected"),
    [
        ({"authorized_parties": APP}, None, "s1", "missing_claim"),
        ({"authorized_parties": APP, "require_azp": False}, None, "s1", "ok"),
        ({"authorized_parties": APP, "require_azp": False}, None, None, "missing_claim"),
        ({"authorized_parties": APP, "require_azp": False}, APP, "s1", "ok"),
        ({"authorized_parties": APP, "require_azp": False}, "https://b.c", "s1", "invalid_claim"),
        ({"authorized_parties": UNCHECKED}, "https://b.c", "s1", "ok"),
        ({"authorized_parties": UNCHECKED}, None, "s1", "ok"),
        ({"authorized_parties": UNCHECKED}, None, None, "missing_claim"),
        ({"authorized_parties": UNCHECKED, "require_azp": False}, None, None, "missing_claim"),
    ],
)
def test_clerk_tokens_without_azp_can_be_accepted(options, azp, sid, expected):
    """Native apps and servers have no Origin; machines, which have no session, are still refused."""
    provider = providers.clerk("clerk.example.com", **options)
    assert verdict(provider, iss="https://clerk.example.com", azp=azp, sid=sid) == expected


@pytest.mark.parametrize(
    ("provider", "issuer", "jwks_url"),
    [
        (
            providers.clerk("app.example.com/__clerk", authorized_parties=APP),
            "https://app.example.com/__clerk",
            "https://app.example.com/__clerk/.well-known/jwks.json",
        ),
        (
            providers.gitlab("git.example.com:8443/gitlab/", audience="a", project_path="a/b"),
            "https://git.example.com:8443/gitlab",
            "https://git.example.com:8443/gitlab/oauth/discovery/keys",
        ),
        (
            providers.zitadel("id.example.com:8443", audience="a"),
            "https://id.example.com:8443",
            "https://id.example.com:8443/oauth/v2/keys",
        ),
        (
            providers.logto("https://id.example.com:3001/logto", audience="a"),
            "https://id.example.com:3001/logto/oidc",
            "https://id.example.com:3001/logto/oidc/jwks",
        ),
        (
            providers.authentik("https://id.example.com:9443/auth", "shop", audience="a"),
            "https://id.example.com:9443/auth/application/o/shop/",
            "https://id.example.com:9443/auth/application/o/shop/jwks/",
        ),
        (
            providers.supabase("abcdef", domain="auth.example.com"),
            ("https://abcdef.supabase.co/auth/v1", "https://auth.example.com/auth/v1"),
            "https://abcdef.supabase.co/auth/v1/.well-known/jwks.json",
        ),
        (
            providers.kubernetes("https://10.0.0.1:6443", audience="a", api_server=True),
            "https://10.0.0.1:6443",
            "https://10.0.0.1:6443/openid/v1/jwks",
        ),
    ],
)
def test_hosts_have_ports_and_paths_where_the_product_can_be_self_hosted(
    provider, issuer, jwks_url
):
    """Issuer and key URL keep the port and the path of an installation."""
    assert (provider.issuer, provider.jwks_url) == (issuer, jwks_url)


@pytest.mark.parametrize("path", ["", "/user_management/client_1", "/sso/client_1"])
def test_a_custom_workos_domain_is_an_issuer(path):
    """A custom domain's issuers are accepted in addition to those of WorkOS, and the key URL stays."""
    provider = providers.workos("client_1", domain="auth.example.com")
    assert provider.jwks_url == "https://api.workos.com/sso/jwks/client_1"
    assert verdict(provider, iss=f"https://auth.example.com{path}", sid="s1") == "ok"
    assert verdict(provider, iss=f"https://other.example.com{path}", sid="s1") == "wrong_issuer"


def test_a_passkey_transaction_is_not_a_login():
    """Each factory accepts its own kind of token, and any relying party only with an explicit setting."""
    login = providers.hanko_passkeys("t", relying_party_id="example.com")
    transaction = providers.hanko_passkeys_transaction("t", relying_party_id="example.com")
    token = {"aud": ["example.com"], "cred": "c1"}
    assert verdict(login, **token) == "ok"
    assert verdict(login, **token, trans="pay 10 EUR") == "forbidden_claim"
    assert verdict(transaction, **token, trans="pay 10 EUR") == "ok"
    assert verdict(transaction, **token) == "missing_claim"
    elsewhere = providers.hanko_passkeys("t", relying_party_id=UNCHECKED)
    assert verdict(elsewhere, aud=["other.example"], cred="c1") == "ok"


def test_every_rule_of_a_factory_can_be_replaced_on_the_provider():
    """``dataclasses.replace`` can replace a rule that distinguishes kinds of token."""
    zitadel = providers.zitadel("acme.zitadel.cloud", audience="project")
    token = {"iss": "https://acme.zitadel.cloud", "aud": "project"}
    assert verdict(zitadel, **token) == "missing_claim"
    assert verdict(replace(zitadel, required_claims=()), **token) == "ok"
