"""What a start costs: `import jwks_client`, in interpreters of their own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from .measuring import Measure
from .report import Row, Section, at_most, milli, times

OURS = "import jwks_client"
THEIRS = "import jwt, httpx, cachetools"
CLIENT = (
    "from jwks_client import JWKSClient, providers;"
    "JWKSClient(providers.stytch('project-test-0a1b2c3d'))"
)
TIMED = "from time import process_time; begun = process_time(); {}; print(process_time() - begun)"


def imports(measure: Measure) -> Section:
    rounds: dict[str, list[float]] = {OURS: [], THEIRS: [], CLIENT: []}
    for number in range(measure.processes + 1):
        for statement, some in rounds.items():
            seconds = _seconds(statement)
            if number:  # the first may still compile
                some.append(seconds)
    ours, theirs, client = (statistics.median(some) for some in rounds.values())
    return Section(
        "The start",
        "PyJWT, cryptography and httpx are imported when the first client is made, so that neither "
        "`import jwks_client` nor a request pays for them.",
        "beside the three",
        [
            Row(f"`{THEIRS}`", milli(theirs), times(1.0)),
            Row(f"`{OURS}`", milli(ours), times(ours / theirs), at_most(ours / theirs, 0.6)),
            Row("… and the first client made", milli(client), times(client / theirs)),
        ],
    )


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", TIMED.format(statement)]
    # With compiled modules, as they are wherever this is installed.
    here = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=here)  # noqa: S603
    return float(done.stdout)
