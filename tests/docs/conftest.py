"""What the tests of documents and examples share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from accounts import FakeInternet, fake_internet


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInternet]:
    """An internet of nothing but what a test publishes; loopback stays real."""
    # A proxy of the machine's own would be asked in place of these hosts.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with fake_internet(monkeypatch) as internet:
        yield internet
