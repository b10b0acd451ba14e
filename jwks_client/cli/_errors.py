"""How a command ends that could not do its work: one line, or one JSON object, and the status.

Owns: exit status and the shape of errors. May not know: any command.

Exit status: 0 done, 1 refused, 2 wrong usage, 3 the keys are not to be had.
"""

from __future__ import annotations

from typing import IO, Any, Final

import click

from ..errors import ConfigurationError
from ._output import printable, say_json, without_tokens

__all__ = [
    "KEYS_UNAVAILABLE",
    "REFUSED",
    "Ended",
    "Group",
    "KeysNotToBeHad",
    "Refused",
    "wrong_setting",
]

REFUSED: Final = 1
KEYS_UNAVAILABLE: Final = 3
_LONGEST: Final = 2000
_AS_JSON: Final = "jwks_client.cli.json"


class Ended(click.ClickException):
    """A command that ends without having done its work.

    Arguments:
        code: a stable word for programs.
        message: one line for people.
        more: further members of the JSON object, beside ``error``.
    """

    def __init__(self, code: str, message: str, *, more: dict[str, object] | None = None) -> None:
        super().__init__(printable(without_tokens(message), _LONGEST))
        self.code = code
        self.more = more or {}


class Refused(Ended):
    """What was to be judged was judged, and is no good."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """One line on standard error."""
        click.echo(f"Refused: {self.code}, {self.message}", file=file, err=file is None)


class KeysNotToBeHad(Ended):
    """There are no keys to judge by."""

    exit_code = KEYS_UNAVAILABLE


class Misused(click.UsageError):
    """Wrong usage, told alike under each click: what is wrong, and where the help is."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Two lines on standard error."""
        click.echo(f"Error: {self.message}", file=file, err=file is None)
        if self.ctx is not None:
            click.echo(f"See {self.ctx.command_path} --help.", file=file, err=file is None)


def wrong_setting(error: ConfigurationError) -> click.UsageError:
    """A setting that the library refuses is an option that the command was given wrongly."""
    return click.UsageError(error.message)


class Group(click.Group):
    """The group of all commands: every failure of one of them comes by here.

    With ``--json`` it becomes one object on standard output, wrong usage too; without, one line on
    standard error. Either way without what looks like a token.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note early whether JSON is wanted: the failure may be in the arguments themselves."""
        ctx.meta[_AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and tell of its failure."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            told = _told(error)
        if not ctx.meta[_AS_JSON]:
            raise told
        code, more = _code_of(told)
        say_json({"error": {"code": code, "message": told.message}, **more})
        return ctx.exit(told.exit_code)


def _told(error: click.ClickException) -> click.ClickException:
    """The same with a message of its own: click's own kinds make theirs from what was typed."""
    if isinstance(error, Ended):
        return error
    message = printable(without_tokens(error.format_message()), _LONGEST)
    if isinstance(error, click.UsageError):
        return Misused(message, ctx=error.ctx)
    return click.ClickException(message)


def _code_of(error: click.ClickException) -> tuple[str, dict[str, object]]:
    match error:
        case Ended():
            return error.code, error.more
        case click.UsageError():
            return "usage", {}
        case _:
            return "failed", {}
