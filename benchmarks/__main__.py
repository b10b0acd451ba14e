"""All benchmarks: `python -m benchmarks`, or `make bench`; peers are the extra `bench`.

    python -m benchmarks              all of it, in under three minutes
    python -m benchmarks --quick      a rough look, in under twenty seconds
    python -m benchmarks --write      also into docs/performance.md and its figure
    python -m benchmarks --only web   one part of it; --help lists them

How often a provider is asked is counted by `python -m benchmarks.life`.
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
    parser.add_argument("--only", choices=["verification", *PARTS], help="one part of it")
    asked = parser.parse_args()
    if asked.write and (asked.quick or asked.only):
        parser.error("what is written is measured in full")
    if asked.write and not find_spec("matplotlib"):
        parser.error("the figure wants matplotlib: pip install -e '.[fast]' --group bench")
    measure = QUICK if asked.quick else FULL
    _prepare()
    begun = perf_counter()
    told = [setting()]
    print(told[0])
    for part in ["verification", *PARTS]:
        if asked.only not in {None, part}:
            continue
        for section in _sections(part, measure, plotted=asked.write):
            told.append(table(section))
            print(f"\n{told[-1]}", flush=True)
    if asked.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), "\n\n".join(told)), "utf-8")
        print(f"\nwritten: {PAGE} and {FIGURE}")
    print(f"\n{perf_counter() - begun:.0f} s", file=sys.stderr)


def _prepare() -> None:
    # A proxy of the machine's would be asked for loopback addresses too.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    warnings.simplefilter("ignore")  # peers' own deprecations
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
