"""The shape of a provider: what its tokens and its key set look like.

Must not depend on any particular provider (`known`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from ..._core.json_values import any_of
from ..._core.provider import IssuerTemplate, Provider
from ..._core.unchecked import UNCHECKED, Unchecked
from ...providers._checks import (
    ClaimBelow,
    ClaimImplies,
    ClaimPrefix,
    ClaimWithoutCase,
    FirstClaim,
    MemberOfClaim,
)

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["Shape", "demanded_by"]

T = TypeVar("T", bound=str | IssuerTemplate)

_UUID: Final = "0a1b2c3d-0000-4000-8000-000000000001"
# Values of required claims about which nothing else is known.
_USUAL: Final[Mapping[str, object]] = {
    "jti": _UUID,
    "scope": "read",
    "scp": ["read"],
    "session_id": _UUID,
    "sid": _UUID,
}
_USUAL_SCOPE: Final = "read"
_DATED: Final = ("auth_time", "nbf")


def _plain_kid(number: int, _algorithm: str) -> str:
    return f"key-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The form of one provider's tokens and key set.

    Arguments:
        provider: the imitated provider; None for the fake provider's own shape.
        issuer: the ``iss``; an `IssuerTemplate` is filled from the claim that it names.
        audience: the ``aud``; several become a list.
        audience_is_list: whether a single audience is a list, too.
        typ: the ``typ`` of its tokens, or None.
        subject: the default ``sub``.
        claims: further claims.
        dated: claims that are times, in seconds after the token's ``iat``.
        scope_claim, scopes_are_list: the claim with the scopes, and its form.
        kid: returns the kid of the nth key, which has that algorithm.
        key_members: additional members of each key; None omits one.
        other_keys: entries of the set that sign no tokens.
        document_members: members of the key set in addition to ``keys``.
        answer_headers: headers of the response with the key set.
    """

    provider: Provider | None = None
    issuer: str | IssuerTemplate | None = None
    audience: str | tuple[str, ...] | None = None
    audience_is_list: bool = False
    typ: str | None = "JWT"
    subject: str = "u1"
    claims: Mapping[str, object] = field(default_factory=dict[str, object])
    dated: Mapping[str, int] = field(default_factory=dict[str, int])
    scope_claim: str = "scope"
    scopes_are_list: bool = False
    kid: Callable[[int, str], str] = _plain_kid
    key_members: Callable[[SigningKey], Mapping[str, object]] = lambda _: {}
    other_keys: Callable[[object], list[Mapping[str, object]]] = lambda _: []
    document_members: Mapping[str, object] = field(default_factory=dict[str, object])
    answer_headers: Mapping[str, str] = field(default_factory=dict[str, str])


def demanded_by(provider: Provider, known: Shape | None = None) -> Shape:
    """Return a shape whose tokens ``provider`` accepts.

    Arguments:
        provider: its settings decide; of its ``checks``, those of this library's factories are
            satisfied.
        known: further facts, used as far as the provider allows them.
    """
    known = known or Shape()
    issuer = provider.issuer
    own = provider.scope_claim
    name = own[0] if isinstance(own, tuple) else own
    scope_claim = name if isinstance(name, str) else known.scope_claim
    subject, claims = known.subject, _claims_for(provider, known)
    dated = dict(known.dated)
    dated |= {name: 0 for name in _DATED if name in provider.required_claims and name not in dated}
    for name in provider.required_claims:
        if name not in (*claims, *dated, "iss", "aud", "sub", "iat", "exp"):
            claims[name] = _USUAL.get(name, f"fake-{name}")
    for check in provider.checks:
        if isinstance(check, ClaimPrefix) and check.claim == "sub":
            subject = subject if subject.startswith(check.prefix) else check.prefix + subject
        else:
            for name, value in _claims_of(check, claims).items():
                claims.setdefault(name, value)
    for name in provider.forbidden_claims:
        claims.pop(name, None)
        dated.pop(name, None)
    return replace(
        known,
        provider=provider,
        issuer=_first(issuer),
        audience=_audience(provider.audience, is_list=known.audience_is_list),
        typ=_typ(provider, known.typ),
        subject=subject,
        claims=claims,
        dated=dated,
        scope_claim=scope_claim,
        scopes_are_list=known.scopes_are_list and scope_claim == known.scope_claim,
    )


def _claims_of(check: object, claims: Mapping[str, object]) -> Mapping[str, object]:
    """Return claims that satisfy a rule of this library; none for a custom check."""
    match check:
        case ClaimPrefix(claim=claim, prefix=prefix):
            return {claim: f"{prefix}1"}
        case ClaimWithoutCase(claim=claim, values=accepted):
            return {claim: min(accepted)}
        case ClaimBelow(claim=claim, roots=roots):
            return {claim: min(roots)}
        case FirstClaim(claims=(claim, *_), values=accepted):
            return {claim: min(accepted)}
        case MemberOfClaim(claim=claim, member=member, values=accepted):
            return {claim: {member: min(accepted)}}
        case ClaimImplies(claim=claim, others=others) if claim in claims:
            return {} if any(one in claims for one in others) else {others[0]: _USUAL_SCOPE}
        case _:
            return {}


def _claims_for(provider: Provider, known: Shape) -> dict[str, object]:
    claims = dict(known.claims)
    for name, value in provider.claim_values.items():
        options = any_of(value)
        if name not in claims or claims[name] not in options:
            claims[name] = min(options, key=repr)
    issuer = provider.issuer
    if isinstance(issuer, IssuerTemplate) and not callable(issuer.allowed):
        claims.setdefault(issuer.claim, min(issuer.allowed))
    return claims


def _audience(
    accepted: str | tuple[str, ...] | Unchecked, *, is_list: bool
) -> str | tuple[str, ...] | None:
    first = _first(accepted)
    if first is None:
        return () if is_list else None
    return (first,) if is_list else first


def _first(accepted: T | tuple[T, ...] | Unchecked) -> T | None:
    """Return the first accepted value, which tokens have; None if any value is accepted."""
    if accepted is UNCHECKED:
        return None
    return accepted[0] if isinstance(accepted, tuple) else accepted


def _typ(provider: Provider, known: str | None) -> str | None:
    accepted = provider.token_types
    if (None if known is None else known.lower()) in accepted:
        return known
    if "jwt" in accepted:
        return "JWT"
    return None if None in accepted else next(iter(accepted))
