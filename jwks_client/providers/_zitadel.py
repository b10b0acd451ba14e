"""Zitadel: JWT access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import host
from ._make import make
from ._options import OptionsBesideAudience

__all__ = ["zitadel"]


def zitadel(
    domain: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Access tokens of a Zitadel instance.

    Arguments:
        domain: the instance's domain, a bare host such as ``acme-1a2b3c.zitadel.cloud``.
        audience: the project's id, or a client id.
        options: any other field of `Provider`.

    Checked against: zitadel/zitadel, Zitadel's documentation.
    Not known: access tokens are opaque unless the application is set to JWT.
    """
    site = f"https://{host('domain', domain, 'the domain of the instance')}"
    return make(
        options,
        name="zitadel",
        jwks_url=f"{site}/oauth/v2/keys",
        issuer=site,
        audience=audience,
        algorithms=("RS256", "ES256", "ES384", "ES512", "EdDSA"),
    )
