"""Kubernetes: service account tokens."""

from __future__ import annotations

from typing import Final, Unpack

from .._core import settings
from .._core.keysets.discovery import OPENID_PATH
from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._checks import ClaimPrefix
from ._identifiers import base_url
from ._make import make
from ._options import OptionsExceptIssuer

__all__ = ["kubernetes"]

_ALGORITHMS: Final = (
    *("RS256", "ES256", "ES384", "ES512"),
    *("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
)


def kubernetes(
    issuer: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    api_server: bool = False,
    **options: Unpack[OptionsExceptIssuer],
) -> Provider:
    """Return the provider of projected service account tokens of a cluster.

    The keys are found through the issuer's metadata, because managed clusters (EKS, GKE) publish
    them outside the API server. Legacy tokens from secrets have another issuer and are refused; so
    are the tokens of nodes and users (by ``sub``).

    Arguments:
        issuer: the cluster's issuer URL (``--service-account-issuer``), exactly as in its tokens.
        audience: the audience that the pod requests in its projected volume.
        api_server: fetch the keys from ``{issuer}/openid/v1/jwks``, without metadata, if the issuer
            is the API server itself. Use this, or ``jwks_url=``, if the cluster's metadata names a
            private address, because such an address is never fetched.
        options: any other field of `Provider`. By default the API server requires credentials:
            give ``headers=`` a callable that reads the mounted token. To accept one account only,
            give ``claim_values={"sub": "system:serviceaccount:{ns}:{name}"}``.

    Limits: the token of a deleted pod or account stays valid until it expires; only a TokenReview
    detects this.
    Checked against: kubernetes/kubernetes and its documentation of service account issuer
    discovery, 2026-11-25; kubernetes/enhancements keps/sig-auth/1393-oidc-discovery, 2026-11-29.
    """
    site = base_url("issuer", issuer, options)
    direct = settings.flag("api_server", api_server)
    return make(
        options,
        name="kubernetes",
        jwks_url=f"{site}/openid/v1/jwks" if direct else None,
        discovery_url=None if direct else f"{site}{OPENID_PATH}",
        issuer=issuer,
        audience=audience,
        algorithms=_ALGORITHMS,
        checks=(ClaimPrefix("sub", "system:serviceaccount:"),),
    )
