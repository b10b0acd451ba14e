"""The command group that all commands belong to.

Each command imports what it needs when it runs, so that ``--help`` and ``--version`` are fast.
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
    """Inspect and verify JWTs, and the keys that verify them."""


for _command in (keys, verify, decode, doctor, serve, demo):
    commands.add_command(_command)
