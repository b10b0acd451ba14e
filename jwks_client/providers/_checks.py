"""Rules on a token's kind that claim names and exact values cannot say, as comparable values.

Owns: such rules. May not know: providers, or what a `VerifiedToken` is beyond its claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["ClaimImplies", "ClaimIsNot", "ClaimLength", "ClaimPrefix"]


class HasClaims(Protocol):
    """What a rule reads of a token."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims."""
        ...


@dataclass(frozen=True, slots=True)
class ClaimPrefix:
    """Accepts a token whose ``claim`` is a string that starts with ``prefix``."""

    claim: str
    prefix: str

    def __call__(self, token: HasClaims) -> bool:
        """Whether the token has that claim with that prefix."""
        value = token.claims.get(self.claim)
        return isinstance(value, str) and value.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class ClaimImplies:
    """Accepts a token that has no ``claim``, or has ``other`` as well."""

    claim: str
    other: str

    def __call__(self, token: HasClaims) -> bool:
        """Whether the token has the one claim only together with the other."""
        return self.claim not in token.claims or self.other in token.claims


@dataclass(frozen=True, slots=True)
class ClaimLength:
    """Accepts a token whose ``claim`` is a string of so many characters."""

    claim: str
    shortest: int
    longest: int

    def __call__(self, token: HasClaims) -> bool:
        """Whether the token has that claim at such a length."""
        value = token.claims.get(self.claim)
        return isinstance(value, str) and self.shortest <= len(value) <= self.longest


@dataclass(frozen=True, slots=True)
class ClaimIsNot:
    """Accepts a token whose ``claim`` is absent or another than ``value``."""

    claim: str
    value: str

    def __call__(self, token: HasClaims) -> bool:
        """Whether the token does not have that claim at that value."""
        return token.claims.get(self.claim) != self.value
