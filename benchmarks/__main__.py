"""Run all benchmarks: `python -m benchmarks`, or `make bench`.

    python -m benchmarks              everything, in under three minutes
    python -m benchmarks --quick      rough figures, in under twenty seconds
    python -m benchmarks --write      also update docs/performance.md and its figure
    python -m benchmarks --only web   one part; --help lists the parts

The dependency group `bench` installs the other libraries. `python -m benchmarks.life` counts how
often a client fetches.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from time import perf_counter

from .imports import imports
from .measuring import FULL, QUICK, Measure
from .memory import memory
from .plot import FIGURE, draw
from .real_tokens import real_tokens
from .report import PAGE, Section, busy, setting, table, written
from .verification import GOALS, verification
from .waits import waits
from .web import web

PARTS: dict[str, Callable[[Measure], Iterator[Section] | list[Section]]] = {
    "real_tokens": real_tokens,
    "memory": lambda measure: [memory(measure)],
    "web": web,
    "waits": lambda measure: [waits(measure)],
    "imports": lambda measure: [imports(measure)],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: figures are rough")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--only", choices=["verification", *PARTS], help="run one part only")
    asked = parser.parse_args()
    if asked.write and (asked.quick or asked.only):
        parser.error("--write must not be combined with --quick or --only")
    if asked.write and not find_spec("matplotlib"):
        parser.error("the figure needs matplotlib: pip install -e '.[fast]' --group bench")
    measure = QUICK if asked.quick else FULL
    _prepare()
    begun = perf_counter()
    report = [setting()]
    print(report[0])
    for part in ["verification", *PARTS]:
        if asked.only not in {None, part}:
            continue
        for section in _sections(part, measure, plotted=asked.write):
            report.append(table(section))
            print(f"\n{report[-1]}", flush=True)
    if asked.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), "\n\n".join(report)), "utf-8")
        print(f"\nwritten: {PAGE} and {FIGURE}")
    print(f"\n{perf_counter() - begun:.0f} s", file=sys.stderr)


def _prepare() -> None:
    # Otherwise requests to loopback would also go through this machine's proxy.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    warnings.simplefilter("ignore")  # deprecation warnings of the other libraries
    warning = busy()
    if warning:
        print(f"warning: {warning}", file=sys.stderr)


def _sections(part: str, measure: Measure, *, plotted: bool) -> Iterator[Section]:
    if part != "verification":
        yield from PARTS[part](measure)
        return
    for algorithm in GOALS:
        section, seconds = verification(measure, algorithm)
        yield section
        if plotted and algorithm == "RS256":
            draw(seconds)


if __name__ == "__main__":
    main()
