"""The providers, each started once for the tests of a module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "web"))

from live import KINDS, Live


@contextmanager
def _started(kind: type[Live], folder: Path, *, tls: bool = False) -> Iterator[Live]:
    live = kind(folder, tls=tls)
    try:
        live.start()
        yield live
    finally:
        live.stop()


def _name(kind: type[Live]) -> str:
    return kind.name


@pytest.fixture(scope="module", params=KINDS, ids=_name)
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """Return each provider in turn, over http on loopback."""
    with _started(request.param, tmp_path_factory.mktemp(request.param.name)) as one:
        yield one


@pytest.fixture(params=KINDS, ids=_name)
def secured(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """Return each provider in turn, over https with a certificate of a private authority."""
    with _started(request.param, tmp_path, tls=True) as one:
        yield one
