"""The places of test vectors: ``tests/vectors``, and collections of other projects elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OWN = Path(__file__).parent / "vectors"
OUTSIDE = Path(os.environ.get("JWKS_VECTORS") or OWN.parents[2] / "shared" / "vectors")


class Vectors:
    """The files of vectors by their path: in the repository, or else outside it."""

    def __truediv__(self, name: str) -> Path:
        return OWN / name if (OWN / name).exists() else OUTSIDE / name


def leave_out_absent(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose collection is absent; tests/conformance skips a line for each.

    They stay, and fail, if ``JWKS_VECTORS`` names a folder, since that folder should have them.
    """
    if os.environ.get("JWKS_VECTORS"):
        return
    absent = [item for item in items if any(not (OUTSIDE / name).exists() for name in needs(item))]
    config.hook.pytest_deselected(items=absent)
    items[:] = [item for item in items if item not in absent]


def needs(item: pytest.Item) -> list[str]:
    """Return the collections that a test reads."""
    return [name for mark in item.iter_markers("collection") for name in mark.args]
