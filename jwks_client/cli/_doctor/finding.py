"""A finding of the doctor: a problem, its severity, the key concerned and a reference.

A code never changes its meaning, and the fields are the members of the JSON output;
``docs/command.md`` lists both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Finding", "Severity", "worst_first"]

Severity = Literal["error", "warning", "info"]
_RANK: Final[dict[str, int]] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem, or a fact worth knowing.

    Attributes:
        code: a stable code for programs.
        severity: ``error`` if tokens are refused or could be forged; ``warning`` if something will
            fail one day, or fails for other clients; ``info`` for a fact worth knowing.
        kid: the kid of the key concerned, if the finding is about a key with a kid.
        message: one line for people.
        see: the section of an RFC, or the page, to read.
    """

    code: str
    severity: Severity
    kid: str | None = None
    message: str
    see: str


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without duplicates: errors, then warnings, then infos."""
    return sorted(dict.fromkeys(findings), key=lambda one: _RANK[one.severity])
