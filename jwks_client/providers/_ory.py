"""Ory Hydra: JWT access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import base_url
from ._make import make
from ._options import OptionsExceptIssuer

__all__ = ["ory_hydra"]


def ory_hydra(
    issuer: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptIssuer],
) -> Provider:
    """Return the provider of access tokens of an Ory Hydra server or Ory Network project.

    Hydra writes ``client_id`` into every JWT access token, but not into ID tokens, which are
    refused. If your consent app adds a ``client_id`` to ID tokens, they cannot be distinguished.

    Arguments:
        issuer: the public URL exactly as tokens spell it, often with a slash at its end.
        audience: the audience that clients request; ``UNCHECKED`` if they request none, because
            ``aud`` is then an empty list.
        options: any other field of `Provider`.

    Limits: access tokens are opaque unless the strategy is ``jwt``.
    Checked against: ory/hydra oauth2/session.go, 2026-11-29.
    """
    site = base_url("issuer", issuer, options)
    return make(
        options,
        name="ory_hydra",
        jwks_url=f"{site}/.well-known/jwks.json",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256",),
        required_claims=("client_id",),
    )
