"""The reference says what the docstrings say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_what_the_code_says():
    """Every setting, attribute and event, with its default; if not: ``python docs/reference.py``."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.rendered() == (DOCS / "reference.md").read_text("utf-8")


def test_every_field_is_told():
    """Whoever adds a setting says in its docstring what it is for, or the page would not have it."""
    page = (DOCS / "reference.md").read_text("utf-8")
    from jwks_client import CachePolicy, FetchPolicy, Provider

    for kind in (Provider, CachePolicy, FetchPolicy):
        for name in kind.__dataclass_fields__:
            assert f"| `{name}` |" in page, f"{kind.__name__}.{name}"
