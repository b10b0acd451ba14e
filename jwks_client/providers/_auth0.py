"""Auth0: access tokens for an API."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import host
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["auth0"]


def auth0(
    domain: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of an Auth0 tenant for one of its APIs.

    Only the audience distinguishes ID tokens and the tokens of other APIs, so if ``audience`` is an
    application's client id, ID tokens are accepted.

    Arguments:
        domain: the tenant's or your custom domain, a bare host such as ``acme.eu.auth0.com``.
        audience: the API's identifier.
        options: any other field of `Provider`; ``scope_claim="permissions"`` for an API with
            role-based access control.

    Limits: a client that requests no audience gets an opaque token, which cannot be verified here.
    Checked against: auth0.com/docs (tokens, signing keys), auth0/node-oauth2-jwt-bearer,
    2026-11-25.
    """
    site = f"https://{host('domain', domain, 'the domain of the tenant')}"
    return make(
        options,
        name="auth0",
        jwks_url=f"{site}/.well-known/jwks.json",
        issuer=f"{site}/",
        audience=audience,
        algorithms=("RS256", "PS256"),
    )
