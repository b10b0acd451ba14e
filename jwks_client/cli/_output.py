"""Output of the commands: styled text on a terminal, plain text in a pipe, or JSON.

Key IDs, headers and messages come from the provider, and a kid may contain terminal escape
sequences: pass all such text through `printable`. A token is never printed whole, not even in an
error message: see `without_tokens`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .._core.encoding import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "Cell",
    "labelled",
    "moment",
    "note",
    "printable",
    "say",
    "say_json",
    "table",
    "waiting",
    "without_tokens",
]

# Text, or text with a rich style.
Cell = str | tuple[str, str]

_TOKEN: Final = re.compile(r"\bey[A-Za-z0-9_+/=-]{10,}[A-Za-z0-9_+/=.-]*")
_LONGEST: Final = 200


def printable(text: str, longest: int = _LONGEST) -> str:
    """Escape text from outside so that a terminal cannot interpret it, and shorten it."""
    return one_line(text if len(text) <= longest else f"{text[: longest - 1]}…")


def without_tokens(text: str) -> str:
    """Shorten everything that looks like a token to its first characters."""
    return _TOKEN.sub(lambda found: f"{found[0][:6]}… (a token, cut)", text)


def moment(seconds: float) -> str:
    """Return a time, given in seconds since the epoch, for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # beyond the range of dates
        return f"second {seconds:g}"


def say_json(content: Mapping[str, object]) -> None:
    """Print one JSON object, in ASCII, so that no value can contain a control character."""
    click.echo(json.dumps(content, indent=2))


def say(*parts: Cell) -> None:
    """Print one line to standard output; text from outside is escaped."""
    _console().print(_text(*parts), soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """Print one line to standard error."""
    _console(stderr=True).print(_text((text, style)), soft_wrap=True)


def labelled(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print lines of a label and a value."""
    rows = list(pairs)
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        say((f"{label:<{width}}  ", "dim"), value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table: folded to the width of a terminal, as wide as necessary in a pipe."""
    from rich.table import Table

    rendered = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        rendered.add_column(column, overflow="fold")
    for row in rows:
        rendered.add_row(*(_text(cell) for cell in row))
    console = _console()
    if console.is_terminal:
        console.print(rendered)
        return
    console.width = 4096
    with console.capture() as captured:
        console.print(rendered)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Show a spinner on standard error during the block, if that is a terminal."""
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

    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        # Not shortened here: text from outside was shortened when it was read.
        line.append(printable(text, longest=100_000), style=style)
    return line
