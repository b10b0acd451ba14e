"""Print the demo: in colour on a terminal, as plain text elsewhere, or as JSON.

Must not depend on the steps. No token is ever printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.text import Text

from .._output import say_json

__all__ = ["Finding", "RecordedReport", "Report", "at_least", "at_most", "listed", "note", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An expected and an actual result; ``expected`` is None for a result without expectation."""

    what: str
    expected: str | None
    got: str
    holds: bool


def same(what: str, expected: object, got: object) -> Finding:
    """Expect exactly this text."""
    text = str(got)
    return Finding(what=what, expected=str(expected), got=text, holds=text == str(expected))


def at_most(what: str, most: float, got: float, unit: str = "") -> Finding:
    """Expect at most this number."""
    return Finding(
        what=what, expected=f"at most {most:g}{unit}", got=f"{got:.3g}{unit}", holds=got <= most
    )


def at_least(what: str, least: float, got: float, unit: str = "") -> Finding:
    """Expect at least this number."""
    return Finding(
        what=what, expected=f"at least {least:g}{unit}", got=f"{got:.3g}{unit}", holds=got >= least
    )


def listed(counts: Counter[str]) -> str:
    """Return a result that counts outcomes."""
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items())) or "none"


def note(what: str, got: str) -> Finding:
    """Note a result without an expectation."""
    return Finding(what=what, expected=None, got=got, holds=True)


class Report:
    """Prints the demo to a console, by default standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = Console(highlight=False) if console is None else console

    def opening(self, provider: str, api: str) -> None:
        """Print the addresses of the servers."""
        self.say("A provider and an API on this machine, over real HTTP.", "bold")
        self.say(f"  provider  {provider}  jwks-client serve", "cyan")
        self.say(f"  API       {api}  uvicorn, AsyncJWKSClient(providers.oidc(...))", "cyan")

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def step(self, number: int, title: str) -> Generator[None]:
        """Print the title of a step, and a spinner until the step ends."""
        self._console.print()
        self.say(f"{number}. {title}", "bold")
        with self._console.status("…"):
            yield

    def findings(self, findings: Sequence[Finding]) -> None:
        """Print the results of a step."""
        for one in findings:
            self._console.print(_line(one), soft_wrap=True)

    def end(self, failed: Sequence[str], seconds: float) -> None:
        """Print the overall result."""
        self._console.print()
        if not failed:
            self.say(f"All results as expected, in {seconds:.1f} s.", "bold green")
        for title in failed:
            self.say(f"FAILED: {title}", "bold red")


class RecordedReport(Report):
    """Collects the demo, and prints it as one JSON object at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._opening: dict[str, str] = {}
        self._steps: list[dict[str, object]] = []
        self._checks: list[dict[str, object]] = []

    def opening(self, provider: str, api: str) -> None:
        """Record the addresses of the servers."""
        self._opening = {"provider": provider, "api": api}

    def say(self, text: str, style: str = "") -> None:
        """Print nothing."""

    @contextmanager
    def step(self, number: int, title: str) -> Generator[None]:
        """Begin a step."""
        self._checks = []
        self._steps.append({"number": number, "title": title, "checks": self._checks})
        yield

    def findings(self, findings: Sequence[Finding]) -> None:
        """Record the results of a step."""
        self._checks.extend(asdict(one) for one in findings)

    def end(self, failed: Sequence[str], seconds: float) -> None:
        """Print the collected demo."""
        result = {"ok": not failed, "seconds": round(seconds, 1), "failed": list(failed)}
        say_json({**result, **self._opening, "steps": self._steps})


def _line(finding: Finding) -> Text:
    what = f"{finding.what:<46}"
    if finding.expected is None:
        return Text.assemble(("  note    ", "dim"), what, finding.got)
    mark, style = ("ok", "green") if finding.holds else ("FAILED", "bold red")
    expected = f"{finding.expected:<27} "
    return Text.assemble(
        (f"  {mark:<8}", style),
        what,
        ("expected ", "dim"),
        expected,
        ("got ", "dim"),
        (finding.got, style),
    )
