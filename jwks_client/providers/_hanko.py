"""Hanko: the passkey server, and Hanko Cloud or a self-hosted Hanko backend."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from .._core import settings
from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ._identifiers import base_url as base
from ._identifiers import host, segment
from ._make import make
from ._options import OptionsExceptIssuer, OptionsExceptMaxAge

__all__ = ["hanko", "hanko_passkeys", "hanko_passkeys_transaction"]

_PASSKEYS: Final = "https://passkeys.hanko.io"


def hanko_passkeys(
    tenant_id: str,
    *,
    relying_party_id: str | Unchecked,
    max_age: float | Unchecked = 300,
    base_url: str = _PASSKEYS,
    **options: Unpack[OptionsExceptMaxAge],
) -> Provider:
    """Return the provider of the tokens that Hanko's passkey server issues after a ceremony.

    The token arrives in a JSON body (``{"token": …}``). It states that this user has just used a
    passkey, and should be exchanged once for a session of your application. It has no issuer: the
    tenant in the key set's URL ties it to you. Transaction tokens (``trans``) confirm a single
    transaction and are refused, because they are not logins; use `hanko_passkeys_transaction` for
    them. Login, registration and second factor cannot be distinguished.

    Arguments:
        tenant_id: the tenant's id, as in the URLs of its API.
        relying_party_id: a bare host such as ``example.com``; the token's ``aud``. ``UNCHECKED``
            accepts tokens for every relying party of the tenant.
        max_age: seconds since ``iat`` for which a token is accepted. ``UNCHECKED`` leaves the
            decision to ``exp``, which Hanko sets 300 s after ``iat``.
        base_url: the URL of your own passkey server.
        options: any other field of `Provider`.

    Limits: a token can be replayed until it expires. It has no ``jti``, so remember the tokens that
    you have accepted.
    Checked against: teamhanko/passkeys, server/crypto/jwt/jwt.go and
    server/api/handler/well_known.go, 2026-11-25.
    """
    return make(
        options,
        name="hanko_passkeys",
        **_ceremony(tenant_id, relying_party_id, max_age, base_url, options),
        required_claims=("sub",),
        forbidden_claims=("trans",),
    )


def hanko_passkeys_transaction(
    tenant_id: str,
    *,
    relying_party_id: str | Unchecked,
    max_age: float | Unchecked = 300,
    base_url: str = _PASSKEYS,
    **options: Unpack[OptionsExceptMaxAge],
) -> Provider:
    """Return the provider of the tokens that confirm one transaction by a passkey.

    ``trans`` names the transaction; tokens without it are logins and are refused. Compare it with
    the transaction that you requested: ``verify(token, claim_values={"trans": "…"})``.

    Arguments:
        tenant_id: as for `hanko_passkeys`.
        relying_party_id: as for `hanko_passkeys`.
        max_age: as for `hanko_passkeys`.
        base_url: as for `hanko_passkeys`.
        options: any other field of `Provider`.

    Limits: as for `hanko_passkeys`.
    Checked against: as for `hanko_passkeys`.
    """
    return make(
        options,
        name="hanko_passkeys_transaction",
        **_ceremony(tenant_id, relying_party_id, max_age, base_url, options),
        required_claims=("sub", "trans"),
    )


def hanko(
    api_url: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    issuer: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[OptionsExceptIssuer],
) -> Provider:
    """Return the provider of session tokens of Hanko Cloud or a self-hosted Hanko backend.

    The Authorization header is read before the cookie ``hanko``, as Hanko itself does. Webhook
    tokens, which share keys and audience with sessions, are refused, because they have ``evt`` and
    no ``session_id``.

    Arguments:
        api_url: the API's base URL, such as ``https://{tenant}.hanko.io``, or your own domain.
        audience: the App URL in Hanko Cloud; else ``session.audience``, or the relying party id.
        issuer: the accepted ``iss`` if you configured one. By default Hanko sets none, so the
            default is ``UNCHECKED``.
        options: any other field of `Provider`; ``locations`` if you renamed the cookie.

    Limits: the token of a session that ended stays valid until it expires; only
    ``POST {api_url}/sessions/validate`` detects this.
    Checked against: teamhanko/hanko, backend/session/session.go, backend/middleware/session.go,
    backend/webhooks/manager.go and backend/handler/well_known.go, 2026-11-25.
    """
    url = base("api_url", api_url, options)
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


class _Ceremony(TypedDict):
    """The fields that all tokens of the passkey server have in common."""

    jwks_url: str
    issuer: Unchecked
    audience: str | Unchecked
    algorithms: tuple[str, ...]
    max_age: float | None


def _ceremony(
    tenant_id: str,
    relying_party_id: str | Unchecked,
    max_age: float | Unchecked,
    base_url: str,
    options: OptionsExceptMaxAge,
) -> _Ceremony:
    url = base("base_url", base_url, options)
    tenant = segment("tenant_id", tenant_id, "the tenant's id")
    if restriction("relying_party_id", relying_party_id) is not UNCHECKED:
        relying_party_id = host("relying_party_id", relying_party_id, "the relying party id")
    if max_age is not UNCHECKED:
        settings.number("max_age", max_age, unit="seconds, or providers.UNCHECKED")
    return {
        "jwks_url": f"{url}/{tenant}/.well-known/jwks.json",
        "issuer": UNCHECKED,
        "audience": relying_party_id,
        "algorithms": ("RS256",),
        "max_age": None if max_age is UNCHECKED else max_age,
    }
