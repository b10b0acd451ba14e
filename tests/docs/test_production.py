"""What docs/production.md says of a worker and its container, without a container."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_a_worker_needs_no_more_memory_than_the_page_says():
    """The measurement runs as the page names it, and remembered tokens cost little."""
    page = (ROOT / "docs/production.md").read_text("utf-8")
    module = re.search(r"^python -m (benchmarks\.\w+)$", page, re.MULTILINE)[1]
    command = [sys.executable, "-m", module]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    empty, made, _, full = (float(line.split()[0]) for line in ended.stdout.splitlines())
    assert full - empty < 1.5 * int(re.search(r"adds about (\d+) MiB", page)[1])
    assert full - made < 4
