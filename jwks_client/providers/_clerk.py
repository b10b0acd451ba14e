"""Clerk: session tokens."""

from __future__ import annotations

from typing import Unpack

from .._core import settings
from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ._checks import ClaimIsNot
from ._identifiers import host
from ._make import make
from ._options import ProviderOptions

__all__ = ["clerk"]


def clerk(
    frontend_api: str,
    *,
    authorized_parties: str | tuple[str, ...],
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Session tokens of a Clerk instance, which have no audience: ``azp`` says who may use them.

    They are looked for in the Authorization header, then in the cookie ``__session``.

    Arguments:
        frontend_api: the instance's Frontend API, a bare host such as ``clerk.example.com``.
        authorized_parties: the origins of your own front ends, such as ``https://app.example.com``.
        options: any other field of `Provider`.

    Checked against: clerk/javascript, clerk-sdk-python.
    Not known: that a session was ended; tokens live for a minute. A session that is still pending
    (``sts``) is refused.
    """
    site = f"https://{host('frontend_api', frontend_api, 'the Frontend API')}"
    parties = settings.one_or_more("authorized_parties", authorized_parties)
    return make(
        options,
        name="clerk",
        jwks_url=f"{site}/.well-known/jwks.json",
        issuer=site,
        audience=UNCHECKED,
        algorithms=("RS256",),
        claim_values={"azp": frozenset(parties)},
        checks=(ClaimIsNot("sts", "pending"),),
        locations=(BEARER, Cookie("__session")),
    )
