"""Any provider, by the URL of its key set or by its metadata."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from .._core.keysets.discovery import OPENID_PATH
from .._core.provider import DEFAULT_ALGORITHMS, IssuerTemplate, Provider
from .._core.unchecked import Unchecked
from ._identifiers import base_url as base
from ._make import make
from ._options import OptionsExceptAlgorithms, OptionsExceptUrl

__all__ = ["generic", "oidc"]


def generic(
    jwks_url: str,
    *,
    issuer: str | tuple[str, ...] | IssuerTemplate | Unchecked,
    audience: str | tuple[str, ...] | Unchecked,
    algorithms: Collection[str] = DEFAULT_ALGORITHMS,
    **options: Unpack[OptionsExceptUrl],
) -> Provider:
    """Return the provider of tokens whose key set is at a known URL.

    Arguments:
        jwks_url: the URL of the key set; https, or http on loopback.
        issuer: the accepted ``iss``, exactly; ``UNCHECKED`` accepts any.
        audience: the accepted ``aud``; ``UNCHECKED`` accepts any.
        algorithms: the accepted ``alg``; name the one that your provider uses.
        options: any other field of `Provider`.

    Limits: every kind of token that the keys sign is accepted. If there are several (ID tokens,
    refresh tokens, webhooks), distinguish them with ``token_types``, ``required_claims`` or
    ``claim_values``.
    """
    return make(
        options,
        name="generic",
        jwks_url=jwks_url,
        issuer=issuer,
        audience=audience,
        algorithms=algorithms,
    )


def oidc(
    issuer: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    algorithms: Collection[str] = DEFAULT_ALGORITHMS,
    **options: Unpack[OptionsExceptAlgorithms],
) -> Provider:
    """Return the provider of tokens of an issuer that publishes metadata.

    The metadata is that of OpenID Connect Discovery 1.0, section 4, or of RFC 8414, section 3, if
    the former is not found.

    Arguments:
        issuer: the issuer's URL, exactly as in its tokens, with its trailing slash if it has one.
        audience: the accepted ``aud``; ``UNCHECKED`` accepts any.
        algorithms: the accepted ``alg``; what the metadata announces neither widens nor narrows it.
        options: any other field of `Provider`.

    Limits: as for `generic`.
    """
    url = base("issuer", issuer, options)
    return make(
        options,
        name="oidc",
        discovery_url=f"{url}{OPENID_PATH}",
        issuer=issuer,
        audience=audience,
        algorithms=algorithms,
    )
