"""Rules on claims that exact values cannot express. Rules are values that can be compared.

A rule raises an error that names the claim. Must not depend on: providers, or anything of a
`VerifiedToken` but its claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ..errors import TokenError

__all__ = [
    "ClaimBelow",
    "ClaimIfPresent",
    "ClaimImplies",
    "ClaimIsNot",
    "ClaimLength",
    "ClaimPrefix",
    "ClaimWithoutCase",
    "FirstClaim",
    "MemberOfClaim",
]


class HasClaims(Protocol):
    """The part of a token that a rule reads."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """Return all claims."""
        ...


@dataclass(frozen=True, slots=True)
class ClaimPrefix:
    """Accept a token whose ``claim`` is a string that starts with ``prefix``."""

    claim: str
    prefix: str

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``rejected_by_check`` for another value, or none."""
        value = token.claims.get(self.claim)
        if not (isinstance(value, str) and value.startswith(self.prefix)):
            raise _rejected(self.claim, f"does not begin with {self.prefix!r}")


@dataclass(frozen=True, slots=True)
class ClaimImplies:
    """Accept a token without ``claim``, or with ``claim`` and at least one of ``others``."""

    claim: str
    others: tuple[str, ...]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``rejected_by_check`` if the claim is present without the others."""
        found = token.claims
        if self.claim in found and all(found.get(one) is None for one in self.others):
            raise _rejected(self.claim, f"is present without {' or '.join(map(repr, self.others))}")


@dataclass(frozen=True, slots=True)
class ClaimLength:
    """Accept a token whose ``claim`` is a string of ``shortest`` to ``longest`` characters."""

    claim: str
    shortest: int
    longest: int

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``rejected_by_check`` for another length, or no string."""
        value = token.claims.get(self.claim)
        if not (isinstance(value, str) and self.shortest <= len(value) <= self.longest):
            raise _rejected(
                self.claim, f"is not a string of {self.shortest} to {self.longest} characters"
            )


@dataclass(frozen=True, slots=True)
class ClaimIsNot:
    """Accept a token whose ``claim`` is absent or is not ``value``."""

    claim: str
    value: str

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``rejected_by_check`` for that value."""
        if token.claims.get(self.claim) == self.value:
            raise _rejected(self.claim, f"is {self.value!r}")


@dataclass(frozen=True, slots=True)
class ClaimIfPresent:
    """Accept a token whose ``claim`` is absent or is one of ``values``."""

    claim: str
    values: frozenset[str]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``invalid_claim`` for another value."""
        if self.claim in token.claims:
            _compare(self.claim, token.claims[self.claim], self.values)


@dataclass(frozen=True, slots=True)
class ClaimWithoutCase:
    """Accept a token whose ``claim`` in lower case is one of ``values``."""

    claim: str
    values: frozenset[str]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``missing_claim``, or ``invalid_claim`` for another value."""
        value = token.claims.get(self.claim)
        # Only ASCII is lower-cased: the Kelvin sign must not become "k".
        folded = value.lower() if isinstance(value, str) and value.isascii() else value
        _compare(self.claim, folded, self.values)


@dataclass(frozen=True, slots=True)
class ClaimBelow:
    """Accept a token whose ``claim`` is one of the paths ``roots``, or a path below one of them."""

    claim: str
    roots: frozenset[str]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``missing_claim``, or ``invalid_claim`` for another path."""
        value = token.claims.get(self.claim)
        if isinstance(value, str) and any(value.startswith(f"{root}/") for root in self.roots):
            return
        _compare(self.claim, value, self.roots)


@dataclass(frozen=True, slots=True)
class FirstClaim:
    """Accept a token in which the first of ``claims`` that is present is one of ``values``."""

    claims: tuple[str, ...]
    values: frozenset[str]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``missing_claim``, or ``invalid_claim`` for another value."""
        present = next((one for one in self.claims if one in token.claims), self.claims[0])
        _compare(present, token.claims.get(present), self.values)


@dataclass(frozen=True, slots=True)
class MemberOfClaim:
    """Accept a token whose ``claim`` is an object in which ``member`` is one of ``values``."""

    claim: str
    member: str
    values: frozenset[str]

    def __call__(self, token: HasClaims) -> None:
        """Raise TokenError ``missing_claim``, or ``invalid_claim`` for another value."""
        found = token.claims.get(self.claim)
        members = cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}
        _compare(f"{self.claim}.{self.member}", members.get(self.member), self.values)


def _rejected(claim: str, why: str) -> TokenError:
    return TokenError("rejected_by_check", f"{claim!r} {why}", claim=claim)


def _compare(claim: str, value: object, accepted: frozenset[str]) -> None:
    if value is None:
        raise TokenError("missing_claim", f"{claim!r} is missing", claim=claim)
    if not isinstance(value, str) or value not in accepted:
        raise TokenError(
            "invalid_claim",
            f"{claim!r} does not match",
            claim=claim,
            expected=tuple(sorted(accepted)),
        )
