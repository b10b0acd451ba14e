"""Presets beyond the documented five: exact URLs, the right token accepted, similar tokens refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from jwks_client import ConfigurationError, IssuerTemplate, Provider, TokenError, providers
from jwks_client.providers import Cookie, Header
from jwks_client.testing import FakeClock, FakeProvider

CLOCK = FakeClock()
TENANT, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-3333-4444-555555555555"
POOL = "eu-west-1_Ab12Cd34E"
COGNITO = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
LOGIN = "https://login.microsoftonline.com"
GOOGLE = "1.apps.googleusercontent.com"
AUD_TAG = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"
# Tokens of this issuer have the claims that the test names, and nothing else that the kit knows.
BARE = Provider(
    name="bare",
    issuer=providers.UNCHECKED,
    audience=providers.UNCHECKED,
    jwks_url="https://bare.test/",
)
BEARER = Header("Authorization", scheme="Bearer")


class Preset(NamedTuple):
    """A preset, its key URL, the claims of its token, and similar tokens that it must refuse."""

    provider: Provider
    url: str
    claims: dict[str, Any]
    neighbours: list[tuple[dict[str, Any], str]]
    algorithm: str = "RS256"
    typ: str | None = "JWT"
    neighbour_types: tuple[str | None, ...] = ()
    key: Mapping[str, Any] = MappingProxyType({})  # this provider's own members; None for missing


def preset(name: str, *arguments: Any, **keywords: Any) -> Provider:
    return getattr(providers, name)(*arguments, **keywords)


PRESETS = {
    "auth0": Preset(
        preset("auth0", "acme.eu.auth0.com", audience="https://api.acme.example"),
        "https://acme.eu.auth0.com/.well-known/jwks.json",
        {
            "iss": "https://acme.eu.auth0.com/",
            "aud": ["https://api.acme.example", "https://acme.eu.auth0.com/userinfo"],
            "azp": "client1",
        },
        [
            ({"iss": "https://acme.eu.auth0.com"}, "wrong_issuer"),
            ({"iss": "https://other.eu.auth0.com/"}, "wrong_issuer"),
            ({"aud": "client1"}, "wrong_audience"),  # an ID token
        ],
    ),
    "okta": Preset(
        preset("okta", "https://acme.okta.com/oauth2/default", audience="api://default"),
        "https://acme.okta.com/oauth2/default/v1/keys",
        {
            "iss": "https://acme.okta.com/oauth2/default",
            "aud": "api://default",
            "cid": "0oa1",
            "scp": ["orders:read"],
        },
        [
            ({"aud": "0oa1", "cid": None}, "wrong_audience"),  # an ID token
            ({"cid": None}, "missing_claim"),
            ({"iss": "https://acme.okta.com"}, "wrong_issuer"),  # the org server
            ({"iss": "https://acme.okta.com/oauth2/aus2"}, "wrong_issuer"),
        ],
    ),
    "cognito_access": Preset(
        preset("cognito_access", POOL, client_id=("client1", "client2")),
        f"{COGNITO}/.well-known/jwks.json",
        {"iss": COGNITO, "aud": None, "token_use": "access", "client_id": "client2"},
        [
            ({"client_id": "client3"}, "invalid_claim"),
            ({"client_id": None}, "missing_claim"),
            ({"token_use": "id", "aud": "client1"}, "invalid_claim"),
            ({"iss": COGNITO[:-1] + "F"}, "wrong_issuer"),
            ({"iss": COGNITO.replace("eu-west-1.", "us-east-1.")}, "wrong_issuer"),
        ],
    ),
    "cognito_id": Preset(
        preset("cognito_id", POOL, client_id="client1"),
        f"{COGNITO}/.well-known/jwks.json",
        {"iss": COGNITO, "aud": "client1", "token_use": "id"},
        [
            ({"token_use": "access"}, "invalid_claim"),
            ({"aud": "client2"}, "wrong_audience"),
            ({"aud": None, "token_use": "access", "client_id": "client1"}, "missing_claim"),
        ],
    ),
    "entra": Preset(
        preset("entra", TENANT, audience=OTHER),
        f"{LOGIN}/{TENANT}/discovery/v2.0/keys",
        {"iss": f"{LOGIN}/{TENANT}/v2.0", "aud": OTHER, "tid": TENANT, "ver": "2.0", "scp": "a"},
        [
            ({"iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0"}, "wrong_issuer"),
            ({"iss": f"{LOGIN}/{OTHER}/v2.0", "tid": OTHER}, "wrong_issuer"),
            ({"tid": OTHER}, "wrong_issuer"),
            ({"scp": None, "nonce": "n"}, "rejected_by_check"),  # an ID token
            ({"aud": "00000003-0000-0000-c000-000000000000"}, "wrong_audience"),  # Graph
        ],
        key={"alg": None, "issuer": f"{LOGIN}/{{tenantid}}/v2.0"},
    ),
    "entra_multi_tenant": Preset(
        preset("entra_multi_tenant", audience="app1", allowed_tenants={TENANT}),
        f"{LOGIN}/common/discovery/v2.0/keys",
        {"iss": f"{LOGIN}/{TENANT}/v2.0", "aud": "app1", "tid": TENANT, "ver": "2.0", "scp": "a"},
        [
            ({"scp": None, "nonce": "n"}, "rejected_by_check"),  # an ID token
            ({"iss": f"{LOGIN}/{OTHER}/v2.0", "tid": OTHER}, "wrong_issuer"),
            ({"tid": OTHER}, "wrong_issuer"),
            ({"tid": None}, "wrong_issuer"),
            ({"iss": f"{LOGIN}/{{tenantid}}/v2.0"}, "wrong_issuer"),
        ],
        key={"alg": None, "issuer": f"{LOGIN}/{{tenantid}}/v2.0"},
    ),
    "entra_external_id": Preset(
        preset("entra_external_id", "contoso", TENANT, audience="app1"),
        f"https://contoso.ciamlogin.com/{TENANT}/v2.0/.well-known/openid-configuration",
        {
            "iss": f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
            "aud": "app1",
            "ver": "2.0",
            "scp": "a",
        },
        [
            ({"scp": None}, "rejected_by_check"),  # an ID token
            ({"iss": f"https://contoso.ciamlogin.com/{TENANT}/v2.0"}, "wrong_issuer"),
            ({"iss": f"{LOGIN}/{TENANT}/v2.0"}, "wrong_issuer"),
            ({"aud": "app2"}, "wrong_audience"),
        ],
        key={"alg": None},
    ),
    "entra_b2c": Preset(
        preset("entra_b2c", "contoso", TENANT, policy="B2C_1_signin", audience="app1"),
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_signin/discovery/v2.0/keys",
        {
            "iss": f"https://contoso.b2clogin.com/{TENANT}/v2.0/",
            "aud": "app1",
            "tfp": "B2C_1_signin",
        },
        [
            ({"tfp": "B2C_1_reset"}, "invalid_claim"),
            ({"tfp": "B2C_1_reset", "acr": "B2C_1_signin"}, "invalid_claim"),
            ({"tfp": None, "acr": "B2C_1_reset"}, "invalid_claim"),
            ({"tfp": None}, "missing_claim"),
            ({"iss": f"https://contoso.b2clogin.com/{OTHER}/v2.0/"}, "wrong_issuer"),
            ({"aud": "web1"}, "wrong_audience"),  # an ID token
        ],
        key={"alg": None},
    ),
    "google": Preset(
        preset("google", GOOGLE),
        "https://www.googleapis.com/oauth2/v3/certs",
        {"iss": "accounts.google.com", "aud": GOOGLE, "azp": GOOGLE},
        [
            ({"azp": "103123456789012345678"}, "invalid_claim"),  # another service account
            ({"azp": "android.apps.googleusercontent.com"}, "invalid_claim"),
            ({"azp": None}, "missing_claim"),
            ({"aud": "2.apps.googleusercontent.com"}, "wrong_audience"),
            ({"iss": "http://accounts.google.com"}, "wrong_issuer"),
            ({"iss": "https://securetoken.google.com/p"}, "wrong_issuer"),
        ],
    ),
    "firebase": Preset(
        preset("firebase", "my-project"),
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        {
            "iss": "https://securetoken.google.com/my-project",
            "aud": "my-project",
            "auth_time": 1_699_999_000,
        },
        [
            # Another project's token: signed by the very same keys.
            (
                {"iss": "https://securetoken.google.com/other-one", "aud": "other-one"},
                "wrong_issuer",
            ),
            ({"aud": "other-one"}, "wrong_audience"),
            ({"sub": ""}, "rejected_by_check"),
            ({"sub": "x" * 129}, "rejected_by_check"),
            ({"auth_time": None}, "missing_claim"),
            ({"iss": "https://session.firebase.google.com/my-project"}, "wrong_issuer"),
        ],
    ),
    "keycloak": Preset(
        preset("keycloak", "https://id.example.com/", "acme", audience="api"),
        "https://id.example.com/realms/acme/protocol/openid-connect/certs",
        {"iss": "https://id.example.com/realms/acme", "aud": ["api", "account"], "typ": "Bearer"},
        [
            ({"typ": "ID"}, "invalid_claim"),
            ({"typ": "Refresh"}, "invalid_claim"),
            ({"typ": None}, "missing_claim"),
            ({"iss": "https://id.example.com/realms/other"}, "wrong_issuer"),
            ({"aud": "account"}, "wrong_audience"),
        ],
    ),
    "clerk": Preset(
        preset("clerk", "clerk.example.com", authorized_parties="https://app.example.com"),
        "https://clerk.example.com/.well-known/jwks.json",
        {"iss": "https://clerk.example.com", "aud": None, "azp": "https://app.example.com"},
        [
            ({"azp": "https://evil.example.com"}, "invalid_claim"),
            ({"azp": None}, "missing_claim"),  # of a native app, a server, a machine
            ({"sts": "pending"}, "rejected_by_check"),
            ({"iss": "https://clerk.other.com"}, "wrong_issuer"),
        ],
    ),
    "supabase": Preset(
        preset("supabase", "abcdefghijklmnop"),
        "https://abcdefghijklmnop.supabase.co/auth/v1/.well-known/jwks.json",
        {"iss": "https://abcdefghijklmnop.supabase.co/auth/v1", "aud": "authenticated"},
        [
            ({"sub": None}, "missing_claim"),  # the anon and service_role keys
            ({"aud": "anon"}, "wrong_audience"),
            ({"iss": "https://zyxwvutsrqponmlk.supabase.co/auth/v1"}, "wrong_issuer"),
        ],
        algorithm="ES256",
        key={"key_ops": ["verify"]},
    ),
    "workos": Preset(
        preset("workos", "client_1"),
        "https://api.workos.com/sso/jwks/client_1",
        {"iss": "https://api.workos.com/user_management/client_1", "aud": None, "sid": "s1"},
        [
            ({"iss": "https://api.workos.com/user_management/client_2"}, "wrong_issuer"),
            ({"iss": "https://api.workos.com/sso/client_2"}, "wrong_issuer"),
            ({"iss": "https://api.workos.com/convex/client_2"}, "wrong_issuer"),
            ({"sid": None}, "missing_claim"),
        ],
    ),
    "descope": Preset(
        preset("descope", "P2abc"),
        "https://api.descope.com/v2/keys/P2abc",
        {"iss": "P2abc", "aud": None, "drn": "DS"},
        [
            ({"drn": "DSR"}, "rejected_by_check"),  # a refresh token
            ({"iss": "P2other"}, "wrong_issuer"),
        ],
    ),
    "kinde": Preset(
        preset("kinde", "acme", audience=providers.UNCHECKED),
        "https://acme.kinde.com/.well-known/jwks",
        {"iss": "https://acme.kinde.com", "aud": [], "scp": ["openid"], "azp": "client1"},
        [
            ({"scp": None}, "missing_claim"),  # an ID token, a webhook
            ({"iss": "https://other.kinde.com"}, "wrong_issuer"),
        ],
    ),
    "logto": Preset(
        preset("logto", "https://acme.logto.app", audience="https://api.acme.example"),
        "https://acme.logto.app/oidc/jwks",
        {"iss": "https://acme.logto.app/oidc", "aud": "https://api.acme.example"},
        [
            ({"aud": "client1"}, "wrong_audience"),  # an ID token
            ({"aud": "urn:logto:organization:o1"}, "wrong_audience"),
            ({"iss": "https://acme.logto.app"}, "wrong_issuer"),
        ],
        algorithm="ES384",
        typ="at+jwt",
        neighbour_types=("JWT",),  # an ID token, whatever its audience
    ),
    "zitadel": Preset(
        preset("zitadel", "acme-1a2b3c.zitadel.cloud", audience="214566"),
        "https://acme-1a2b3c.zitadel.cloud/oauth/v2/keys",
        {"iss": "https://acme-1a2b3c.zitadel.cloud", "aud": ["client1", "214566"], "jti": "t1"},
        [
            ({"jti": None, "nonce": "n", "at_hash": "x"}, "missing_claim"),  # an ID token
            ({"aud": ["client1"]}, "wrong_audience"),
            ({"iss": "https://acme-1a2b3c.zitadel.cloud/"}, "wrong_issuer"),
        ],
        key={"kid": "271828182845904523"},
    ),
    "ory_hydra": Preset(
        preset("ory_hydra", "https://hydra.example.com/", audience="api"),
        "https://hydra.example.com/.well-known/jwks.json",
        {"iss": "https://hydra.example.com/", "aud": ["api"], "client_id": "c1", "scp": ["read"]},
        [
            ({"client_id": None, "at_hash": "x"}, "missing_claim"),  # an ID token
            ({"iss": "https://hydra.example.com"}, "wrong_issuer"),
            ({"aud": []}, "wrong_audience"),
        ],
    ),
    "cloudflare_access": Preset(
        preset("cloudflare_access", "acme", audience=AUD_TAG),
        "https://acme.cloudflareaccess.com/cdn-cgi/access/certs",
        {"iss": "https://acme.cloudflareaccess.com", "aud": [AUD_TAG], "sub": ""},
        [
            ({"aud": [AUD_TAG[:-1] + "0"]}, "wrong_audience"),  # another application of the team
            ({"iss": "https://other.cloudflareaccess.com"}, "wrong_issuer"),
        ],
    ),
    "github_actions": Preset(
        preset("github_actions", repository="acme/api", audience="https://github.com/acme"),
        "https://token.actions.githubusercontent.com/.well-known/jwks",
        {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": "https://github.com/acme",
            "repository": "acme/api",
            "sub": "repo:acme/api:ref:refs/heads/main",
        },
        [
            ({"repository": "evil/api"}, "invalid_claim"),
            ({"repository": "acme/api-fork"}, "invalid_claim"),
            ({"iss": "https://token.actions.githubusercontent.com/acme"}, "wrong_issuer"),
            ({"repository": None}, "missing_claim"),
            ({"aud": "https://github.com/evil"}, "wrong_audience"),
        ],
    ),
    "gitlab": Preset(
        preset("gitlab", audience="https://api.acme.example", project_path="acme/deep/api"),
        "https://gitlab.com/oauth/discovery/keys",
        {
            "iss": "https://gitlab.com",
            "aud": "https://api.acme.example",
            "project_path": "acme/deep/api",
            "nbf": 1_699_999_995,
        },
        [
            ({"project_path": "evil/deep/api"}, "invalid_claim"),
            ({"aud": "https://gitlab.com"}, "wrong_audience"),
        ],
    ),
    "kubernetes": Preset(
        preset("kubernetes", "https://kubernetes.default.svc", audience="api"),
        "https://kubernetes.default.svc/.well-known/openid-configuration",
        {
            "iss": "https://kubernetes.default.svc",
            "aud": ["api"],
            "sub": "system:serviceaccount:shop:orders",
        },
        [
            ({"sub": "system:node:n1"}, "rejected_by_check"),
            ({"iss": "kubernetes/serviceaccount", "exp": None}, "wrong_issuer"),  # a legacy token
            ({"aud": ["https://kubernetes.default.svc"]}, "wrong_audience"),
        ],
        algorithm="ES256",
    ),
    "authentik": Preset(
        preset("authentik", "https://auth.example.com", "shop", audience="client1"),
        "https://auth.example.com/application/o/shop/jwks/",
        {"iss": "https://auth.example.com/application/o/shop/", "aud": "client1"},
        [
            ({"iss": "https://auth.example.com/application/o/other/"}, "wrong_issuer"),
            ({"iss": "https://auth.example.com/application/o/shop"}, "wrong_issuer"),
            ({"aud": "client2"}, "wrong_audience"),
        ],
        key={"enc": "x"},
    ),
}
FIVE = ("hanko", "prelude", "stytch", "wso2", "asgardeo", "generic", "oidc")


@pytest.mark.parametrize("name", PRESETS)
def test_the_right_token_is_accepted_and_similar_ones_are_refused(name):
    """The preset's kind of token is accepted, and each similar token is refused with its code."""
    one = PRESETS[name]
    idp = FakeProvider(algorithm=one.algorithm, clock=CLOCK).as_provider(one.provider)
    key = {**idp.jwks()["keys"][0], **one.key}
    document = {"keys": [{n: v for n, v in key.items() if v is not None}]}
    idp.fail(json.dumps(document).encode(), only="jwks.json")  # publish exactly this key set
    client, headers = idp.client(), {"kid": key["kid"], "typ": one.typ}
    assert client.verify(idp.issue_for(BARE, headers=headers, **one.claims)).provider == name
    asked = idp.requests[0]
    assert f"https://{asked.headers['host']}{asked.path}" == one.url
    for typ in one.neighbour_types:
        with pytest.raises(TokenError) as caught:
            client.verify(idp.issue_for(BARE, headers={**headers, "typ": typ}, **one.claims))
        assert caught.value.code == "wrong_token_type"
    for change, code in one.neighbours:
        with pytest.raises(TokenError) as caught:
            client.verify(idp.issue_for(BARE, headers=headers, **{**one.claims, **change}))
        assert (caught.value.code, change) == (code, change)


@pytest.mark.parametrize("name", PRESETS)
def test_no_symmetric_or_foreign_algorithm(name):
    """A preset accepts exactly the algorithms that its provider signs with."""
    one = PRESETS[name]
    assert one.algorithm in one.provider.algorithms
    assert "ES256K" not in one.provider.algorithms


def test_every_preset_is_in_the_table():
    """Each factory beyond the documented five has a token and similar tokens here."""
    factories = {name for name in providers.__all__ if name.islower()}
    assert {name for name in factories if not name.startswith(FIVE)} == set(PRESETS)


@pytest.mark.parametrize(
    ("name", "locations"),
    [
        ("clerk", (BEARER, Cookie("__session"))),
        ("descope", (BEARER, Cookie("DS"))),
        (
            "cloudflare_access",
            (Header("Cf-Access-Jwt-Assertion"), Cookie("CF_Authorization")),
        ),
        ("auth0", (BEARER,)),
    ],
)
def test_the_locations_of_tokens(name, locations):
    """A provider with its own cookie or header is read there."""
    assert PRESETS[name].provider.locations == locations


def _cognito(**options: Any) -> Provider:
    return providers.cognito_id(POOL, client_id="c", **options)


def _actions(**options: Any) -> Provider:
    return providers.github_actions(**{"repository": "acme/shop", "audience": "a", **options})


def _clerk(**options: Any) -> Provider:
    return providers.clerk(
        "clerk.example.com", **{"authorized_parties": "https://app.example.com", **options}
    )


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("domain", lambda: providers.auth0("https://acme.eu.auth0.com", audience="a")),
        ("issuer", lambda: providers.okta("https://acme.okta.com", audience="a")),
        ("issuer", lambda: providers.okta("acme.okta.com/oauth2/default", audience="a")),
        ("user_pool_id", lambda: providers.cognito_access("Ab12Cd34E", client_id="c")),
        ("region", lambda: providers.cognito_id(POOL, client_id="c", region="x/y")),
        ("client_id", lambda: providers.cognito_access(POOL, client_id=())),
        ("tenant", lambda: providers.entra("acme.onmicrosoft.com", audience="a")),
        ("tenant", lambda: providers.entra("common", audience="a")),
        (
            "allowed_tenants",
            lambda: providers.entra_multi_tenant(audience="a", allowed_tenants=()),
        ),
        (
            "allowed_tenants",
            lambda: providers.entra_multi_tenant(audience="a", allowed_tenants=["acme.com"]),
        ),
        ("client_id", lambda: providers.google("")),
        ("project_id", lambda: providers.firebase("https://my-project")),
        ("realm", lambda: providers.keycloak("https://id.example.com", "a/b", audience="a")),
        ("base_url", lambda: providers.keycloak("id.example.com", "a", audience="a")),
        ("base_url", lambda: providers.keycloak("https://id.test/realms/a", "a", audience="a")),
        ("frontend_api", lambda: providers.clerk("https://c.example", authorized_parties="a")),
        ("authorized_parties", lambda: providers.clerk("c.example", authorized_parties=())),
        ("project_ref", lambda: providers.supabase("abc.supabase.co")),
        ("client_id", lambda: providers.workos("../x")),
        ("project_id", lambda: providers.descope("P/2")),
        ("subdomain", lambda: providers.kinde("acme.kinde.com", audience=providers.UNCHECKED)),
        ("endpoint", lambda: providers.logto("acme.logto.app", audience="a")),
        ("domain", lambda: providers.zitadel("https://z.cloud", audience="a")),
        ("issuer", lambda: providers.ory_hydra("hydra", audience="a")),
        ("team", lambda: providers.cloudflare_access("acme.cloudflareaccess.com", audience="a")),
        ("repository", lambda: providers.github_actions(repository="acme/*", audience="a")),
        ("repository", lambda: providers.github_actions(repository="acme", audience="a")),
        ("project_path", lambda: providers.gitlab(audience="a", project_path="acme")),
        ("host", lambda: providers.gitlab("https://gitlab.com", audience="a", project_path="a/b")),
        ("issuer", lambda: providers.kubernetes("kubernetes/serviceaccount", audience="a")),
        (
            "api_server",
            lambda: providers.kubernetes("https://k.example", audience="a", api_server=None),
        ),
        ("region", lambda: _cognito(region=("eu-west-1", None))),
        ("region", lambda: _cognito(region=())),
        ("project_id", lambda: providers.descope("P" + "-" * 40)),
        ("base_url", lambda: providers.descope("P2abc", base_url="auth.example.com")),
        ("authorized_parties", lambda: providers.google(GOOGLE, authorized_parties="")),
        ("authorized_parties", lambda: providers.google(GOOGLE, authorized_parties=None)),
        ("authorized_parties", lambda: providers.google(GOOGLE, authorized_parties=())),
        ("max_age", lambda: providers.hanko_passkeys("t", relying_party_id="a.b", max_age=None)),
        ("max_age", lambda: providers.hanko_passkeys("t", relying_party_id="a.b", max_age=-1)),
        ("tenant", lambda: providers.firebase("my-project", tenant=None)),
        ("version", lambda: providers.entra(TENANT, audience="a", version="3.0")),
        (
            "require_scp_or_roles",
            lambda: providers.entra(TENANT, audience="a", require_scp_or_roles=None),
        ),
        ("policy", lambda: providers.entra_b2c("c", TENANT, policy="a/b", audience="a")),
        ("tenant", lambda: providers.entra_b2c("c", "contoso", policy="p", audience="a")),
        ("subdomain", lambda: providers.entra_external_id("c.com", TENANT, audience="a")),
        ("owner", lambda: _actions(owner="acme/*")),
        ("owner", lambda: _actions(owner=None)),
        ("repository_id", lambda: _actions(repository_id="acme/shop")),
        ("repository_id", lambda: _actions(repository_id="")),
        ("enterprise", lambda: _actions(enterprise=None)),
        ("enterprise", lambda: _actions(enterprise="a/b")),
        ("enterprise", lambda: _actions(enterprise="acme", host="github.example.com")),
        ("host", lambda: _actions(host="https://github.example.com")),
        ("group", lambda: providers.gitlab(audience="a", project_path="a/b", group="a/")),
        ("project_id", lambda: providers.gitlab(audience="a", project_path="a/b", project_id="x")),
        ("host", lambda: providers.gitlab("a.example/../x", audience="a", project_path="a/b")),
        ("host", lambda: providers.gitlab("a.example/?x", audience="a", project_path="a/b")),
        ("host", lambda: providers.gitlab("u@a.example", audience="a", project_path="a/b")),
        ("require_azp", lambda: _clerk(require_azp="no")),
        ("authorized_parties", lambda: providers.clerk("c.example", authorized_parties="")),
        ("domain", lambda: providers.workos("client_1", domain="a/b")),
        ("domain", lambda: providers.supabase("abc", domain="https://a.example")),
        ("slug", lambda: providers.authentik("https://a.example", "a/b", audience="a")),
    ],
)
def test_a_wrong_identifier_is_refused(field, make):
    """An application's identifier is checked when the preset is made, and the error names it."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.field == field


def test_a_region_can_be_given():
    """A pool whose id does not begin with its region still has a region."""
    provider = providers.cognito_id(POOL, client_id="c", region="us-east-2")
    assert provider.issuer == (
        f"https://cognito-idp.us-east-2.amazonaws.com/{POOL}",
        f"https://issuer-cognito-idp.us-east-2.amazonaws.com/{POOL}",
    )


def test_a_callable_can_decide_the_tenants():
    """An application whose tenants change can decide with a function."""
    provider = providers.entra_multi_tenant(audience="a", allowed_tenants=lambda tid: tid == TENANT)
    assert isinstance(provider.issuer, IssuerTemplate)
    assert provider.issuer.allows(TENANT)
    assert not provider.issuer.allows(OTHER)


# Recorded key sets of these providers, in the outside vectors.
RECORDED = {
    "auth0": ["auth0-java.json", "auth0-keats.json", "auth0-pyjwt.json", "fz-auth0.json"],
    "okta": ["fz-okta.json"],
    "google": ["fz-google.json", "google-jaconi.json", "ms-google-2024.json", "wk-google.json"],
    "entra_multi_tenant": ["wk-entra-common.json", "ms-aad-2024a.json", "ms-aad-2024b.json"],
    "keycloak": ["fz-keycloak.json", "keycloak-agentgw.json"],
    "gitlab": ["wk-gitlab.json"],
}


@pytest.mark.collection("jwks-realworld")
@pytest.mark.parametrize(
    ("name", "file"), [(name, file) for name, files in RECORDED.items() for file in files]
)
def test_recorded_key_sets_fit(vectors, name, file):
    """Every usable key that the provider really published fits an algorithm of its preset."""
    document = (vectors / "jwks-realworld" / file).read_bytes()
    one = PRESETS[name]
    idp = FakeProvider(clock=CLOCK).as_provider(one.provider)
    idp.fail(document)  # publish exactly these octets
    keys = list(idp.client().keys())
    assert keys
    for key in keys:
        assert not key.algorithms.isdisjoint(one.provider.algorithms)
