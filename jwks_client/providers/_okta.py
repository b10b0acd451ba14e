"""Okta: access tokens of a custom authorization server."""

from __future__ import annotations

import re
from typing import Final, Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ..errors import ConfigurationError
from ._identifiers import base_url
from ._make import make
from ._options import OptionsExceptIssuer

__all__ = ["okta"]

_CUSTOM: Final = re.compile(r"https://[^/]+/oauth2/[A-Za-z0-9_-]+")


def okta(
    issuer: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptIssuer],
) -> Provider:
    """Return the provider of access tokens of an Okta custom authorization server.

    ID tokens have no ``cid`` and are refused, as are the tokens of the org server and of other
    custom servers, by their issuer.

    Arguments:
        issuer: the server's issuer, ``https://{org}.okta.com/oauth2/default`` or another id after
            ``/oauth2/``. The org authorization server has no such id: only Okta can verify its
            access tokens.
        audience: the server's audience, such as ``api://default``.
        options: any other field of `Provider`.

    Limits: with the issuer mode "Dynamic" the issuer depends on the domain that a client used; list
    all of these issuers in a tuple with ``Provider(issuer=…)``.
    Checked against: okta-jwt-verifier-python, Okta's documentation on authorization servers,
    2026-11-25.
    """
    site = base_url("issuer", issuer)
    if not _CUSTOM.fullmatch(site):
        raise ConfigurationError(
            "issuer",
            "must be the issuer of a custom authorization server, such as "
            "https://acme.okta.com/oauth2/default; only Okta can verify tokens of the org server",
        )
    return make(
        options,
        name="okta",
        jwks_url=f"{site}/v1/keys",
        issuer=site,
        audience=audience,
        algorithms=("RS256",),
        required_claims=("cid",),  # the client id, which ID tokens lack
    )
