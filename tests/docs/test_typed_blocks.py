"""The code of pages and examples passes mypy --strict, as it must in a reader's own project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_code_blocks import ROOT, RUN, blocks_of, code_of, runnable

OPTIONS = (
    "--strict",
    "--python-version=3.11",
    "--config-file=",  # a reader does not have the settings of this repository
    f"--cache-dir={ROOT / '.mypy_cache/pages'}",
    "--no-error-summary",
    # Later blocks of a page use names such as `client` and `app` again. A reader copies one.
    "--allow-redefinition-new",
    "--local-partial-types",
    # Django, Django REST framework and Celery are not typed. Their stubs come from other projects,
    # need a plugin that loads a site's settings, and do not know `request.token`.
    "--ignore-missing-imports",
    "--allow-subclassing-any",
    "--allow-untyped-decorators",
)


def source_of(page: Path) -> str:
    """Return the code of a page, on the lines of the page, after the ``token`` that tests give it."""
    source = "token = str()"
    for block in blocks_of(page):
        if block.language in RUN:
            source += "\n" * (block.line - 1 - source.count("\n")) + code_of(block)
    return source


def test_the_code_of_pages_and_examples_passes_mypy_strict(tmp_path):
    """A reader who copies code into a typed project need not add types."""
    pytest.importorskip("mypy", reason="mypy is in the dependency group dev, not installed here")
    for number, page in enumerate(runnable):
        (tmp_path / f"page_{number}.py").write_text(source_of(page))
    command = [sys.executable, "-m", "mypy", *OPTIONS, ".", *(ROOT / "examples").rglob("*.py")]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    pages = [str(page.relative_to(ROOT)) for page in runnable]
    errors = re.sub(r"page_(\d+)\.py", lambda found: pages[int(found[1])], ended.stdout)
    assert ended.returncode == 0, errors + ended.stderr
