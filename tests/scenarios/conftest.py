"""Fixtures of the scenarios: the provider signs ES256, whose keys are made in no time."""

from __future__ import annotations

import pytest

from jwks_client.testing import FakeClock, FakeProvider


@pytest.fixture
def idp(clock: FakeClock) -> FakeProvider:
    """A fake provider on ``clock``."""
    return FakeProvider(algorithm="ES256", clock=clock)
