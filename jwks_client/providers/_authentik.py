"""authentik: tokens of one application."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import base_url as base
from ._identifiers import segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["authentik"]


def authentik(
    base_url: str,
    slug: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of tokens of one authentik application.

    ID tokens cannot be distinguished from access tokens: both have the application's issuer, keys
    and client id. Tokens of other applications are refused by their issuer.

    Arguments:
        base_url: the URL of authentik, such as ``https://auth.example.com``, with the port and path
            of your installation.
        slug: the application's slug.
        audience: the client id.
        options: any other field of `Provider`; ``issuer=`` if the provider's issuer mode is global.

    Limits: an application without a signing key signs with its client secret (HS256); such tokens
    are refused.
    Checked against: goauthentik/authentik, 2026-11-25.
    """
    site = base("base_url", base_url, options)
    issuer = f"{site}/application/o/{segment('slug', slug, 'the slug')}/"
    return make(
        options,
        name="authentik",
        jwks_url=f"{issuer}jwks/",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256", "ES256", "ES384", "ES512"),
    )
