"""Count how often a client fetches, and write the counts into docs/how-keys-live.md.

    python -m benchmarks.life

The scenarios are those of the tests (tests/scenarios/measured.py), each with both clients. The
counts depend neither on the machine nor on chance, so a test compares the page with them. The
recorded timelines are not in the repository: JWKS_VECTORS names their folder, which by default is
next to the repository.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "scenarios"), str(ROOT / "tests")]

import measured  # noqa: E402 (its folder is on the path only now)

PAGE = ROOT / "docs" / "how-keys-live.md"
BEGIN = "<!-- measured by python -m benchmarks.life: begin -->"
END = "<!-- measured by python -m benchmarks.life: end -->"
KINDS = ("sync", "async")


def row(*cells: object) -> str:
    return f"| {' | '.join(str(one) for one in cells)} |"


def both(values: list[object]) -> str:
    """Return the value of both clients, or both values if they differ."""
    return " / ".join(dict.fromkeys(str(one) for one in values))


def refused(answers: measured.Mapping[str, int]) -> str:
    total = sum(answers.values())
    return f"{total - answers.get(measured.OK, 0)} of {total}"


def scenarios() -> str:
    floods = [measured.flood(kind) for kind in KINDS]
    outages = [measured.outage(kind) for kind in KINDS]
    return "\n".join(
        (
            row("scenario", "counted", "promised"),
            row(*["---"] * 3),
            row(
                "10 000 random kids in 100 s: fetches",
                both([one.fetches for one in floods]),
                "≤ 12",
            ),
            row(
                "… known kids refused among them", both([refused(one.known) for one in floods]), "0"
            ),
            row(
                "… a rotation just after a permit was spent: seen after",
                both([f"{one.rotation_seen_after:g} s" for one in floods]),
                "≤ 10 s",
            ),
            row(
                "60 s of 503 at 1000 verifications a second: GETs",
                both([one.fetches for one in outages]),
                "≤ 12",
            ),
            row("… known kids refused", both([refused(one.known) for one in outages]), "0"),
            row(
                "… its end: noticed after",
                both([f"{one.noticed_after:g} s" for one in outages]),
                "≤ 30 s",
            ),
        )
    )


def timelines(vectors: Path) -> str:
    lines = [
        row("endpoint", "days", "changes", "keys", "brought back", "tokens", "refused", "fetches"),
        row(*["---"] * 8),
    ]
    for name in measured.TIMELINES:
        results = [measured.timeline(kind, name, vectors) for kind in KINDS]
        one = results[0]
        lines.append(
            row(
                name,
                one.days,
                one.changes,
                one.keys,
                one.brought_back,
                one.tokens,
                both([two.tokens - two.published.get(measured.OK, 0) for two in results]),
                both([two.fetches for two in results]),
            )
        )
    return "\n".join(lines)


def written(vectors: Path) -> str:
    return f"""\
## What it costs

Counted with the default settings, on a fake clock. Each random wait has its shortest length, so no
run can fetch more often. Both clients give the same counts.

{scenarios()}

The next table replays recorded rotations of real endpoints, from June to October 2024. Tokens of
every published key arrive 100 s before each change (so the set is fresh when the change comes), at
the change, and 320 s after it. Then tokens of the withdrawn keys arrive, and are refused. No other
tokens arrive in between.

{timelines(vectors)}
"""


def page(text: str, vectors: Path) -> str:
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert between.search(text), f"{PAGE.name} has no markers"
    return between.sub(lambda _: f"{BEGIN}\n\n{written(vectors)}\n{END}", text)


if __name__ == "__main__":
    folder = Path(os.environ.get("JWKS_VECTORS") or ROOT.parent / "shared" / "vectors")
    if not folder.is_dir():
        sys.exit(f"vectors not present at {folder}: set JWKS_VECTORS")
    print(written(folder))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), folder), encoding="utf-8")
