"""The documentation site: `make docs` builds it with Sphinx from the pages as they are.

The source folder is the repository, so that links between docs, README, CHANGELOG and examples work
on the site as they do in a checkout.
"""
# ruff: noqa: INP001 (Sphinx reads it; not a package)

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VERSION = re.search(r'"(.+)"', (_ROOT / "jwks_client" / "_version.py").read_text())

project = "jwks-client-sdk"
author = "the jwks-client-sdk maintainers"
release = version = _VERSION[1] if _VERSION else ""
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "examples/*.md", "examples/*/*.md", "tests/attacks/*.md"]
exclude_patterns = ["docs/_build", ".venv*"]
source_suffix = {".md": "markdown"}

extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]
nitpicky = True
pygments_style = "friendly"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "jwks-client-sdk"
html_baseurl = ""
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_sourcelink = False
html_copy_source = False
