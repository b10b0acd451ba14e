"""Tokens before they are signed: what a provider of one shape writes into header and claims.

Owns: `Draft`, and how the arguments of ``issue`` become one. May not know: keys' material, wires,
or which provider has which shape (`_shapes`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..._core.provider import IssuerTemplate
from .shape import Shape

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["SUBJECT", "Draft", "Wish", "draft_of", "to_json"]

SUBJECT: Final = "u1"  # who a token is for, where nobody says; a shape may know better


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller of ``issue`` wants, as given."""

    sub: object
    scope: object
    expires_in: float | None
    headers: Mapping[str, object]
    claims: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A token not signed yet; None is a member left out."""

    header: dict[str, object]
    claims: dict[str, object]
    key: SigningKey

    def octets(self) -> tuple[bytes, bytes]:
        """Header and payload as they are signed."""
        return to_json(self.header), to_json(self.claims)

    def sign(self) -> str:
        """The token in compact form."""
        return self.key.sign_compact(*self.octets())


def draft_of(wish: Wish, shape: Shape, *, key: SigningKey, issuer: str | None, now: int) -> Draft:
    """What a provider of this shape would sign for this wish.

    Arguments:
        issuer: the ``iss``, where the shape is of none of its own.
        now: the time of issue, in seconds since 1970.
    """
    own = shape.issuer if isinstance(shape.issuer, str) else issuer
    claims: dict[str, object] = {"iss": own, "aud": _audience(shape)}
    claims["sub"] = shape.subject if wish.sub == SUBJECT else wish.sub
    claims |= shape.claims
    claims |= {name: now + later for name, later in shape.dated.items()}
    # A token that is over was issued before that, or it would be refused for another reason.
    claims["iat"] = now if wish.expires_in is None else min(now, now + wish.expires_in)
    if wish.scope is not None:
        claims[shape.scope_claim] = _scopes(wish.scope, shape)
    if wish.expires_in is not None:
        claims["exp"] = now + wish.expires_in
    claims |= wish.claims
    if isinstance(shape.issuer, IssuerTemplate) and "iss" not in wish.claims:
        claims["iss"] = _filled(shape.issuer, claims.get(shape.issuer.claim))
    header = {"alg": key.algorithm, "kid": key.kid, "typ": shape.typ, **wish.headers}
    return Draft(header=header, claims=claims, key=key)


def to_json(members: Mapping[str, object]) -> bytes:
    """A JSON object without blanks, as issuers write it; members that are None are left out."""
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps(given, separators=(",", ":")).encode("ascii")


def _audience(shape: Shape) -> object:
    audience = shape.audience
    return list(audience) if isinstance(audience, tuple) else audience


def _scopes(scope: object, shape: Shape) -> object:
    return scope.split() if shape.scopes_are_list and isinstance(scope, str) else scope


def _filled(template: IssuerTemplate, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 (a claim that was not given)
            f"the issuer depends on the claim {template.claim!r}: give it, as {template.claim}=…"
        )
    return template.template.replace(f"{{{template.claim}}}", value)
