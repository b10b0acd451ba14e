"""Report the errors of commands: one line or one JSON object, and the exit status.

Must not depend on any command. Exit status: 0 success, 1 refused, 2 wrong usage, 3 keys
unavailable, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Final

import click

from ._output import printable, say_json, without_tokens

__all__ = [
    "KEYS_UNAVAILABLE",
    "REFUSED",
    "CommandError",
    "Group",
    "KeysUnavailable",
    "Refused",
]

REFUSED: Final = 1
KEYS_UNAVAILABLE: Final = 3
_INTERRUPTED: Final = 128 + 2  # as shells report SIGINT
_LONGEST: Final = 2000
_AS_JSON: Final = "jwks_client.cli.json"


class CommandError(click.ClickException):
    """An error that ends a command.

    Arguments:
        code: a stable code for programs.
        message: one line for people.
        more: further members of the JSON object, next to ``error``.
    """

    def __init__(
        self, code: str, message: str, *, more: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(printable(without_tokens(message), _LONGEST))
        self.code = code
        self.more = more or {}


class Refused(CommandError):
    """The token was refused."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line to standard error."""
        click.echo(f"Refused: {self.code}, {self.message}", file=file, err=file is None)


class KeysUnavailable(CommandError):
    """Keys are unavailable, so the token cannot be verified."""

    exit_code = KEYS_UNAVAILABLE


class WrongUsage(click.UsageError):
    """Wrong usage, printed the same way under every version of click."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print what is wrong, and where to find help, to standard error."""
        click.echo(f"Error: {self.message}", file=file, err=file is None)
        if self.ctx is not None:
            click.echo(f"See {self.ctx.command_path} --help.", file=file, err=file is None)


class Group(click.Group):
    """The group of all commands, which reports their errors.

    With ``--json`` an error, wrong usage included, is one object on standard output; otherwise it
    is one line on standard error. Everything that looks like a token is truncated.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Look for ``--json`` before parsing, because parsing may fail."""
        as_json = "--json" in args and not extra.get("resilient_parsing")  # to complete words
        try:
            if as_json:
                args = _json_last(args)
            context = super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            if not as_json:
                raise
            raise _printed(_without_secrets(error)) from None
        context.meta[_AS_JSON] = as_json
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report its error."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # click would end with 1, which means that a token was refused.
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except click.ClickException as error:
            safe = _without_secrets(error)
        if not ctx.meta[_AS_JSON]:
            raise safe
        raise _printed(safe)


def _json_last(args: list[str]) -> list[str]:
    """Return the arguments with ``--json`` after the command, which has that option."""
    at = next((at for at, one in enumerate(args) if not one.startswith("-")), len(args))
    before = [one for one in args[:at] if one != "--json"]
    if at == len(args):
        if not before:
            raise click.UsageError("COMMAND is missing")
        return before
    return args if len(before) == at else [*before, args[at], "--json", *args[at + 1 :]]


def _printed(error: click.ClickException) -> click.exceptions.Exit:
    """Print an error as one JSON object, and return the exception that ends the command."""
    code, more = _code_of(error)
    say_json({"error": {"code": code, "message": error.message}, **more})
    return click.exceptions.Exit(error.exit_code)


def _without_secrets(error: click.ClickException) -> click.ClickException:
    """Return the error without tokens, because click's messages quote the arguments."""
    if isinstance(error, CommandError):
        return error
    message = printable(without_tokens(error.format_message()), _LONGEST)
    if isinstance(error, click.UsageError):
        return WrongUsage(message, ctx=error.ctx)
    return click.ClickException(message)


def _code_of(error: click.ClickException) -> tuple[str, Mapping[str, object]]:
    match error:
        case CommandError():
            return error.code, error.more
        case click.UsageError():
            return "usage", {}
        case _:
            return "failed", {}
