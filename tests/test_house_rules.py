"""Rules of this repository that no linter checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import jwks_client

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def stated_tests(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every test function in a file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.name)
def test_every_test_states_its_promise(path):
    """Each test has a docstring that states its promise."""
    silent = [one.name for one in stated_tests(path) if not ast.get_docstring(one)]
    assert silent == []


def test_no_module_is_too_long():
    """A module of the package has at most 400 lines."""
    package = Path(jwks_client.__file__).parent
    long = {
        str(path.relative_to(package)): lines
        for path in package.rglob("*.py")
        if (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}


def test_vectors_stay_where_they_are():
    """No collection of another project is copied here; tests/vectors holds facts and our own recordings."""
    assert [path.name for path in ROOT.rglob("SOURCE.md") if ".venv" not in path.parts] == []


# Phrases of the dialect that this project once had, each with the plain word for it.
BANNED = {
    r"\bmay not know\b": "must not depend on",
    r"(?<!there )\b(is|are) no (string|number|refusal|type|key|setting|token|Provider)\b": "is not a …",
    r"\bno such number\b": "say what it must be",
    r"\b(in|on) the air\b": "in flight",
    r"\bat hand\b": "cached",
    r"\bkeys? sets? in hand\b": "static key set",
    r"\bnot to be had\b": "unavailable",
    r"\bof one's own\b": "custom",
    r"\bpast (its|their) life\b": "stale",
    r"\bwhoever\b": "name the actor",
    r"\btold of\b": "reported",
    r"\bturned away\b": "denied",
    r"\bf?\"takes (a|an|True|strings|the) ": "must be …, got …",
    r"\bHS256 and its kin\b": "HS256, HS384, HS512",
}
# What is clean. It grows, and nothing leaves it.
CLEAN = (
    *("_core", "_web", "_client", "providers", "testing", "cli", "stores", "instrumentation"),
    *("integrations", "errors.py", "events.py", "protocols.py", "decorators.py", "asgi.py"),
    "wsgi.py",
)


def sources(name: str) -> list[Path]:
    """Every module of a folder of the package, or the one module."""
    path = Path(jwks_client.__file__).parent / name
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("name", CLEAN)
def test_the_language_is_plain(name):
    """No docstring, comment or message of a clean part of the package has a banned phrase."""
    found = [
        f"{path.name}:{number}: {match[0]!r} (say: {plain})"
        for path in sources(name)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for phrase, plain in BANNED.items()
        if (match := re.search(phrase, line, re.IGNORECASE))
    ]
    assert found == []


@pytest.mark.parametrize("folder", [".", "docs", "examples"])
def test_the_documents_are_plain(folder):
    """No page has a banned phrase."""
    pages = (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r} (say: {plain})"
        for path in pages
        if "_build" not in path.parts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for phrase, plain in BANNED.items()
        if (match := re.search(phrase, line, re.IGNORECASE))
    ]
    assert found == []
