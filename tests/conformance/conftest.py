"""Find the test vectors: those in the repository, and collections of other projects outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vectors import OUTSIDE, Vectors

MARK = "collection"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    text = f"{MARK}(*names): needs these collections of vectors, which lie outside the repository"
    config.addinivalue_line("markers", text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose collection is absent; `test_all_files` skips one line for each.

    In CI they stay, and fail.
    """
    if os.environ.get("CI"):
        return
    absent = [one for one in items if not all(map(is_here, collections_of(one)))]
    config.hook.pytest_deselected(items=absent)
    items[:] = [one for one in items if one not in absent]


def collections_of(item: pytest.Item) -> list[str]:
    """Return the collections that a test reads."""
    return [name for mark in item.iter_markers(MARK) for name in mark.args]


def is_here(name: str) -> bool:
    """Return whether a collection lies outside the repository, where it belongs."""
    return (OUTSIDE / name).exists()


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    """Return the vectors of the repository, and those outside it."""
    return Vectors()


@pytest.fixture(scope="session")
def outside() -> Path:
    """Return the folder of the collections outside the repository."""
    return OUTSIDE
