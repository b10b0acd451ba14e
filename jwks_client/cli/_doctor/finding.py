"""A finding of the doctor: what will hurt, how much, which key, and where that is written.

Owns: the value and the order. May not know: what is looked for. A code never changes its meaning;
``docs/command.md`` lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Finding", "Severity", "as_json", "worst_first"]

Severity = Literal["error", "warning", "info"]
_RANK: Final[dict[str, int]] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that will hurt.

    Attributes:
        code: a stable word.
        severity: ``error``: tokens are refused, or could be forged; ``warning``: it will go wrong
            one day, or for other clients; ``info``: worth knowing.
        message: one line for people.
        see: the section of an RFC, or the page, that says so.
        kid: the key it is about, where it is about one with a kid.
    """

    code: str
    severity: Severity
    message: str
    see: str
    kid: str | None = None


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then the rest; otherwise in the order they were found."""
    return sorted(dict.fromkeys(findings), key=lambda one: _RANK[one.severity])


def as_json(finding: Finding) -> dict[str, str | None]:
    """The finding for programs; the shape is fixed."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "kid": finding.kid,
        "message": finding.message,
        "see": finding.see,
    }
