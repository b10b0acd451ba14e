"""Amazon Cognito user pools: access tokens, which have no audience, and ID tokens."""

from __future__ import annotations

import re
from typing import Any, Final, TypedDict, Unpack

from .._core import settings
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..errors import ConfigurationError
from ._identifiers import allowed
from ._make import make
from ._options import ProviderOptions

__all__ = ["cognito_access", "cognito_id"]

_POOL: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9]+)_[A-Za-z0-9]+")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+")


def cognito_access(
    user_pool_id: str,
    *,
    client_id: str | tuple[str, ...] | Unchecked,
    region: str | tuple[str, ...] | None = None,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Return the provider of access tokens of a Cognito user pool.

    Cognito's access tokens have no audience; ``client_id`` is checked instead. Both issuers of a
    pool are accepted, the original one (``cognito-idp.…``) and the updated one
    (``issuer-cognito-idp.…``). ID tokens are refused by ``token_use``.

    Arguments:
        user_pool_id: such as ``eu-west-1_Ab12Cd34E``.
        client_id: the app client, or several, whose tokens are accepted. ``UNCHECKED`` accepts
            those of every app client of the pool.
        region: the pool's region; None takes it from the pool's id. For a pool with replicas, give
            all regions, the primary one first; their issuers are accepted as well.
        options: any other field of `Provider`.

    Limits: a revoked token, or a token of a disabled user, stays valid until it expires. The key
    set is that of the original issuer; AWS serves the same keys at the updated one (``jwks_url=``).
    Checked against: docs.aws.amazon.com API_IssuerConfigurationType and CreateUserPoolReplica,
    2026-11-29; awslabs/aws-jwt-verify, 2026-11-25.
    """
    clients = allowed("client_id", client_id)
    values: dict[str, Any] = {"token_use": "access"}
    if clients is not UNCHECKED:
        values["client_id"] = clients
    return make(
        options,
        name="cognito_access",
        **_pool(user_pool_id, region),
        audience=UNCHECKED,
        claim_values=values,
    )


def cognito_id(
    user_pool_id: str,
    *,
    client_id: str | tuple[str, ...] | Unchecked,
    region: str | tuple[str, ...] | None = None,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Return the provider of ID tokens of a Cognito user pool; access tokens are refused.

    Arguments:
        user_pool_id: as for `cognito_access`.
        client_id: the app client, or several; the ``aud``. ``UNCHECKED`` accepts the tokens of
            every app client of the pool.
        region: as for `cognito_access`.
        options: any other field of `Provider`.

    Limits: as for `cognito_access`.
    Checked against: as for `cognito_access`.
    """
    return make(
        options,
        name="cognito_id",
        **_pool(user_pool_id, region),
        audience=restriction("client_id", client_id),
        claim_values={"token_use": "id"},
    )


class _Pool(TypedDict):
    jwks_url: str
    issuer: tuple[str, ...]
    algorithms: tuple[str, ...]


def _pool(user_pool_id: str, region: str | tuple[str, ...] | None) -> _Pool:
    known = _POOL.fullmatch(settings.text("user_pool_id", user_pool_id, longest=55))
    if known is None:
        raise ConfigurationError(
            "user_pool_id", "must be the id of a user pool, such as eu-west-1_Ab12Cd34E"
        )
    regions = (known[1],) if region is None else settings.one_or_more("region", region)
    if not all(_REGION.fullmatch(one) for one in regions):
        raise ConfigurationError("region", "must be the name of a region, such as eu-west-1")
    issuers = [
        f"https://{prefix}cognito-idp.{one}.amazonaws.com/{user_pool_id}"
        for one in regions
        for prefix in ("", "issuer-")
    ]
    return {
        "jwks_url": f"{issuers[0]}/.well-known/jwks.json",
        "issuer": tuple(issuers),
        "algorithms": ("RS256",),
    }
