"""Unsigned tokens: the header and claims that a provider of one shape writes.

Must not depend on key material, servers, or which provider has which shape (`known`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ..._core.provider import IssuerTemplate
from .shape import Shape

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["SUBJECT", "Draft", "Wish", "draft_of", "to_json", "without_none"]

SUBJECT: Final = "u1"  # the default subject, unless the shape has another


class Wish(NamedTuple):
    """The arguments of ``issue``."""

    sub: object
    scope: object
    expires_in: float | None
    headers: Mapping[str, object] | None
    claims: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An unsigned token; a member that is None is omitted."""

    header: dict[str, object]
    claims: dict[str, object]
    key: SigningKey

    def octets(self) -> tuple[bytes, bytes]:
        """Return header and payload as they are signed."""
        return to_json(self.header), to_json(self.claims)

    def sign(self) -> str:
        """Return the signed token in compact form."""
        return self.key.sign_compact(*self.octets())


def draft_of(wish: Wish, shape: Shape, *, key: SigningKey, issuer: str | None, now: int) -> Draft:
    """Return the token that a provider of this shape would sign.

    Arguments:
        issuer: the ``iss``, if the shape has none.
        now: the time of issue, in seconds since 1970.
    """
    own = shape.issuer if isinstance(shape.issuer, str) else issuer
    claims: dict[str, object] = {"iss": own, "aud": _audience(shape)}
    claims["sub"] = shape.subject if wish.sub == SUBJECT else wish.sub
    claims |= shape.claims
    claims |= {name: now + later for name, later in shape.dated.items()}
    # An expired token was issued earlier; otherwise it would be refused for another reason.
    claims["iat"] = now if wish.expires_in is None else min(now, now + wish.expires_in)
    if wish.scope is not None:
        claims[shape.scope_claim] = _scopes(wish.scope, shape)
    if wish.expires_in is not None:
        claims["exp"] = now + wish.expires_in
    claims |= wish.claims
    if isinstance(shape.issuer, IssuerTemplate) and "iss" not in wish.claims:
        claims["iss"] = _filled(shape.issuer, claims.get(shape.issuer.claim))
    header = {"alg": key.algorithm, "kid": key.kid, "typ": shape.typ, **(wish.headers or {})}
    return Draft(header=header, claims=claims, key=key)


def to_json(members: Mapping[str, object]) -> bytes:
    """Return a compact JSON object without members that are None."""
    return json.dumps(without_none(members), separators=(",", ":")).encode("ascii")


def without_none(members: Mapping[str, object]) -> dict[str, object]:
    """Return the members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def _audience(shape: Shape) -> object:
    audience = shape.audience
    return list(audience) if isinstance(audience, tuple) else audience


def _scopes(scope: object, shape: Shape) -> object:
    return scope.split() if shape.scopes_are_list and isinstance(scope, str) else scope


def _filled(template: IssuerTemplate, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 (a missing claim)
            f"the issuer depends on the claim {template.claim!r}: give it, as {template.claim}=…"
        )
    return template.template.replace(f"{{{template.claim}}}", value)
