"""Fuzz each target for a while, guided by coverage: ``python -m fuzz TARGET…`` (atheris).

Owns the corpus on disk and the limits of a run. Must not depend on: what a target checks.

New inputs of the fuzzer go to the folder that ``--keep`` names, or are discarded.
``python -m fuzz.seed`` writes the seeds of the corpus in the repository. Add an input that revealed
a defect to the corpus, under a descriptive name; the tests replay all inputs.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGETS = ("token", "key_set", "bearer")
LONGEST_INPUT = 4096
SECONDS_A_CASE = 10  # an input that takes longer counts as a hang


def main() -> int:
    """Run each target in a separate process; return 1 if any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"any of {', '.join(TARGETS)}; by default all")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--keep", type=Path, help="the folder for new inputs")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        fuzz(given.targets[0], given.seconds, given.keep)
        return 0
    failed = []
    for target in given.targets or TARGETS:
        with tempfile.TemporaryDirectory() as found:
            keep = given.keep / target if given.keep else Path(found)
            keep.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "fuzz", target, "--here", "--keep", str(keep)]
            print(f"== {target}: {given.seconds} s", flush=True)
            if subprocess.run([*command, "--seconds", str(given.seconds)], check=False).returncode:
                failed.append(target)
    print(f"FAILED: {', '.join(failed)}" if failed else "no target found a defect")
    return 1 if failed else 0


def fuzz(target: str, seconds: int, found: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["jwks_client"]):
        check = importlib.import_module(f"fuzz.{target}_target").check
    corpus = HERE / "corpus" / target
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "timeout": SECONDS_A_CASE,
        "rss_limit_mb": 2048,
        "print_final_stats": 1,
        "artifact_prefix": f"fuzz-{target}-",
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    if (HERE / f"{target}.dict").is_file():
        arguments.append(f"-dict={HERE / f'{target}.dict'}")
    atheris.Setup([sys.argv[0], *arguments, str(found), str(corpus)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
