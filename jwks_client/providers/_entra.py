"""Microsoft Entra ID: version 2.0 tokens of one tenant, or of many."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Unpack

from .._core import settings
from .._core.provider import IssuerTemplate, Provider
from .._core.unchecked import Unchecked
from ..errors import ConfigurationError
from ._make import make
from ._options import OptionsBesideAudience

__all__ = ["entra", "entra_multi_tenant"]

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOGIN: Final = "https://login.microsoftonline.com"


def entra(
    tenant: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Version 2.0 tokens of one Entra ID tenant.

    Arguments:
        tenant: the tenant's id, a GUID in lower case. Its domain does not stand in tokens.
        audience: your application's client id.
        options: any other field of `Provider`.

    Checked against: AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet, MS Learn.
    Not known: which version you get. The *API's* app manifest decides
    (``requestedAccessTokenVersion: 2``), not the endpoint; version 1 tokens name another issuer and
    are refused. Tokens for Microsoft Graph can be verified by Graph alone. An application with
    custom signing keys needs ``jwks_url=`` with its ``?appid=``.
    """
    tenant = _guid("tenant", tenant)
    return make(
        options,
        name="entra",
        jwks_url=f"{_LOGIN}/{tenant}/discovery/v2.0/keys",
        issuer=f"{_LOGIN}/{tenant}/v2.0",
        audience=audience,
        algorithms=("RS256",),
        claim_values={"tid": tenant},
    )


def entra_multi_tenant(
    *,
    audience: str | tuple[str, ...] | Unchecked,
    allowed_tenants: Collection[str] | Callable[[str], bool],
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Version 2.0 tokens of those Entra ID tenants that the application allows.

    The key set is shared by all tenants, so the tenant is checked three times: ``tid`` is allowed,
    ``iss`` is that tenant's, and so is the key's own ``issuer``.

    Arguments:
        audience: your application's client id.
        allowed_tenants: tenant ids (GUIDs in lower case), or a callable that accepts one by
            returning exactly True.
        options: any other field of `Provider`.

    Checked against: as for `entra`.
    Not known: as for `entra`.
    """
    if not callable(allowed_tenants):
        several = settings.names("allowed_tenants", allowed_tenants, at_least=1)
        allowed_tenants = tuple(_guid("allowed_tenants", one) for one in several)
    return make(
        options,
        name="entra_multi_tenant",
        jwks_url=f"{_LOGIN}/common/discovery/v2.0/keys",
        issuer=IssuerTemplate(f"{_LOGIN}/{{tid}}/v2.0", allowed=allowed_tenants),
        audience=audience,
        algorithms=("RS256",),
    )


def _guid(field: str, value: str) -> str:
    if not _GUID.fullmatch(settings.text(field, value)):
        raise ConfigurationError(field, "takes a tenant id: a GUID in lower case, no domain")
    return value
