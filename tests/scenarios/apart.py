"""Separate Python processes, for what only another process can see: their end, warnings and forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from child_processes import child

import jwks_client

PATIENCE = 30.0  # real seconds after which a working operation is long done
SCRIPTS = Path(__file__).with_name("processes")
STRICT = ("-X", "dev", "-W", "error")  # Python's development mode, and every warning an error


class Outcome(NamedTuple):
    """The output and exit status of a process."""

    status: int
    out: str
    err: str


@contextmanager
def started(
    script: str, *arguments: str, mode: tuple[str, ...] = STRICT
) -> Iterator[subprocess.Popen[str]]:
    """Start a script of ``processes/`` in another Python, which does not outlive the block."""
    with child(
        [sys.executable, *mode, str(SCRIPTS / f"{script}.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        yield process


def end(process: subprocess.Popen[str], word: str = "", within: float = PATIENCE) -> Outcome:
    """Signal a process and wait for its end; raise AssertionError if it does not end."""
    try:
        out, err = process.communicate(word, timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end; it said {out!r} and {err!r}") from None
    return Outcome(process.returncode, out, err)


def run(script: str, *arguments: str, mode: tuple[str, ...] = STRICT) -> Outcome:
    """Start a script and wait for its end."""
    with started(script, *arguments, mode=mode) as process:
        return end(process)


def environment() -> dict[str, str]:
    """Return this process's environment, with this very package on the path, and without a proxy for loopback."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("PYTHON")
    }
    return inherited | {"PYTHONPATH": str(Path(jwks_client.__file__).parents[1])}
