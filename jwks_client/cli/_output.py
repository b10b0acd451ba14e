"""How commands show what they found: text on a terminal, plain text in a pipe, or JSON.

Owns: colours, tables, and what makes foreign text safe to show. May not know: what is shown.

Names of keys, headers and messages come from whoever runs the provider: a kid may hold the escape
sequences of a terminal. So nothing foreign is shown before `printable` had it. And a token is never
shown whole, not even in a complaint about wrong usage, which is why `without_tokens` is there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "Cell",
    "labelled",
    "note",
    "printable",
    "say",
    "say_json",
    "table",
    "waiting",
    "without_tokens",
]

# Text, or text with a style of rich.
Cell = str | tuple[str, str]

_TOKEN: Final = re.compile(r"\bey[A-Za-z0-9_+/=-]{10,}[A-Za-z0-9_+/=.-]*")
_LONGEST: Final = 200


def printable(text: str, longest: int = _LONGEST) -> str:
    """Foreign text that a terminal shows and does not obey; cut to ``longest`` characters."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut
    )


def without_tokens(text: str) -> str:
    """Text in which whatever looks like a token is cut to its first letters."""
    return _TOKEN.sub(lambda found: f"{found[0][:6]}… (a token, cut)", text)


def say_json(content: Mapping[str, object]) -> None:
    """One JSON object on standard output, in ASCII, so that no value can be a control character."""
    click.echo(json.dumps(content, indent=2))


def say(*parts: Cell) -> None:
    """One line on standard output, of foreign text too."""
    _console().print(_text(*parts), soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """One line on standard error."""
    _console(stderr=True).print(_text((text, style)), soft_wrap=True)


def labelled(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Lines of a label and a value."""
    rows = list(pairs)
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        say((f"{label:<{width}}  ", "dim"), value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A table on standard output: as wide as it needs to be in a pipe, folded on a terminal."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(_text(cell) for cell in row))
    console = _console()
    if console.is_terminal:
        console.print(shown)
        return
    console.width = 4096
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Show on standard error that something is waited for, where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with _console(stderr=True).status(_text((what, "dim"))):
        yield


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def _text(*parts: Cell) -> Text:
    from rich.text import Text

    shown = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        # Long enough for what is ours: what is foreign was cut where it came in.
        shown.append(printable(text, longest=100_000), style=style)
    return shown
