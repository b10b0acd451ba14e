"""Kinde: access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["kinde"]


def kinde(
    subdomain: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of a Kinde business.

    ID tokens and webhooks, which the same keys sign, have no ``scp`` and are refused.

    Arguments:
        subdomain: the first label of ``https://{subdomain}.kinde.com``.
        audience: an API's audience; ``UNCHECKED`` if you registered no API, because ``aud`` is then
            an empty list.
        options: any other field of `Provider`.

    Limits: a custom domain needs ``issuer=`` and ``jwks_url=``.
    Checked against: Kinde's documentation, repositories of integrators, 2026-11-25.
    """
    issuer = f"https://{segment('subdomain', subdomain, 'the subdomain')}.kinde.com"
    return make(
        options,
        name="kinde",
        jwks_url=f"{issuer}/.well-known/jwks",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256",),
        required_claims=("scp",),
    )
