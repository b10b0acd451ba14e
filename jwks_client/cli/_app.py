"""All commands under one name.

Owns: the group, and so what every command shares: help, version, exit status. May not know: what a
command does. A command is a module of its own that imports what it needs when it runs, so that
``--help`` and ``--version`` are quick; here it is added.

Exit status: 0 done, 1 refused or failed, 2 wrong usage (click's own), 3 keys not to be had.
"""

from __future__ import annotations

import click

from .. import __version__
from ._commands.decode import decode
from ._commands.keys import keys
from ._commands.verify import verify
from ._demo import demo
from ._doctor import doctor
from ._errors import Group
from ._serve.command import serve

__all__ = ["commands"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jwks-client", message="%(prog)s %(version)s")
def commands() -> None:
    """JWTs and the keys that verify them, on the command line."""


for _command in (keys, verify, decode, doctor, serve, demo):
    commands.add_command(_command)
