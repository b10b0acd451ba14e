"""Descope: session tokens."""

from __future__ import annotations

import re
from typing import Final, Unpack

from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ..errors import ConfigurationError
from ._checks import ClaimIsNot
from ._identifiers import base_url as base
from ._identifiers import segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["descope"]

_HOST: Final = "https://api.descope.com"
_REGION: Final = re.compile(r"[A-Za-z0-9]{4}")
_LONG: Final = 32  # minimum length of a project id that contains its region


def descope(
    project_id: str, *, base_url: str = _HOST, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of session tokens of a Descope project.

    The Authorization header is read before the cookie ``DS``. Refresh tokens, which the same keys
    sign, are refused by ``drn``. ID tokens of the project's OIDC applications cannot be
    distinguished from session tokens, because no source documents how they differ. If you have such
    applications, give ``audience=`` or ``claim_values=``.

    Arguments:
        project_id: ``P…``; part of the key set's URL and of the issuer. An id of 32 characters or
            more contains its region in characters 2 to 5, and the region is part of the host.
        base_url: your custom domain, ``https://auth.example.com``; by default Descope's host for
            the project's region.
        options: any other field of `Provider`; ``audience=`` if your tokens have one.

    Limits: agentic applications have a separate issuer and key set: use `oidc` for them.
    Checked against: descope/python-sdk descope/_http_client_base.py (base_url_for_project_id),
    2026-11-29; repositories of integrators for the issuers, 2026-11-25.
    """
    project = segment("project_id", project_id, "the project id")
    home = _HOST.replace("api.", f"api.{_region_of(project)}")
    site = base("base_url", base_url, options)
    site = home if site == _HOST else site
    issuers = [f"{one}/{path}{project}" for one in (home, site) for path in ("", "v1/apps/")]
    return make(
        options,
        name="descope",
        jwks_url=f"{site}/v2/keys/{project}",
        issuer=tuple(dict.fromkeys((project, *issuers))),
        audience=UNCHECKED,
        algorithms=("RS256",),
        checks=(ClaimIsNot("drn", "DSR"),),
        locations=(BEARER, Cookie("DS")),
    )


def _region_of(project: str) -> str:
    if len(project) < _LONG:
        return ""
    region = project[1:5]
    if not _REGION.fullmatch(region):
        raise ConfigurationError(
            "project_id", "must contain its region in characters 2 to 5 if it has 32 or more"
        )
    return f"{region}."
