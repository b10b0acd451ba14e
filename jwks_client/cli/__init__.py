"""The command ``jwks-client``.

Owns: `main`, the entry point, and what it says where the extra is missing. May not know: the
commands. Nothing here imports click, rich or uvicorn before `main` runs.
"""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec
from typing import Final

__all__ = ["main"]

_EXTRA: Final = ("click", "rich", "uvicorn")
_USAGE: Final = 2


def main() -> None:
    """Run the command; ends in SystemExit: 0 done, 1 refused or failed, 2 wrong usage."""
    missing = [name for name in _EXTRA if _is_missing(name)]
    if missing:
        needs = " and ".join(missing)
        sys.stderr.write(f'jwks-client needs {needs}: pip install "jwks-client-sdk[cli]"\n')
        sys.exit(_USAGE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character must not end the command.
            stream.reconfigure(errors="backslashreplace")
    from ._app import commands

    commands(prog_name="jwks-client")


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ImportError:  # an import hook that says so in its own way
        return True
