"""How the demo is shown: in colours on a terminal, as plain text elsewhere.

Owns: the look, and `Finding`, one line of it. May not know: what is tried. No token is ever shown.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Finding", "Report", "at_most", "note", "same"]

_PLAIN_WIDTH: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was looked at: what was expected (None: nothing, it is only told) and what came."""

    what: str
    expected: str | None
    got: str
    holds: bool


def same(what: str, expected: object, got: object) -> Finding:
    """Expect to read exactly this."""
    told = str(got)
    return Finding(what=what, expected=str(expected), got=told, holds=told == str(expected))


def at_most(what: str, most: float, got: float, unit: str = "") -> Finding:
    """Expect no more than this."""
    return Finding(
        what=what, expected=f"at most {most:g}{unit}", got=f"{got:.3g}{unit}", holds=got <= most
    )


def note(what: str, got: str) -> Finding:
    """Tell something that nothing was expected of."""
    return Finding(what=what, expected=None, got=got, holds=True)


class Report:
    """Writes the demo to a console; by default to standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = Console(highlight=False) if console is None else console
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, _PLAIN_WIDTH)

    def say(self, text: str, style: str = "") -> None:
        """One line, as it is."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def step(self, number: int, title: str) -> Generator[None]:
        """Show that a step is under way."""
        self._console.print()
        self.say(f"{number}. {title}", "bold")
        with self._console.status("…"):
            yield

    def findings(self, findings: Sequence[Finding]) -> None:
        """Show what a step found."""
        table = Table.grid(padding=(0, 2), pad_edge=False)
        for width in (6, 42, 30, None):
            table.add_column(min_width=width, overflow="fold")
        for one in findings:
            table.add_row(_mark(one), one.what, _expected(one), Text(f"got {one.got}" if one.expected is not None else one.got))
        self._console.print(table)
