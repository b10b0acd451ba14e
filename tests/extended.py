"""Mark the tests that are slow or need a service; `make test` leaves them out, `make test-all` does not.

A test is marked `extended` by the place it is in or by a fixture that starts a service. A test
elsewhere can have the marker itself.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

HERE: Final = Path(__file__).parent
# Tests with services, processes, or real deadlines of real sockets.
PLACES: Final = (
    "cli/test_demo.py",
    "cli/test_page_in_browser.py",
    "cli/test_serve.py",
    "client/test_wire.py",
    "docs/test_examples.py",
    "docs/test_production.py",
    "docs/test_typed_blocks.py",
    "providers_live",
    "scenarios/test_processes.py",
    "servers",
    "stores/test_fleets.py",
    "testing/test_example_project.py",
    "testing/test_plugin.py",
)
FIXTURES: Final = frozenset({"redis_url", "memcached_address"})


def mark_extended(items: list[pytest.Item]) -> None:
    """Mark the tests in `PLACES`, and those that use one of `FIXTURES`."""
    for item in items:
        if _is_in_place(item.path) or FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker("extended")


@cache
def _is_in_place(path: Path) -> bool:
    return any(path.is_relative_to(HERE / place) for place in PLACES)
