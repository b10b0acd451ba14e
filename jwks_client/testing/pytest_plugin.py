"""The kit as pytest fixtures, found by pytest through an entry point.

Owns: the fixtures. It is loaded in every pytest run where the library is installed, so it imports
nothing until a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import FakeClock, FakeProvider

__all__ = ["jwks_clock", "jwks_provider"]


@pytest.fixture
def jwks_clock() -> FakeClock:
    """A `FakeClock` that starts at the real time, so that other verifiers agree with it."""
    from .._clock import SystemClock
    from ._clock import FakeClock

    return FakeClock(SystemClock().time())


@pytest.fixture
def jwks_provider(jwks_clock: FakeClock) -> FakeProvider:
    """A `FakeProvider` on ``jwks_clock``."""
    from ._provider import FakeProvider

    return FakeProvider(clock=jwks_clock)
