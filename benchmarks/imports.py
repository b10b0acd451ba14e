"""The cost of startup: `import jwks_client`, each time in a new interpreter."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from .measuring import Measure
from .report import Row, Section, at_most, milli, times

OURS = "import jwks_client"
THEIRS = "import jwt, httpx, cachetools"
# As if click was not installed: then httpx does not import rich and pygments either.
WITHOUT_COMMAND = f"import sys; sys.modules['click'] = None; {THEIRS}"
CLIENT = (
    "from jwks_client import JWKSClient, providers;"
    "JWKSClient(providers.stytch('project-test-0a1b2c3d'))"
)
TIMED = "from time import process_time; begun = process_time(); {}; print(process_time() - begun)"


def imports(measure: Measure) -> Section:
    rounds: dict[str, list[float]] = {OURS: [], THEIRS: [], WITHOUT_COMMAND: [], CLIENT: []}
    for number in range(measure.processes + 1):
        for statement, some in rounds.items():
            seconds = _seconds(statement)
            if number:  # the first may compile modules
                some.append(seconds)
    ours, theirs, bare, client = (statistics.median(some) for some in rounds.values())
    return Section(
        "Startup",
        "PyJWT, cryptography and httpx, with what httpx imports for a fetch, are imported when the "
        "first client is made. So neither `import jwks_client` nor a request pays for them.",
        "relative to the first row",
        [
            Row(f"`{THEIRS}`", milli(theirs), times(1.0)),
            Row("… where click is not installed", milli(bare), times(bare / theirs)),
            Row(f"`{OURS}`", milli(ours), times(ours / theirs), at_most(ours / theirs, 0.6)),
            Row("… and create the first client", milli(client), times(client / theirs)),
        ],
    )


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", TIMED.format(statement)]
    # With compiled modules, as after an installation.
    here = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=here)  # noqa: S603
    return float(done.stdout)
