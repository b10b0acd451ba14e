"""Format the results of the benchmarks as tables, and insert them into docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN = "<!-- measured by python -m benchmarks --write: begin -->"
END = "<!-- measured by python -m benchmarks --write: end -->"
TIMES = "\N{MULTIPLICATION SIGN}"
PACKAGES = (
    *("jwks-client-sdk", "cryptography", "PyJWT", "httpx", "cachetools", "joserfc", "Authlib"),
    *("python-jose", "jwcrypto", "pyjwt-key-fetcher", "fastmcp", "uvicorn", "httptools", "uvloop"),
    *("fastapi", "pybase64", "orjson"),
)


BUSY = 0.7  # of each core


class Row(NamedTuple):
    what: str
    measured: str
    ratio: str = ""
    goal: str = ""


class Section(NamedTuple):
    """A table; ``compared`` names what its ratios are relative to."""

    title: str
    text: str
    compared: str
    rows: list[Row]


def micro(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} µs"


def milli(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def times(ratio: float) -> str:
    return f"{ratio:.{3 if ratio < 0.995 else 2}f} {TIMES}"


def spaced(number: int) -> str:
    return f"{number:_}".replace("_", " ")


def at_most(value: float, limit: float, unit: str = "") -> str:
    return f"≤ {limit:g}{unit}" + ("" if value <= limit else ", **missed**")


def table(section: Section) -> str:
    lines = [
        f"### {section.title}",
        "",
        *([section.text, ""] if section.text else []),
        f"| | measured | {section.compared} | goal |",
        "| --- | ---: | ---: | --- |",
        *(f"| {' | '.join(row)} |" for row in section.rows),
    ]
    return "\n".join(lines)


def setting() -> str:
    """Return a sentence about the machine, its load, the Python and the packages measured."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    return (
        f"Measured on {_processor()} ({os.cpu_count()} cores, {platform.system()}) with "
        f"{platform.python_implementation()} {platform.python_version()} and {versions}."
        f"{_circumstances()}"
    )


def _circumstances() -> str:
    load, cores = _load(), os.cpu_count() or 1
    if load < BUSY * cores:
        return ""
    realtime = hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) == os.SCHED_FIFO
    before = ", but the benchmarks had real-time priority" if realtime else ""
    return f" The machine had other work (load {load:.0f} on {cores} cores){before}."


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        found = re.search(r"model name\s*:\s*(.+)", cpu.read_text(encoding="utf-8"))
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def busy() -> str | None:
    """Return a warning if the machine has other work."""
    load, cores = _load(), os.cpu_count() or 1
    if load < BUSY * cores:
        return None
    return f"the machine is busy (load {load:.1f} on {cores} cores): measure again when it is idle"


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def written(page: str, text: str) -> str:
    """Return the page with the text between its markers."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert between.search(page), f"{PAGE.name} has no markers"
    return between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)
