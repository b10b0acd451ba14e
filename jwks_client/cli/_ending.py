"""How a command ends that could not do its work: one line, or one JSON object, and the status.

Owns: exit status and the shape of errors. May not know: any command.

Exit status: 0 done, 1 refused, 2 wrong usage, 3 the keys are not to be had.
"""

from __future__ import annotations

from typing import Any, Final

import click

from ..errors import ConfigurationError
from ._shown import printable, say_json, without_tokens

__all__ = ["KEYS_UNAVAILABLE", "REFUSED", "USAGE", "Ended", "Group", "wrong_setting"]

REFUSED: Final = 1
USAGE: Final = 2
KEYS_UNAVAILABLE: Final = 3
_AS_JSON: Final = "jwks_client.cli.json"


class Ended(click.ClickException):
    """A command that ends without having done its work.

    Arguments:
        status: the exit status.
        code: a stable word for programs.
        message: one line for people.
        more: further members of the JSON object, beside ``error``.
    """

    def __init__(
        self, status: int, code: str, message: str, *, more: dict[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = status
        self.code = code
        self.more = more or {}


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
            message = printable(without_tokens(error.format_message()), longest=2000)
            error.message = message
            if not ctx.meta[_AS_JSON]:
                raise _told(error, message) from None
            code = error.code if isinstance(error, Ended) else _code_of(error)
            more = error.more if isinstance(error, Ended) else {}
            say_json({"error": {"code": code, "message": message}, **more})
            ctx.exit(error.exit_code)


def _told(error: click.ClickException, message: str) -> click.ClickException:
    if not isinstance(error, click.UsageError):
        return error
    # click's own kinds of usage error make their text anew from what was typed.
    return click.UsageError(message, ctx=error.ctx)


def _code_of(error: click.ClickException) -> str:
    return "usage" if isinstance(error, click.UsageError) else "failed"
