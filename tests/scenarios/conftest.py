"""Fixtures of the scenarios: the provider signs with ES256, whose keys are cheap to make."""

from __future__ import annotations

import pytest

from jwks_client.testing import FakeClock, FakeProvider


@pytest.fixture
def idp(clock: FakeClock) -> FakeProvider:
    """Return a fake provider on ``clock``."""
    return FakeProvider(algorithm="ES256", clock=clock)
