"""Hanko: the passkey server, and Hanko Cloud or a self-hosted Hanko backend."""

from __future__ import annotations

from typing import Unpack

from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED, Unchecked
from ._identifiers import base_url as base
from ._identifiers import host, segment
from ._make import make
from ._options import OptionsBesideIssuer, OptionsBesideMaxAge

__all__ = ["hanko", "hanko_passkeys"]


def hanko_passkeys(
    tenant_id: str,
    *,
    relying_party_id: str,
    max_age: float | None = 300,
    base_url: str = "https://passkeys.hanko.io",
    **options: Unpack[OptionsBesideMaxAge],
) -> Provider:
    """The short-lived token that Hanko's passkey server answers a finished ceremony with.

    It comes in a JSON body (``{"token": …}``), says "this user has just used a passkey", and is
    meant to be exchanged once for a session of your own. It carries no issuer: the tenant in the
    key set's URL is what binds it to you.

    Arguments:
        tenant_id: the tenant's id, as it stands in the URLs of its API.
        relying_party_id: a bare host such as ``example.com``; it is the token's ``aud``.
        max_age: seconds since ``iat`` that a token is accepted; None lets ``exp``, which Hanko sets
            300 s after ``iat``, decide alone.
        base_url: where a passkey server of your own is.
        options: any other field of `Provider`.

    Checked against: teamhanko/passkeys, server/crypto/jwt/jwt.go and
    server/api/handler/well_known.go.
    Not known to the token: which ceremony it was. Login, registration and second factor look alike.
    It has no ``jti`` either, so that it is used once is yours to see to.
    """
    url = base("base_url", base_url, allow_http=options.get("allow_http", False))
    tenant = segment("tenant_id", tenant_id, "the tenant's id")
    return make(
        options,
        name="hanko_passkeys",
        jwks_url=f"{url}/{tenant}/.well-known/jwks.json",
        issuer=UNCHECKED,
        audience=host("relying_party_id", relying_party_id, "the relying party id"),
        algorithms=("RS256",),
        required_claims=("sub",),
        max_age=max_age,
    )


def hanko(
    api_url: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    issuer: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[OptionsBesideIssuer],
) -> Provider:
    """Session tokens of Hanko Cloud or a self-hosted Hanko backend.

    The Authorization header is looked at before the cookie ``hanko``, as Hanko itself does. Webhook
    tokens, which share keys and audience with sessions, are refused.

    Arguments:
        api_url: the API's base URL, such as ``https://{tenant}.hanko.io``, or your own domain.
        audience: the App URL in Hanko Cloud; else ``session.audience``, or the relying party id.
        issuer: the accepted ``iss`` where you configured one. Hanko sets none by itself, so by
            default it is ``UNCHECKED``.
        options: any other field of `Provider`; ``locations`` if you renamed the cookie.

    Checked against: teamhanko/hanko, backend/session/session.go, backend/middleware/session.go,
    backend/webhooks/manager.go and backend/handler/well_known.go.
    Not known to the token: that its session was ended. Only ``POST {api_url}/sessions/validate``
    knows.
    """
    url = base("api_url", api_url, allow_http=options.get("allow_http", False))
    return make(
        options,
        name="hanko",
        jwks_url=f"{url}/.well-known/jwks.json",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256",),
        required_claims=("sub", "session_id"),
        forbidden_claims=("evt",),
        locations=(BEARER, Cookie("hanko")),
    )
