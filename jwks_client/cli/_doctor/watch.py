"""Repeat an inspection, and report only changes.

Must not depend on how to inspect, wait and print: these are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .._output import printable
from .._probe.target import Inspection
from .finding import Finding

__all__ = ["Report", "changes_between", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one inspection."""

    inspection: Inspection
    findings: tuple[Finding, ...]


def watch(
    inspect: Callable[[], Report],
    show: Callable[[Report, list[str] | None], None],
    wait: Callable[[], bool],
) -> Report:
    """Inspect until `wait` returns False; return the last report.

    Arguments:
        inspect: inspects once.
        show: called with the first report and None, then with each report that differs from the
            previous one and the list of changes.
        wait: waits for the next inspection; returns False to end.
    """
    report = inspect()
    show(report, None)
    while wait():
        before, report = report, inspect()
        changes = changes_between(before, report)
        if changes:
            show(report, changes)
    return report


def changes_between(before: Report, after: Report) -> list[str]:
    """Return a sentence for each change from one report to the next."""
    return [
        *_key_changes(before.inspection, after.inspection),
        *_finding_changes(before, after),
    ]


def _key_changes(before: Inspection, after: Inspection) -> Iterator[str]:
    if before.entries is None or after.entries is None:
        return  # a response without a key set is a finding
    old, new = _keys_of(before), _keys_of(after)
    for name in new.keys() - old.keys():
        yield f"key {printable(name, 80)} was added"
    for name in old.keys() - new.keys():
        yield f"key {printable(name, 80)} was withdrawn"
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"key {printable(name, 80)} was replaced by another key"


def _keys_of(inspection: Inspection) -> dict[str, list[str]]:
    """Return the thumbprints under each kid, independent of the order of the entries."""
    found: dict[str, list[str]] = {}
    for entry in inspection.entries or ():
        thumbprint = "" if entry.key is None else entry.key.thumbprint
        found.setdefault(entry.kid or f"without kid {thumbprint}", []).append(thumbprint)
    return {kid: sorted(thumbprints) for kid, thumbprints in found.items()}


def _finding_changes(before: Report, after: Report) -> Iterator[str]:
    # Compared by code and key: the message may contain a measured time.
    old = {(one.code, one.severity, one.kid): one for one in before.findings}
    new = {(one.code, one.severity, one.kid): one for one in after.findings}
    for name, finding in new.items():
        if name not in old:
            yield f"new {finding.severity} {finding.code}: {finding.message}"
    for name, finding in old.items():
        if name not in new:
            about = "" if finding.kid is None else f" (key {printable(finding.kid, 80)})"
            yield f"resolved {finding.severity} {finding.code}{about}"
