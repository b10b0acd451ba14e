"""Each test run replays the fuzzer's first inputs and everything it found."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
INPUTS = sorted(path for path in FUZZ.glob("corpus/*/*") if path.is_file())
TARGETS = {}

if not INPUTS:
    pytest.skip("the sdist has no fuzz/, and so no corpus", allow_module_level=True)


def load(target):
    """Load a target by its path: fuzz/ is not a package, and atheris is not needed."""
    if target not in TARGETS:
        spec = importlib.util.spec_from_file_location(
            f"{target}_target", FUZZ / f"{target}_target.py"
        )
        TARGETS[target] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(TARGETS[target])
    return TARGETS[target]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_of_the_corpus_breaks_nothing(path):
    """Each input is accepted as any JSON reader would read it, or raises an error of this library."""
    assert_harmless = load(path.parent.name).check
    assert_harmless(path.read_bytes())


def test_the_corpus_contains_an_accepted_token():
    """The corpus contains an accepted token; otherwise the fuzzer would only explore refusals."""
    good = (FUZZ / "corpus" / "token" / "good").read_bytes()
    for client in load("token").CLIENTS:
        assert client.verify(good).subject == "u1"
