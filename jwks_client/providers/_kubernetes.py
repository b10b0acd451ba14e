"""Kubernetes: service account tokens."""

from __future__ import annotations

from typing import Final, Unpack

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
    **options: Unpack[OptionsBesideIssuer],
) -> Provider:
    """Projected service account tokens of a cluster.

    Arguments:
        issuer: the cluster's issuer URL (``--service-account-issuer``).
        audience: what the pod asks for in its projected volume.
        options: any other field of `Provider`. The key set is asked for at
            ``{issuer}/openid/v1/jwks``; ``jwks_url=`` says otherwise. The API server wants
            credentials by default: ``headers=`` with a callable that reads the mounted token.
            ``claim_values={"sub": "system:serviceaccount:{ns}:{name}"}`` for one account.

    Checked against: kubernetes/kubernetes, the documentation of service account issuer discovery.
    Not known: that the pod or the account is gone; only a TokenReview knows.
    """
    site = base_url("issuer", issuer, allow_http=options.get("allow_http", False))
    return make(
        options,
        name="kubernetes",
        jwks_url=f"{site}/openid/v1/jwks",
        issuer=issuer,
        audience=audience,
        algorithms=_ALGORITHMS,
        checks=(ClaimPrefix("sub", "system:serviceaccount:"),),
    )
