"""Write docs/providers/live.md: provider, algorithm and rotation, as seen in this run.

``python tests/providers_live/report.py`` prints the page, ``--write`` writes it.
"""
# ruff: noqa: E402, T201 (a script: its folder is on the path only now, and it prints)

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from live import KINDS, Live

from jwks_client import CachePolicy, JWKSClient
from jwks_client.errors import JWKSError

PAGE = HERE.parents[1] / "docs" / "providers" / "live.md"
HEAD = """\
# Tested against real providers

The tests install these providers from their package registries, start them on loopback, and let them
issue tokens. Keys are found by discovery. This page shows what was seen, and is written by
`python tests/providers_live/report.py --write`; `make test-providers` runs the whole table of
scenarios (rotations, a dropped key, an outage, TLS with a private authority, both clients, the
middleware under uvicorn, roles).

"""


def _outcome(client: JWKSClient, token: str) -> str:
    try:
        client.verify(token)
    except JWKSError as error:
        return f"`{error.code}`"
    return "accepted"


def _version(live: Live) -> str:
    package = live.home / "node_modules" / live.name / "package.json"
    if package.exists():
        return str(json.loads(package.read_text())["version"])
    name = live.name.replace("-", "_")
    (found,) = (live.home / "venv").glob(f"lib/python*/site-packages/{name}-*.dist-info")
    return found.name.removeprefix(f"{name}-").removesuffix(".dist-info")


def _lines(live: Live) -> list[str]:
    lines: list[str] = []
    live.start()
    try:
        before = {one: live.token(one) for one in live.algorithms}
        clients = {
            one: JWKSClient(live.provider(one), cache=CachePolicy(failure_backoff=(0.05, 0.1)))
            for one in live.algorithms
        }
        seen = {one: [_outcome(clients[one], before[one])] for one in live.algorithms}
        live.rotate(keep=1)
        for one in live.algorithms:
            seen[one] += [
                _outcome(clients[one], live.token(one)),
                _outcome(clients[one], before[one]),
            ]
        live.drop()
        for one in live.algorithms:
            clients[one].refresh()
            seen[one] += [
                _outcome(clients[one], live.token(one)),
                _outcome(clients[one], before[one]),
            ]
    finally:
        live.stop()
    for one, outcomes in seen.items():
        lines.append(f"| {live.name} {_version(live)} | {one} | {' | '.join(outcomes)} |")
    return lines


def main() -> None:
    """Ask every provider."""
    names = (
        "provider", "algorithm", "a token", "a new token after a rotation",
        "an old token after it", "a new token after the old keys were dropped", "an old token then",
    )  # fmt: skip
    lines = [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            lines += _lines(kind(Path(folder)))
    text = HEAD + "\n".join(lines) + "\n"
    if "--write" in sys.argv:
        PAGE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
