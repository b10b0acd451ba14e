"""``docs/command.md`` shows the actual output of the commands, and lists every finding."""

import importlib.util
import re
from pathlib import Path

import pytest

import jwks_client.cli

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def page():
    return (DOCS / "command.md").read_text(encoding="utf-8")


def test_the_transcripts_are_what_the_commands_say(page):
    """Running the commands of each transcript again gives exactly the committed output."""
    spec = importlib.util.spec_from_file_location("transcripts", DOCS / "transcripts.py")
    transcripts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(transcripts)
    assert page.count("```console") >= 8
    assert transcripts.render(page) == page


def test_the_page_lists_every_finding(page):
    """The page lists exactly the codes of the doctor's modules."""
    package = Path(jwks_client.cli.__file__).parent
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in [
            *(package / "_doctor").glob("*.py"),
            package / "_probe" / "trouble.py",
            package / "_probe" / "target.py",
        ]
    )
    table = page.partition("| code | severity |")[2].partition("\n\n")[0]
    listed = set(
        re.findall(
            r"`([a-z]+(?:_[a-z]+)+)`",
            "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")),
        )
    )
    assert len(listed) > 25
    for code in listed:
        assert f'"{code}"' in source, code
    made = set(
        re.findall(
            r'(?:code=|kind=|_finding\(\s*entry,\s*|_of_set\(|_lifetime_finding\()"(\w+)"', source
        )
    )
    made |= set(re.findall(r'^    "(\w+)": \("(?:error|warning|info)"', source, re.MULTILINE))
    for code in made - {"fetch_failed", "fetch_timeout"}:
        assert f"`{code}`" in page, code
