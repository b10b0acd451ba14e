"""A finding of the doctor: a problem, its severity, the key concerned and a reference.

A code never changes its meaning; ``docs/command.md`` lists them all.
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
    """A problem, or a fact worth knowing.

    Attributes:
        code: a stable code for programs.
        severity: ``error`` if tokens are refused or could be forged; ``warning`` if something will
            fail one day, or fails for other clients; ``info`` for a fact worth knowing.
        message: one line for people.
        see: the section of an RFC, or the page, to read.
        kid: the kid of the key concerned, if the finding is about a key with a kid.
    """

    code: str
    severity: Severity
    message: str
    see: str
    kid: str | None = None


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without duplicates: errors, then warnings, then infos."""
    return sorted(dict.fromkeys(findings), key=lambda one: _RANK[one.severity])


def as_json(finding: Finding) -> dict[str, str | None]:
    """Return the finding as JSON members, which never change."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "kid": finding.kid,
        "message": finding.message,
        "see": finding.see,
    }
