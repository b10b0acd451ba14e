"""Servers that are started once for all the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "web"))

from server_processes import SERVERS, Provider, Running, slug, started


@pytest.fixture(scope="module")
def provider() -> Provider:
    """Return the two providers of the tokens that the servers get."""
    return Provider()


@pytest.fixture(scope="module", params=SERVERS, ids=slug)
def running(request: pytest.FixtureRequest, provider: Provider) -> Iterator[Running]:
    """Return each server in turn, with both providers on loopback."""
    with provider.serving() as environment, started(request.param, provider, environment) as one:
        yield one
