"""Options and arguments that several commands share, and how a token comes in.

Owns: their names, their checks, their help. May not know: what a command does with them.
"""

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
    """``--json``."""
    text = "One JSON object on standard output, errors too."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def ca_option(command: F) -> F:
    """``--ca FILE``."""
    return click.option(
        "--ca",
        "ca_file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="A PEM file of authorities to trust besides the public ones.",
    )(command)


def timeout_option(command: F) -> F:
    """``--timeout SECONDS``."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0.05, 300),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help="How long one answer may take.",
    )(command)


def provider_option(command: F) -> F:
    """``--provider NAME:ARG,…``."""
    return click.option(
        "--provider",
        "preset",
        metavar="NAME:ARG[,KEY=VALUE…]",
        shell_complete=complete_preset,
        help="A preset by its short name, such as stytch:project-live-0a1b or "
        "auth0:acme.eu.auth0.com,audience=https://api.example.com",
    )(command)


def token_argument(command: F) -> F:
    """TOKEN; any number of words, so that one too many is not repeated in a complaint."""
    return click.argument("words", metavar="[TOKEN]", nargs=-1)(command)


def read_token(words: tuple[str, ...]) -> bytes:
    """The token: as it was given, or from standard input for ``-`` or nothing.

    ``Bearer`` before it, and blanks around it, are left out.
    """
    if len(words) == 2 and words[0].lower() == "bearer":
        words = words[1:]
    if len(words) > 1:
        raise click.UsageError(
            f"one token is wanted, not {len(words)} words; - reads it from standard input"
        )
    if words and words[0] != "-":
        return _alone(words[0].encode("utf-8", "surrogateescape"))
    if not words and sys.stdin.isatty():
        raise click.UsageError("give TOKEN, or pipe it in: it then stays out of the history")
    token = _alone(sys.stdin.buffer.read(_LONGEST + 1))
    if not token:
        raise click.UsageError("there is no token on standard input")
    if len(token) > _LONGEST:
        raise Refused("token_too_large", f"more than {_LONGEST} bytes are no token")
    return token


def _alone(text: bytes) -> bytes:
    stripped = text.strip()
    first, _, rest = stripped.partition(b" ")
    return rest.strip() if first.lower() == b"bearer" else stripped
