"""Zitadel: JWT access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import site
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["zitadel"]


def zitadel(
    domain: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of a Zitadel instance.

    An ID token may have the same project as its audience. It is refused, because it has no ``jti``,
    unlike every JWT access token.

    Arguments:
        domain: the instance's domain, such as ``acme-1a2b3c.zitadel.cloud``, with the port of your
            installation if it has one.
        audience: the project's id, or a client id.
        options: any other field of `Provider`.

    Limits: access tokens are opaque unless the application's token type is JWT.
    Checked against: zitadel.com/docs/apis/openidoauth/claims, 2026-11-29; zitadel/zitadel,
    2026-11-25.
    """
    where = site("domain", domain, "the domain of the instance")
    return make(
        options,
        name="zitadel",
        jwks_url=f"{where}/oauth/v2/keys",
        issuer=where,
        audience=audience,
        algorithms=("RS256", "ES256", "ES384", "ES512", "EdDSA"),
        required_claims=("jti",),
    )
