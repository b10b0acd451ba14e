"""Logto: access tokens for an API resource."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import base_url
from ._make import make
from ._options import OptionsBesideAudience

__all__ = ["logto"]


def logto(
    endpoint: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Access tokens of a Logto tenant.

    Arguments:
        endpoint: such as ``https://acme.logto.app``.
        audience: the API resource's indicator, or ``urn:logto:organization:{id}``.
        options: any other field of `Provider`.

    Checked against: logto-io/logto's constants, Logto's documentation.
    Not known: a client that asks for no resource gets an opaque token.
    """
    site = base_url("endpoint", endpoint, allow_http=options.get("allow_http", False))
    return make(
        options,
        name="logto",
        jwks_url=f"{site}/oidc/jwks",
        issuer=f"{site}/oidc",
        audience=audience,
        algorithms=("ES384", "RS256"),
    )
