"""Options and arguments that several commands share, and reading a token."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ._errors import Refused
from ._presets import complete_preset

__all__ = [
    "as_json_option",
    "ca_option",
    "provider_option",
    "read_token",
    "timeout_option",
    "token_argument",
]

F = TypeVar("F", bound=Callable[..., Any])
_LONGEST: Final = 1024 * 1024


def as_json_option(command: F) -> F:
    """Add ``--json``."""
    text = "Print one JSON object to standard output, for errors too."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def ca_option(command: F) -> F:
    """Add ``--ca FILE``."""
    return click.option(
        "--ca",
        "ca_file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="A PEM file of certificate authorities to trust in addition to the public ones.",
    )(command)


def timeout_option(command: F) -> F:
    """Add ``--timeout SECONDS``."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0.05, 300),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for each response.",
    )(command)


def provider_option(command: F) -> F:
    """Add ``--provider NAME:ARG,…``."""
    return click.option(
        "--provider",
        "preset",
        metavar="NAME:ARG[,KEY=VALUE…]",
        shell_complete=complete_preset,
        help="A provider by its short name, such as stytch:project-live-0a1b or "
        "auth0:acme.eu.auth0.com,audience=https://api.example.com",
    )(command)


def token_argument(command: F) -> F:
    """Add TOKEN. It accepts any number of words, so that no error message repeats an extra one."""
    return click.argument("words", metavar="[TOKEN]", nargs=-1)(command)


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
