"""The list of attacks in README.md matches the tests of this folder and contains every required class."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SECTION = re.compile(r"^## (.+)$")
TEST = re.compile(r"^- `(test_\w+\.py)::(test_\w+)`$")
# Classes that other projects keep as regression tests; each has tests here.
REGRESSIONS = {
    "Unsigned copy",
    "Public key as a secret",
    "Key brought along",
    "Kid as more than a name",
    "Signature damaged or borrowed",
    "Algorithm renamed",
    "Empty secret",
    "Neighbour at the same host",
}


def listed():
    """Return the classes of the list, each with its tests."""
    classes = {}
    tests = []
    for line in (FOLDER / "README.md").read_text().splitlines():
        if section := SECTION.match(line):
            tests = classes.setdefault(section[1], [])
        elif test := TEST.match(line):
            tests.append((test[1], test[2]))
    return classes


def there():
    """Return the tests of this folder, without those of the list itself."""
    return [
        (path.name, node.name)
        for path in sorted(FOLDER.glob("test_*.py"))
        if path.name != Path(__file__).name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_every_attack_is_listed_exactly_once():
    """Every test has its class in the list, and every listed test exists."""
    names = [one for tests in listed().values() for one in tests]
    assert sorted(names) == sorted(there())


def test_every_class_has_tests():
    """Every required class is listed, and every listed class has tests."""
    classes = listed()
    assert classes.keys() >= REGRESSIONS
    assert [name for name, tests in classes.items() if not tests] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_a_file_of_attacks_is_short(path):
    """A file of attacks has at most 400 lines."""
    assert path.read_text().count("\n") <= 400
