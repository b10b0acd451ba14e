"""The entry point of the command ``jwks-client``.

Must not import a library of the extra before `main` runs, which reports a missing one.
"""

from __future__ import annotations

import io
import os
import sys
from importlib.util import find_spec
from typing import Final

__all__ = ["main"]

_EXTRA: Final = ("click", "jinja2", "rich", "starlette", "uvicorn")
_USAGE: Final = 2


def main() -> None:
    """Run the command and exit with its status."""
    _replace_closed_streams()
    missing = [name for name in _EXTRA if _is_missing(name)]
    if missing:
        needs = ", ".join(missing)
        sys.stderr.write(f'jwks-client needs {needs}: pip install "jwks-client-sdk[cli]"\n')
        sys.exit(_USAGE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal cannot encode must not abort the command.
            stream.reconfigure(errors="backslashreplace")
    from ._app import commands

    commands(prog_name="jwks-client")


def _replace_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed (``<&-``).

    Python sets such a stream to None. A socket could get its number and receive its output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            stream = open(null, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 (used to the end)
            setattr(sys, name, stream)


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ImportError:  # raised by some import hooks
        return True
