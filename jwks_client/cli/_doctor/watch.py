"""Looking again and again, and telling only what changed.

Owns: the loop and the differences. May not know: how it looks, waits or shows, all of which it is
handed: nothing here waits by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .._output import printable
from .._probe.target import Look
from .finding import Finding

__all__ = ["Report", "changes_between", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one look found."""

    look: Look
    findings: tuple[Finding, ...]


def watch(
    look: Callable[[], Report],
    show: Callable[[Report, list[str] | None], None],
    wait: Callable[[], bool],
) -> Report:
    """Look until told to end; gives the last report.

    Arguments:
        look: looks once.
        show: is given the first report with None, and each later one that differs with what
            changed since the one before.
        wait: waits for the next time; False ends it.
    """
    report = look()
    show(report, None)
    while wait():
        before, report = report, look()
        changes = changes_between(before, report)
        if changes:
            show(report, changes)
    return report


def changes_between(before: Report, after: Report) -> list[str]:
    """What changed from one report to the next, in words."""
    return [*_key_changes(before.look, after.look), *_finding_changes(before, after)]


def _key_changes(before: Look, after: Look) -> Iterator[str]:
    if before.entries is None or after.entries is None:
        return  # what an answer without keys means is a finding
    old, new = _keys_of(before), _keys_of(after)
    for name in new.keys() - old.keys():
        yield f"key {printable(name, 80)} was added"
    for name in old.keys() - new.keys():
        yield f"key {printable(name, 80)} was withdrawn"
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"key {printable(name, 80)} is another key now"


def _keys_of(look: Look) -> dict[str, list[str]]:
    """What the set has under each kid, whatever the order of its entries."""
    found: dict[str, list[str]] = {}
    for entry in look.entries or ():
        made_of = "" if entry.key is None else entry.key.thumbprint
        found.setdefault(entry.kid or f"without kid {made_of}", []).append(made_of)
    return {kid: sorted(made_of) for kid, made_of in found.items()}


def _finding_changes(before: Report, after: Report) -> Iterator[str]:
    # By code and key: how long an answer took is another number every time.
    old = {(one.code, one.severity, one.kid): one for one in before.findings}
    new = {(one.code, one.severity, one.kid): one for one in after.findings}
    for name, finding in new.items():
        if name not in old:
            yield f"now {finding.severity} {finding.code}: {finding.message}"
    for name, finding in old.items():
        if name not in new:
            about = "" if finding.kid is None else f" (key {printable(finding.kid, 80)})"
            yield f"no more {finding.severity} {finding.code}{about}"
