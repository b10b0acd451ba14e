"""Logto: access tokens for an API resource."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import base_url
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["logto"]


def logto(
    endpoint: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of a Logto tenant.

    Logto signs access tokens as type ``at+jwt``. ID tokens have another type and are refused, even
    if the audience matches.

    Arguments:
        endpoint: such as ``https://acme.logto.app``, with the port and path of your installation if
            it has them.
        audience: the API resource's indicator, or ``urn:logto:organization:{id}``.
        options: any other field of `Provider`; ``token_types=`` if your tokens have another type.

    Limits: a client that requests no resource gets an opaque token, which cannot be verified here.
    Checked against: panva/node-oidc-provider lib/models/formats/jwt.js, on which Logto is built,
    and docs.logto.io/authorization/validate-access-tokens, 2026-11-29; logto-io/logto's constants,
    2026-11-25.
    """
    site = base_url("endpoint", endpoint, options)
    return make(
        options,
        name="logto",
        jwks_url=f"{site}/oidc/jwks",
        issuer=f"{site}/oidc",
        audience=audience,
        algorithms=("ES384", "RS256"),
        token_types=("at+jwt",),
    )
