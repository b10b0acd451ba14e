"""The reference page matches the docstrings."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import jwks_client

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_matches_the_code():
    """Every setting, attribute and event is there with its default; if not: ``python docs/reference.py``."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.rendered() == (DOCS / "reference.md").read_text("utf-8")


def test_every_field_is_documented():
    """Every setting has a docstring, from which the page is made."""
    page = (DOCS / "reference.md").read_text("utf-8")
    from jwks_client import CachePolicy, FetchPolicy, Provider

    for kind in (Provider, CachePolicy, FetchPolicy):
        for name in kind.__dataclass_fields__:
            assert f"| `{name}` |" in page, f"{kind.__name__}.{name}"


def test_the_page_on_production_names_every_logger():
    """An operator who configures each listed logger misses no record."""
    package = Path(jwks_client.__file__).parent
    loggers = {
        name
        for path in package.rglob("*.py")
        if "testing" not in path.parts and "cli" not in path.parts
        for name in re.findall(r'getLogger\("([\w.]+)"\)', path.read_text("utf-8"))
    }
    logs = (DOCS / "production.md").read_text("utf-8").partition("\n## Logs\n")[2]
    assert (
        set(re.findall(r"^\| `([\w.]+)` \|", logs.partition("\n## ")[0], re.MULTILINE)) == loggers
    )
