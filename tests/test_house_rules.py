"""Rules that this repository keeps for itself, where no linter knows them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jwks_client

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def stated_tests(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every test function in a file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.name)
def test_every_test_states_its_promise(path):
    """Each test says in its docstring what it promises."""
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
    """No collection of another project is copied here; tests/vectors holds facts and own recordings."""
    assert [path.name for path in ROOT.rglob("SOURCE.md") if ".venv" not in path.parts] == []
