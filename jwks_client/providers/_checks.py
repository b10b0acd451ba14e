"""Rules on a token's kind that claim names and exact values cannot say, as comparable values.

Owns: such rules. May not know: providers, or what a `VerifiedToken` is beyond its claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["ClaimPrefix"]


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
