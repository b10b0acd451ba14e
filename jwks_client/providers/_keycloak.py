"""Keycloak: access tokens of a realm."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ..errors import ConfigurationError
from ._identifiers import base_url as base
from ._identifiers import segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["keycloak"]


def keycloak(
    base_url: str,
    realm: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of a Keycloak realm.

    ID, refresh and logout tokens, which the same keys sign, are refused by the claim ``typ``.

    Arguments:
        base_url: the URL of Keycloak, such as ``https://id.example.com``, with the port and path of
            your installation.
        realm: the realm's name.
        audience: a client id that an audience mapper adds to ``aud``. Without a mapper, ``aud`` is
            ``account`` or absent; ``UNCHECKED`` accepts the tokens of every client of the realm.
        options: any other field of `Provider`; ``claim_values={"azp": "my-client"}`` for one
            client.

    Limits: roles are not scopes. They are in the claims ``realm_access`` and ``resource_access``;
    ``scope_claim=`` with a callable turns them into scopes.
    Checked against: keycloak/keycloak issues 14794 and 15114, jpadilla/pyjwt issue 722,
    2026-11-25.
    """
    if isinstance(base_url, str) and "/realms/" in base_url:
        raise ConfigurationError(
            "base_url", "must be the URL of Keycloak, without /realms/ and the realm"
        )
    name = segment("realm", realm, "the realm's name", dots=True)
    issuer = f"{base('base_url', base_url, options)}/realms/{name}"
    return make(
        options,
        name="keycloak",
        jwks_url=f"{issuer}/protocol/openid-connect/certs",
        issuer=issuer,
        audience=audience,
        claim_values={"typ": "Bearer"},
    )
