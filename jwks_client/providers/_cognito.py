"""Amazon Cognito user pools: access tokens, which have no audience, and ID tokens."""

from __future__ import annotations

import re
from typing import Final, TypedDict, Unpack

from .._core import settings
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ..errors import ConfigurationError
from ._make import make
from ._options import OptionsBesideAudience

__all__ = ["cognito_access", "cognito_id"]

_POOL: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9]+)_[A-Za-z0-9]+")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+")


def cognito_access(
    user_pool_id: str,
    *,
    client_id: str | tuple[str, ...],
    region: str | None = None,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Access tokens of a Cognito user pool, which are told by ``client_id``: they have no audience.

    Arguments:
        user_pool_id: such as ``eu-west-1_Ab12Cd34E``.
        client_id: the app client, or several, whose tokens are accepted.
        region: the pool's region, if its id does not say it.
        options: any other field of `Provider`.

    Checked against: awslabs/aws-jwt-verify.
    Not known: that a token was revoked, or its user disabled.
    """
    clients = settings.one_or_more("client_id", client_id)
    return make(
        options,
        name="cognito_access",
        **_pool(user_pool_id, region),
        audience=UNCHECKED,
        claim_values={"token_use": "access", "client_id": frozenset(clients)},
    )


def cognito_id(
    user_pool_id: str,
    *,
    client_id: str | tuple[str, ...],
    region: str | None = None,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """ID tokens of a Cognito user pool.

    Arguments:
        user_pool_id: as for `cognito_access`.
        client_id: the app client, or several; their ``aud``.
        region: as for `cognito_access`.
        options: any other field of `Provider`.

    Checked against: awslabs/aws-jwt-verify.
    Not known: as for `cognito_access`.
    """
    return make(
        options,
        name="cognito_id",
        **_pool(user_pool_id, region),
        audience=client_id,
        claim_values={"token_use": "id"},
    )


class _Pool(TypedDict):
    jwks_url: str
    issuer: str
    algorithms: tuple[str, ...]


def _pool(user_pool_id: str, region: str | None) -> _Pool:
    known = _POOL.fullmatch(settings.text("user_pool_id", user_pool_id, longest=55))
    if known is None:
        raise ConfigurationError(
            "user_pool_id", "takes the id of a user pool, such as eu-west-1_Ab12Cd34E"
        )
    if region is not None and not _REGION.fullmatch(settings.text("region", region, longest=32)):
        raise ConfigurationError("region", "takes the name of a region, such as eu-west-1")
    issuer = f"https://cognito-idp.{region or known[1]}.amazonaws.com/{user_pool_id}"
    return {
        "jwks_url": f"{issuer}/.well-known/jwks.json",
        "issuer": issuer,
        "algorithms": ("RS256",),
    }
