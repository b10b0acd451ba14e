"""Say which tests are slow or need a service; `make test` leaves them out, `make test-all` does not.

A test is marked `extended` by the place it is in or by a fixture that starts a service. A test
elsewhere can have the marker itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

HERE: Final = Path(__file__).parent
PLACES: Final = (
    "cli/test_page_in_browser.py",
    "providers_live",
    "servers",
)
FIXTURES: Final = frozenset({"redis_url", "memcached_address"})


def mark_extended(items: list[pytest.Item]) -> None:
    """Mark the tests in `PLACES`, and those that use one of `FIXTURES`."""
    for item in items:
        in_place = any(item.path.is_relative_to(HERE / place) for place in PLACES)
        if in_place or FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker("extended")
