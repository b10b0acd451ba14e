"""Cloudflare Access: the token that Access adds to each request."""

from __future__ import annotations

from typing import Unpack

from .._core.locations import Cookie, Header
from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._identifiers import segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["cloudflare_access"]


def cloudflare_access(
    team: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of application tokens of a Cloudflare Access team.

    The header ``Cf-Access-Jwt-Assertion`` is read before the cookie ``CF_Authorization``. Tokens of
    other applications of the team are refused by their audience. Tokens of services are accepted:
    they name no user (``sub`` is empty).

    Arguments:
        team: the first label of ``https://{team}.cloudflareaccess.com``.
        audience: the application's AUD tag, 64 hexadecimal digits.
        options: any other field of `Provider`.

    Limits: the token does not show whether your server is also reachable without Cloudflare.
    Checked against: Cloudflare's documentation (validating JWTs), 2026-11-25.
    """
    issuer = f"https://{segment('team', team, 'the team name')}.cloudflareaccess.com"
    return make(
        options,
        name="cloudflare_access",
        jwks_url=f"{issuer}/cdn-cgi/access/certs",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256",),
        locations=(Header("Cf-Access-Jwt-Assertion"), Cookie("CF_Authorization")),
    )
