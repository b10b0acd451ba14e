"""Options and arguments that several commands share, and reading a token."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from ._errors import Refused
from ._presets import complete_preset

__all__ = [
    "SecondsRange",
    "as_json_option",
    "ca_option",
    "provider_option",
    "read_token",
    "timeout_option",
    "token_argument",
]

_LONGEST: Final = 1024 * 1024


class SecondsRange(click.FloatRange):
    """A range of seconds. Rejects ``nan`` too, which click compares with the limits and accepts."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of seconds."""
        seconds: float = super().convert(value, param, ctx)
        if seconds != seconds:  # noqa: PLR0124 (only NaN differs from itself)
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


as_json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object to standard output, for errors too.",
)
ca_option = click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="A PEM file of certificate authorities to trust in addition to the public ones.",
)
timeout_option = click.option(
    "--timeout",
    type=SecondsRange(0.05, 300),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each response.",
)
provider_option = click.option(
    "--provider",
    "preset",
    metavar="NAME:ARG[,KEY=VALUE…]",
    shell_complete=complete_preset,
    help="A provider by its short name, such as stytch:project-live-0a1b or "
    "auth0:acme.eu.auth0.com,audience=https://api.example.com",
)
# Any number of words, so that no error message repeats an extra one.
token_argument = click.argument("words", metavar="[TOKEN]", nargs=-1)


def read_token(words: tuple[str, ...]) -> bytes:
    """Return the token, read from standard input if TOKEN is ``-`` or omitted.

    A leading ``Bearer`` and surrounding whitespace are dropped.
    """
    if len(words) == 2 and words[0].lower() == "bearer":
        words = words[1:]
    if len(words) > 1:
        raise click.UsageError(
            f"TOKEN must be one word, got {len(words)}; use - to read it from standard input"
        )
    if words and words[0] != "-":
        return _strip(words[0].encode("utf-8", "surrogateescape"))
    if not words and sys.stdin.isatty():
        raise click.UsageError("TOKEN is missing; pipe it in to keep it out of the shell's history")
    token = _strip(sys.stdin.buffer.read(_LONGEST + 1))
    if not token:
        raise click.UsageError("standard input is empty; expected a token")
    if len(token) > _LONGEST:
        raise Refused("token_too_large", f"the token is longer than {_LONGEST} bytes")
    return token


def _strip(text: bytes) -> bytes:
    """Return a token without ``Bearer`` and surrounding whitespace."""
    stripped = text.strip()
    first, _, rest = stripped.partition(b" ")
    return rest.strip() if first.lower() == b"bearer" else stripped
