"""Descope: session tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ._checks import ClaimIsNot
from ._identifiers import segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["descope"]


def descope(project_id: str, **options: Unpack[ProviderOptions]) -> Provider:
    """Session tokens of a Descope project; refresh tokens, signed by the same keys, are refused.

    They are looked for in the Authorization header, then in the cookie ``DS``.

    Arguments:
        project_id: ``P…``; it stands in the key set's URL and in the issuer.
        options: any other field of `Provider`; ``audience=`` if your tokens have one.

    Checked against: descope/python-sdk, and for the issuers repositories of integrators.
    Not known: agentic applications, which have an issuer and a key set of their own: use `oidc`.
    """
    project = segment("project_id", project_id, "the project id")
    site = "https://api.descope.com"
    return make(
        options,
        name="descope",
        jwks_url=f"{site}/v2/keys/{project}",
        issuer=(project, f"{site}/{project}", f"{site}/v1/apps/{project}"),
        audience=UNCHECKED,
        algorithms=("RS256",),
        checks=(ClaimIsNot("drn", "DSR"),),
        locations=(BEARER, Cookie("DS")),
    )
