"""docs/how-keys-live.md matches the code: its table is the code's own, its counts are those of the tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-keys-live.md"


def load(path: Path) -> ModuleType:
    if not path.is_file():
        pytest.skip(f"{path} does not exist: the sdist has no benchmarks")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_diagram_is_of_the_real_table():
    """The committed tables and diagram are the script's output; if not: ``python docs/diagrams/draw_states.py``."""
    draw = load(ROOT / "docs" / "diagrams" / "draw_states.py")
    text = PAGE.read_text(encoding="utf-8")
    assert draw.page(text) == text


def test_the_diagram_changes_with_the_table(monkeypatch):
    """A changed rule changes the diagram."""
    draw = load(ROOT / "docs" / "diagrams" / "draw_states.py")
    before = draw.drawn()
    monkeypatch.setattr(draw.KeyCache, "in_backoff", lambda self, now: False)
    assert draw.drawn() != before


@pytest.mark.extended
@pytest.mark.collection("jwks-rotation")
def test_the_counts_are_those_of_the_tests(vectors, monkeypatch):
    """The committed figures are the counts of the scenarios; if not: ``python -m benchmarks.life``."""
    monkeypatch.syspath_prepend(str(ROOT))
    life = load(ROOT / "benchmarks" / "life.py")
    text = PAGE.read_text(encoding="utf-8")
    assert life.page(text, vectors) == text
