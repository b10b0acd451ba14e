"""The testing kit as pytest fixtures, loaded through an entry point.

Provides the fixtures, the marker ``jwks`` and the ids of forged tokens. pytest loads it in every
run where the library is installed, so slow modules are imported only when a fixture is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .. import AsyncJWKSClient, JWKSClient
    from . import FakeClock, FakeProvider

__all__ = ["async_jwks_client", "auth_headers", "jwks_client", "jwks_clock", "jwks_provider"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for ``--strict-markers`` and ``--markers``."""
    config.addinivalue_line(
        "markers",
        "jwks(provider=None, *arguments, algorithm=..., **options): the provider that "
        'jwks_provider imitates ("stytch", or a Provider), with its factory\'s arguments; '
        "without provider: issuer=, audience=, algorithm= of the FakeProvider",
    )


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a test after its forged token's flaw; a token is not a readable id."""
    forge: Any = sys.modules.get("jwks_client.testing._forge.forged_token")
    known: Any = val
    return known.name if forge is not None and isinstance(val, forge.ForgedToken) else None


@pytest.fixture
def jwks_clock() -> FakeClock:
    """A `FakeClock` that starts at the real time, so that other verifiers accept its tokens."""
    from .._client.clock import SystemClock
    from ._clock import FakeClock

    return FakeClock(SystemClock().time())


@pytest.fixture
def jwks_provider(request: pytest.FixtureRequest, jwks_clock: FakeClock) -> Generator[FakeProvider]:
    """A `FakeProvider` on ``jwks_clock``; ``@pytest.mark.jwks`` selects its shape."""
    from . import provider

    marker = request.node.get_closest_marker("jwks")
    arguments, options = ((), {}) if marker is None else (marker.args, marker.kwargs)
    with provider(*arguments, clock=jwks_clock, **options) as idp:
        yield idp


@pytest.fixture
def jwks_client(jwks_provider: FakeProvider) -> JWKSClient:
    """A `JWKSClient` for ``jwks_provider``, without sockets."""
    return jwks_provider.client()


@pytest.fixture
def async_jwks_client(jwks_provider: FakeProvider) -> AsyncJWKSClient:
    """An `AsyncJWKSClient` for ``jwks_provider``, without sockets, for any loop and any plugin."""
    return jwks_provider.async_client()


@pytest.fixture
def auth_headers(jwks_provider: FakeProvider) -> Callable[..., dict[str, str]]:
    """A function that returns request headers with a token: ``auth_headers(sub="u1")``."""
    return jwks_provider.auth_headers
