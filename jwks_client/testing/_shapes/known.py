"""Facts about particular providers: their kids, and the contents of their tokens and key sets.

Other facts are in the factories of ``providers`` (URLs, issuers, algorithms, required claims). The
sources are those that each factory names. Unknown facts are not made up: keys are then called
``key-1``, and callers provide the claims. Must not depend on how tokens are made.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, cast

from ... import IssuerTemplate, Provider, providers
from ..._core.encoding import to_base64url
from ..._core.unchecked import UNCHECKED
from .shape import Shape, demanded_by

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["algorithm_of", "named", "shape_of"]

_USER: Final = "0a1b2c3d-0000-4000-8000-000000000002"
_SESSION: Final = "https://stytch.com/session"
_ENTRA_KEYS: Final = "https://login.microsoftonline.com/{tenantid}/v2.0"
_ORGANIZATION: Final = "https://stytch.com/organization"

# Made-up identifiers, for callers that name a provider without arguments.
_YOURS: Final[Mapping[str, Mapping[str, object]]] = {
    "asgardeo": {"organization": "acme", "audience": "client-1"},
    "auth0": {"domain": "acme.eu.auth0.com", "audience": "https://api.example.com"},
    "authentik": {"base_url": "https://id.example.com", "slug": "shop", "audience": "client-1"},
    "clerk": {
        "frontend_api": "clerk.example.com",
        "authorized_parties": "https://app.example.com",
    },
    "cloudflare_access": {"team": "acme", "audience": "0a1b2c3d" * 8},
    "cognito_access": {"user_pool_id": "eu-west-1_Ab12Cd34E", "client_id": "client-1"},
    "cognito_id": {"user_pool_id": "eu-west-1_Ab12Cd34E", "client_id": "client-1"},
    "descope": {"project_id": "P2abcdef"},
    "entra": {"tenant": "11111111-2222-4333-8444-555555555555", "audience": "client-1"},
    "entra_b2c": {
        "tenant_name": "contoso",
        "tenant": "11111111-2222-4333-8444-555555555555",
        "policy": "B2C_1_signin",
        "audience": "client-1",
    },
    "entra_external_id": {
        "subdomain": "contoso",
        "tenant": "11111111-2222-4333-8444-555555555555",
        "audience": "client-1",
    },
    "entra_multi_tenant": {
        "audience": "client-1",
        "allowed_tenants": ["11111111-2222-4333-8444-555555555555"],
    },
    "firebase": {"project_id": "my-project"},
    "generic": {
        "jwks_url": "https://idp.example.com/jwks",
        "issuer": "https://idp.example.com",
        "audience": "api",
    },
    "github_actions": {"repository": "acme/shop", "audience": "https://github.com/acme"},
    "gitlab": {"project_path": "acme/shop", "audience": "https://api.example.com"},
    "google": {"client_id": "client-1.apps.googleusercontent.com"},
    "hanko": {"api_url": f"https://{_USER}.hanko.io", "audience": "https://app.example.com"},
    "hanko_passkeys": {"tenant_id": _USER, "relying_party_id": "example.com"},
    "hanko_passkeys_transaction": {"tenant_id": _USER, "relying_party_id": "example.com"},
    "keycloak": {"base_url": "https://id.example.com", "realm": "acme", "audience": "api"},
    "kinde": {"subdomain": "acme", "audience": "https://api.example.com"},
    "kubernetes": {"issuer": "https://kubernetes.default.svc", "audience": "api"},
    "logto": {"endpoint": "https://acme.logto.app", "audience": "https://api.example.com"},
    "oidc": {"issuer": "https://idp.example.com", "audience": "api"},
    "okta": {"issuer": "https://acme.okta.com/oauth2/default", "audience": "api://default"},
    "ory_hydra": {"issuer": "https://hydra.example.com/", "audience": "api"},
    "prelude": {"app_id": "app1"},
    "prelude_step_up": {"app_id": "app1"},
    "stytch": {"project_id": "project-test-0a1b2c3d"},
    "stytch_b2b": {"project_id": "project-test-0a1b2c3d"},
    "stytch_connected_app": {"project_id": "project-test-0a1b2c3d"},
    "stytch_m2m": {"project_id": "project-test-0a1b2c3d"},
    "supabase": {"project_ref": "abcdefghijklmnop"},
    "workos": {"client_id": "client_01ABC"},
    "wso2": {"audience": "client-1"},
    "zitadel": {"domain": "acme.zitadel.cloud", "audience": "project-1"},
}

# The algorithm of each provider according to its documentation or source; otherwise RS256.
_ALGORITHMS: Final = {
    "logto": "ES384",
    "prelude": "EdDSA",
    "prelude_step_up": "EdDSA",
    "supabase": "ES256",
}


def named(name: str, arguments: tuple[object, ...], options: Mapping[str, object]) -> Provider:
    """Return a factory's provider, with made-up identifiers for missing arguments.

    An unknown name is a ValueError that lists the known ones, an unknown option a TypeError, a
    wrong value a `ConfigurationError`.
    """
    if name not in _YOURS:
        raise ValueError(f"which must be one of {', '.join(_YOURS)}, got {name!r}")
    factory = cast("Callable[..., Provider]", getattr(providers, name))
    own = dict(inspect.signature(factory).bind_partial(*arguments).arguments)
    given = {**own, **options}
    if given.keys() & {"app_id", "domain"} and name.startswith("prelude"):
        return factory(**given)  # one of the two names the host
    return factory(**{**_YOURS[name], **given})


def algorithm_of(name: str) -> str:
    """Return the default algorithm of a provider."""
    return _ALGORITHMS.get(name, "RS256")


def shape_of(provider: Provider) -> Shape:
    """Return a shape whose tokens ``provider`` accepts, with the facts known about its name."""
    make = _KNOWN.get(provider.name)
    return demanded_by(provider, make(provider) if make else None)


# Kids. A number always has the same kid, so that a second provider can forge tokens.


def _uuid_kid(number: int, _algorithm: str) -> str:
    digest = hashlib.sha256(f"key {number}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _wso2_kid(number: int, algorithm: str) -> str:
    digest = hashlib.sha256(f"certificate {number}".encode()).hexdigest()
    return f"{to_base64url(digest.encode())}_{algorithm}"


# Providers.


def _hanko(_: Provider) -> Shape:
    return Shape(
        audience_is_list=True,
        subject=_USER,
        claims={
            "session_id": "0a1b2c3d-0000-4000-8000-000000000001",
            "email": {"address": "u1@example.com", "is_primary": True, "is_verified": True},
            "amr": ["passkey"],
        },
        kid=_uuid_kid,
        answer_headers={"Cache-Control": "max-age=600", "Content-Type": "application/json"},
    )


def _hanko_passkeys(_: Provider) -> Shape:
    return Shape(
        audience_is_list=True,
        claims={"cred": "Y3JlZGVudGlhbC0x"},
        kid=_uuid_kid,
        answer_headers={"Cache-Control": "max-age=600", "Content-Type": "application/json"},
    )


def _prelude(_: Provider) -> Shape:
    return Shape(
        subject="usr_u1",
        claims={"jti": "0a1b2c3d-0000-4000-8000-000000000001", "sid": "session-1"},
        dated={"nbf": 0},
    )


def _stytch(subject: str, **claims: object) -> Callable[[Provider], Shape]:
    def make(provider: Provider) -> Shape:
        stage = "live" if str(provider.audience).startswith("project-live-") else "test"
        return Shape(
            audience_is_list=True,
            subject=subject,
            claims=claims,
            dated={"nbf": 0},
            kid=lambda number, algorithm: f"jwk-{stage}-{_uuid_kid(number, algorithm)}",
            key_members=_certified,
            document_members={"request_id": f"request-id-{stage}-{_USER}", "status_code": 200},
        )

    return make


def _certified(key: SigningKey) -> Mapping[str, object]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .._keys.certificates import self_signed

    if not isinstance(key.private, RSAPrivateKey):  # an algorithm that Stytch does not use
        return {"key_ops": ["verify"]}
    certificate = self_signed(key.private)
    thumbprint = hashlib.sha256(certificate).digest()
    return {
        "key_ops": ["verify"],
        "x5c": [base64.b64encode(certificate).decode()],
        "x5tS256": base64.b64encode(thumbprint).decode(),  # with Stytch's spelling and padding
    }


def _wso2(provider: Provider) -> Shape:
    audience = provider.audience
    client = audience[0] if isinstance(audience, tuple) else audience
    if client is UNCHECKED:
        client = "client-1"
    return Shape(
        audience_is_list=True,
        typ="at+jwt",
        claims={
            "azp": client,
            "client_id": client,
            "aut": "APPLICATION_USER",
            "jti": "0a1b2c3d-0000-4000-8000-000000000001",
        },
        dated={"nbf": 0},
        kid=_wso2_kid,
    )


def _entra(provider: Provider) -> Shape:
    issuer = provider.issuer
    first = isinstance(issuer, IssuerTemplate) and issuer.template.startswith("https://sts.")
    version, key_issuer = ("1.0", None) if first else ("2.0", _ENTRA_KEYS)
    return Shape(
        claims={"ver": version},
        scope_claim="scp",
        key_members=lambda _: {"alg": None, "issuer": key_issuer},
    )


def _keycloak(_: Provider) -> Shape:
    def encryption_key(borrower: object) -> list[Mapping[str, object]]:
        from .._keys.signing_key import make_key

        members = make_key("RS256", "key-for-encryption", borrower=borrower).jwk()
        return [{**members, "use": "enc", "alg": "RSA-OAEP"}]

    return Shape(other_keys=encryption_key)


_KNOWN: Final[Mapping[str, Callable[[Provider], Shape]]] = {
    "asgardeo": _wso2,
    "auth0": lambda _: Shape(claims={"azp": "client-1"}),
    "cloudflare_access": lambda _: Shape(
        audience_is_list=True,
        kid=lambda number, _: hashlib.sha256(f"key {number}".encode()).hexdigest(),
    ),
    "entra": _entra,
    "entra_external_id": lambda _: Shape(claims={"ver": "2.0"}, scope_claim="scp"),
    "entra_multi_tenant": _entra,
    "gitlab": lambda _: Shape(dated={"nbf": -5}),
    "hanko": _hanko,
    "hanko_passkeys": _hanko_passkeys,
    "hanko_passkeys_transaction": _hanko_passkeys,
    "keycloak": _keycloak,
    "kinde": lambda _: Shape(audience_is_list=True, scope_claim="scp", scopes_are_list=True),
    "kubernetes": lambda _: Shape(audience_is_list=True, subject="default:app"),
    "okta": lambda _: Shape(claims={"cid": "client-1"}, scope_claim="scp", scopes_are_list=True),
    "ory_hydra": lambda _: Shape(audience_is_list=True, scope_claim="scp", scopes_are_list=True),
    "prelude": _prelude,
    "prelude_step_up": lambda _: Shape(subject="usr_u1"),
    "stytch": _stytch(
        "user-u1",
        **{_SESSION: {"id": "session-1", "attributes": {}, "roles": ["stytch_user"]}},
    ),
    "stytch_b2b": _stytch(
        "member-u1",
        **{
            _SESSION: {"id": "session-1", "attributes": {}, "roles": ["stytch_member"]},
            _ORGANIZATION: {"organization_id": "organization-1", "slug": "acme"},
        },
    ),
    "stytch_connected_app": _stytch("user-u1", jti="token-1"),
    "stytch_m2m": _stytch("m2m-client-u1"),
    "supabase": lambda _: Shape(key_members=lambda _: {"key_ops": ["verify"]}),
    "wso2": _wso2,
    "zitadel": lambda _: Shape(
        audience_is_list=True, kid=lambda number, _: str(271828182845904520 + number)
    ),
}
