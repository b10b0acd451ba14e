"""Clerk: session tokens."""

from __future__ import annotations

from typing import Any, Unpack

from .._core import settings
from .._core.locations import BEARER, Cookie
from .._core.provider import Check, Provider
from .._core.unchecked import UNCHECKED, Unchecked
from ._checks import ClaimIfPresent, ClaimIsNot
from ._identifiers import allowed, site
from ._make import make
from ._options import ProviderOptions

__all__ = ["clerk"]


def clerk(
    frontend_api: str,
    *,
    authorized_parties: str | tuple[str, ...] | Unchecked,
    require_azp: bool = True,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Return the provider of session tokens of a Clerk instance.

    Clerk's tokens have no audience. ``azp``, the Origin of the page that requested the token, is
    checked instead. Tokens without ``azp`` are refused by default: Clerk omits it if there was no
    Origin, as in native apps, in top-level navigations, and for tokens that a server requested.
    Accept them with ``require_azp=False``. Machine tokens have no ``azp`` either, but are always
    refused: wherever ``azp`` may be absent, ``sid`` is required. Sessions that are still pending
    (``sts``) are refused.

    The Authorization header is read before the cookie ``__session``.

    Arguments:
        frontend_api: the instance's Frontend API, a host such as ``clerk.example.com``; or your
            proxy URL without its scheme, such as ``app.example.com/__clerk``, which is then the
            issuer.
        authorized_parties: the origins of your own front ends, such as ``https://app.example.com``.
            ``UNCHECKED`` accepts a session token that any page obtained, or that has no ``azp``.
        require_azp: refuse tokens without ``azp``. If False, an ``azp`` that is present must still
            be among ``authorized_parties``.
        options: any other field of `Provider`.

    Limits: the token of a session that ended stays valid until it expires, after a minute.
    Checked against: clerk.com/docs/guides/sessions/session-tokens, clerk.com/docs/guides/dashboard/
    dns-domains/proxy-fapi and clerk/clerk-sdk-go jwt/jwt.go (the issuer behind a proxy),
    2026-11-29; clerk/javascript, clerk-sdk-python, 2026-11-25.
    """
    where = site("frontend_api", frontend_api, "the Frontend API")
    parties = allowed("authorized_parties", authorized_parties)
    azp_required = settings.flag("require_azp", require_azp)
    values: dict[str, Any] = {}
    checks: tuple[Check, ...] = (ClaimIsNot("sts", "pending"),)
    if parties is not UNCHECKED and azp_required:
        values["azp"] = parties
    elif parties is not UNCHECKED:
        checks = (*checks, ClaimIfPresent("azp", parties))
    return make(
        options,
        name="clerk",
        jwks_url=f"{where}/.well-known/jwks.json",
        issuer=where,
        audience=UNCHECKED,
        algorithms=("RS256",),
        required_claims=() if "azp" in values else ("sid",),
        claim_values=values,
        checks=checks,
        locations=(BEARER, Cookie("__session")),
    )
