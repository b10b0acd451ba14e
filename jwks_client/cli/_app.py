"""All commands under one name.

Owns: the group, and so what every command shares: help, version, exit status. May not know: what a
command does. A command is a module of its own that imports what it needs when it runs, so that
``--help`` and ``--version`` are quick; here it is added.

Exit status: 0 done, 1 refused or failed, 2 wrong usage (click's own).
"""

from __future__ import annotations

import click

from .. import __version__
from ._demo import demo
from ._serve import serve

__all__ = ["commands"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jwks-client", message="%(prog)s %(version)s")
def commands() -> None:
    """JWTs and the keys that verify them, on the command line."""


commands.add_command(demo)
commands.add_command(serve)
