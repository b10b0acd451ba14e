"""Microsoft Entra ID: tokens of one tenant or of many, of External ID and of Azure AD B2C."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Literal, Unpack

from .._core import settings
from .._core.keysets.discovery import OPENID_PATH
from .._core.provider import Check, IssuerTemplate, Provider
from .._core.unchecked import UNCHECKED, Unchecked
from ..errors import ConfigurationError
from ._checks import ClaimImplies, FirstClaim
from ._identifiers import allowed, segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["entra", "entra_b2c", "entra_external_id", "entra_multi_tenant"]

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOGIN: Final = "https://login.microsoftonline.com"
_VERSIONS: Final = ("1.0", "2.0")
_ISSUERS: Final = {"1.0": "https://sts.windows.net/{tid}/", "2.0": f"{_LOGIN}/{{tid}}/v2.0"}
_KEYS: Final = {"1.0": "discovery/keys", "2.0": "discovery/v2.0/keys"}
# Every Entra token has its version in ``ver``; only access tokens have scopes (``scp``). Roles are
# in the access tokens of applications. Microsoft.Identity.Web accepts the same claim names.
_HAS_PERMISSIONS: Final = ClaimImplies("ver", ("scp", "scope", "roles", "role"))


def entra(
    tenant: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    version: Literal["1.0", "2.0"] = "2.0",
    require_scp_or_roles: bool = True,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of one Entra ID tenant.

    The *API's* app manifest decides the version of its tokens (``requestedAccessTokenVersion``),
    not the endpoint; the version is 1.0 unless the manifest says 2. Version 1.0 tokens have the
    issuer ``https://sts.windows.net/{tenant}/``: accept them with ``version="1.0"``. An API that
    receives both needs two providers on one client, one for each version.

    An ID token has no ``scp``, and no ``roles`` unless the user was assigned app roles; without
    either it is refused. Only the audience distinguishes an ID token with ``roles``, so use
    separate registrations for the API and the web app. Tokens signed with a key of another tenant,
    or of personal accounts, are refused by the key's own ``issuer``.

    Arguments:
        tenant: the tenant's id, a GUID in lower case; tokens do not contain its domain.
        audience: your API's client id; in version 1.0 tokens also its App ID URI (``api://…``).
        version: the version of the tokens.
        require_scp_or_roles: refuse tokens with neither. False is for APIs that have their own list
            of allowed clients; it also accepts ID tokens for the same audience.
        options: any other field of `Provider`.

    Limits: tokens for Microsoft Graph can only be verified by Graph. An application with custom
    signing keys needs ``jwks_url=`` with its ``?appid=``.
    Checked against: AzureAD/microsoft-identity-web (``NeitherScopeOrRolesClaimFoundInToken``) and
    azure-activedirectory-identitymodel-extensions-for-dotnet (issuers of signing keys), 2026-11-29;
    MS Learn, 2026-11-25.
    """
    tenant = _guid("tenant", tenant)
    return make(
        options,
        name="entra",
        jwks_url=f"{_LOGIN}/{tenant}/{_KEYS[_version(version)]}",
        issuer=IssuerTemplate(_ISSUERS[version], allowed=(tenant,)),
        audience=audience,
        algorithms=("RS256",),
        checks=_permissions(required=require_scp_or_roles),
    )


def entra_multi_tenant(
    *,
    audience: str | tuple[str, ...] | Unchecked,
    allowed_tenants: Collection[str] | Callable[[str], bool] | Unchecked,
    version: Literal["1.0", "2.0"] = "2.0",
    require_scp_or_roles: bool = True,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of those Entra ID tenants that the application allows.

    All tenants share one key set, so the tenant is checked three times: ``tid`` must be allowed,
    and ``iss`` and the key's own ``issuer`` must be that tenant's. (The keys of version 1.0,
    ``sts.windows.net``, have no ``issuer``.) Other kinds of token are refused as for `entra`.

    Arguments:
        audience: as for `entra`.
        allowed_tenants: tenant ids (GUIDs in lower case), or a callable that accepts one by
            returning exactly True. ``UNCHECKED`` accepts every tenant of Entra ID, and personal
            accounts.
        version: as for `entra`.
        require_scp_or_roles: as for `entra`.
        options: any other field of `Provider`.

    Limits: as for `entra`.
    Checked against: as for `entra`.
    """
    if not callable(allowed_tenants):
        named = allowed("allowed_tenants", allowed_tenants)
        if named is UNCHECKED:
            allowed_tenants = _any_tenant
        else:
            allowed_tenants = tuple(_guid("allowed_tenants", one) for one in named)
    return make(
        options,
        name="entra_multi_tenant",
        jwks_url=f"{_LOGIN}/common/{_KEYS[_version(version)]}",
        issuer=IssuerTemplate(_ISSUERS[version], allowed=allowed_tenants),
        audience=audience,
        algorithms=("RS256",),
        checks=_permissions(required=require_scp_or_roles),
    )


def entra_external_id(
    subdomain: str,
    tenant: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    require_scp_or_roles: bool = True,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of an Entra External ID tenant (``ciamlogin.com``).

    The host of its metadata begins with the tenant's name, and its issuer with the tenant's id.
    Other kinds of token are refused as for `entra`.

    Arguments:
        subdomain: the first label of ``https://{subdomain}.ciamlogin.com``.
        tenant: the tenant's id, a GUID in lower case.
        audience: your API's client id.
        require_scp_or_roles: as for `entra`.
        options: any other field of `Provider`; ``discovery_url=`` and ``issuer=`` for a custom
            domain.

    Limits: as for `entra`.
    Checked against: the text of Microsoft's Entra documentation, 2026-11-25.
    """
    name = segment("subdomain", subdomain, "the subdomain")
    tenant = _guid("tenant", tenant)
    return make(
        options,
        name="entra_external_id",
        discovery_url=f"https://{name}.ciamlogin.com/{tenant}/v2.0{OPENID_PATH}",
        issuer=f"https://{tenant}.ciamlogin.com/{tenant}/v2.0",
        audience=audience,
        algorithms=("RS256",),
        checks=_permissions(required=require_scp_or_roles),
    )


def entra_b2c(
    tenant_name: str,
    tenant: str,
    *,
    policy: str,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of tokens of one user flow or policy of an Azure AD B2C tenant.

    Each policy has its own key set, and its name is in ``tfp`` or ``acr``: tokens of another policy
    (a password reset, say) are refused. Only the audience distinguishes ID tokens from access
    tokens, so give the API's client id, not the web app's.

    Arguments:
        tenant_name: ``contoso`` in ``contoso.b2clogin.com`` and ``contoso.onmicrosoft.com``.
        tenant: the tenant's id, a GUID in lower case.
        policy: the user flow or custom policy, such as ``B2C_1_signin``. Make one provider for each
            policy.
        audience: your API's client id.
        options: any other field of `Provider`; ``jwks_url=`` and ``issuer=`` for a custom domain.

    Limits: the policy's name is compared exactly; give it in the case in which tokens spell it.
    Checked against: MS Learn and trackers, 2026-11-25.
    """
    name = segment("tenant_name", tenant_name, "the name of the tenant")
    tenant = _guid("tenant", tenant)
    flow = segment("policy", policy, "the name of a policy")
    site = f"https://{name}.b2clogin.com"
    return make(
        options,
        name="entra_b2c",
        jwks_url=f"{site}/{name}.onmicrosoft.com/{flow}/discovery/v2.0/keys",
        issuer=(f"{site}/{tenant}/v2.0/", f"{site}/tfp/{tenant}/{flow}/v2.0/"),
        audience=audience,
        algorithms=("RS256",),
        checks=(FirstClaim(("tfp", "acr"), frozenset((flow,))),),
    )


def _any_tenant(_tenant: str) -> bool:
    return True


def _permissions(*, required: bool) -> tuple[Check, ...]:
    return (_HAS_PERMISSIONS,) if settings.flag("require_scp_or_roles", required) else ()


def _version(version: object) -> str:
    return settings.one_of("version", version, _VERSIONS)


def _guid(field: str, value: str) -> str:
    if not _GUID.fullmatch(settings.text(field, value)):
        raise ConfigurationError(
            field, "must be a tenant id: a GUID in lower case, without a domain"
        )
    return value
