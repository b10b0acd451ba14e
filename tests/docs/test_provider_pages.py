"""The provider pages: one for each factory, and an answer with a source and a date to each question."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from jwks_client import providers

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "providers"
PAGES = sorted(
    set(FOLDER.glob("*.md")) - {FOLDER / one for one in ("README.md", "adding.md", "live.md")}
)
FACTORIES = {name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))}
QUESTIONS = [
    "Header or cookie",
    "The user",
    "Roles",
    "Organization",
    "Lifetime",
    "How a session ends, and how to check",
    "Browser apps on another origin",
]
DATE = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]")


def test_every_factory_is_on_a_page_of_its_provider():
    """The code of the pages makes each kind of provider, except the general ones."""
    named = {
        name
        for page in PAGES
        for name in re.findall(r"\bproviders\.([a-z]\w+)\(", page.read_text(encoding="utf-8"))
    }
    assert named == FACTORIES - {"generic", "oidc"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_answers_every_question_with_a_source_and_a_date(page):
    """An answer names its source and date, or says that nothing was found."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ][-len(QUESTIONS) :]
    assert [row[0] for row in rows] == QUESTIONS
    for _, answer, source, checked in rows:
        if answer == "not documented":
            assert (source, checked) == ("—", "—")
        else:
            assert source not in {"", "—"}
            assert DATE.fullmatch(checked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_code(page):
    """After its title and one sentence, a page shows the line that a reader copies."""
    parts = page.read_text(encoding="utf-8").split("\n\n")
    assert parts[0].startswith("# ")
    assert parts[2].startswith("```python")


@pytest.mark.parametrize("name", sorted(FACTORIES - {"generic", "oidc"}))
def test_the_facts_of_a_factory_carry_a_date(name):
    """Its docstring has the day on which its sources were read, or names the factory that has it."""
    text = inspect.getdoc(getattr(providers, name)) or ""
    checked = " ".join(text.partition("Checked against:")[2].split())
    assert DATE.search(checked) or re.match(r"as for `\w+`\.", checked)
