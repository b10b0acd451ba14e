"""Kubernetes: service account tokens."""

from __future__ import annotations

from typing import Final, Unpack

from .._core import settings
from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._checks import ClaimPrefix
from ._identifiers import base_url
from ._make import make
from ._options import OptionsBesideIssuer

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
    **options: Unpack[OptionsBesideIssuer],
) -> Provider:
    """Return the provider of projected service account tokens of a cluster.

    The keys are found through the issuer's metadata, because managed clusters (EKS, GKE) publish
    them outside the API server. Legacy tokens of secrets have another issuer and are refused, as
    are the tokens of nodes and users (``sub``).

    Arguments:
        issuer: the cluster's issuer URL (``--service-account-issuer``), exactly as in its tokens.
        audience: the audience that the pod asks for in its projected volume.
        api_server: fetch the keys without metadata from ``{issuer}/openid/v1/jwks``, where the
            issuer is the API server itself. The metadata of some clusters names a private address,
            which is never fetched: this is the way out, or ``jwks_url=``.
        options: any other field of `Provider`. The API server wants credentials by default:
            ``headers=`` with a callable that reads the mounted token.
            ``claim_values={"sub": "system:serviceaccount:{ns}:{name}"}`` for one account.

    Not known: that the pod or the account is gone; only a TokenReview knows.
    Checked against: kubernetes/kubernetes and its documentation of service account issuer
    discovery, 2026-11-25; kubernetes/enhancements keps/sig-auth/1393-oidc-discovery, 2026-11-29.
    """
    site = base_url("issuer", issuer, allow_http=options.get("allow_http", False))
    direct = settings.flag("api_server", api_server)
    return make(
        options,
        name="kubernetes",
        jwks_url=f"{site}/openid/v1/jwks" if direct else None,
        discovery_url=None if direct else f"{site}/.well-known/openid-configuration",
        issuer=issuer,
        audience=audience,
        algorithms=_ALGORITHMS,
        checks=(ClaimPrefix("sub", "system:serviceaccount:"),),
    )
