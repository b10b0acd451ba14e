"""What the fuzzer began with, and whatever it ever found, is replayed by every test run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
INPUTS = sorted(path for path in FUZZ.glob("corpus/*/*") if path.is_file())
TARGETS = {}

if not INPUTS:
    pytest.skip("fuzz/ is not beside tests/: nothing to replay", allow_module_level=True)


def load(target):
    """A target, loaded by its path: fuzz/ is no package, and atheris is not needed."""
    if target not in TARGETS:
        spec = importlib.util.spec_from_file_location(
            f"{target}_target", FUZZ / f"{target}_target.py"
        )
        TARGETS[target] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(TARGETS[target])
    return TARGETS[target]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_of_the_corpus_breaks_nothing(path):
    """Only errors of ours come of it, and what is accepted is what any JSON reader reads."""
    load(path.parent.name).check(path.read_bytes())


def test_the_corpus_holds_a_token_that_is_accepted():
    """Or the fuzzer would begin with nothing but refusals, and never reach what comes behind them."""
    good = (FUZZ / "corpus" / "token" / "good").read_bytes()
    for client in load("token").CLIENTS:
        assert client.verify(good).subject == "u1"
