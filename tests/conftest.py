"""Fixtures of all tests: a clock, a provider on it, a driver for both clients, the outside vectors."""

from __future__ import annotations

import logging
import os
import signal
import weakref
from collections.abc import Iterator

import pytest
from cheap_rsa_keys import generate_private_key
from cryptography.hazmat.primitives.asymmetric import rsa
from driver import Driver, driving
from extended import mark_extended
from outside_vectors import Vectors, leave_out_absent
from store_servers import memcached_server, redis_server

from jwks_client._client.keeper import Keeper
from jwks_client._core import encoding
from jwks_client.testing import FakeClock, FakeProvider

pytest.register_assert_rewrite("table_running")  # so that its failures say what differs

# A shell lets what it runs in the background ignore Ctrl-C, and child processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

rsa.generate_private_key = generate_private_key

# A proxy of this machine would be used for loopback addresses too.
for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)

# Every client would read the certificates of this machine when it is made.
for _name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(_name, None)

# Run without the extra `fast`; tests of the extra itself still run.
if os.environ.get("JWKS_PLAIN"):
    encoding._quick_octets = encoding._quick_object = None


@pytest.fixture(autouse=True)
def _level_of_the_root_logger() -> Iterator[None]:
    """Restore the root logger's level: the MCP SDK changes it when a server is made."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


_begun: weakref.WeakSet[Keeper] = weakref.WeakSet()
_start_keeper = Keeper.begin


def _begin_noted(keeper: Keeper, *, keep_fresh: bool) -> None:
    _begun.add(keeper)
    _start_keeper(keeper, keep_fresh=keep_fresh)


Keeper.begin = _begin_noted  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _no_keeper_outlives_its_test() -> Iterator[None]:
    """End the background work of clients that stay referenced, such as those of a module."""
    yield
    while _begun:
        _begun.pop().end()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands at 1 700 000 000 until a test moves it."""
    return FakeClock(1_700_000_000)


@pytest.fixture
def idp(clock: FakeClock) -> FakeProvider:
    """Return a fake provider on ``clock``."""
    return FakeProvider(clock=clock)


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Yield a driver for `JWKSClient`, then one for `AsyncJWKSClient`: the test runs with both."""
    with driving(request.param) as driver:
        yield driver


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    """Return the vectors of this repository, and collections of other projects outside it."""
    return Vectors()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of absent collections, and mark those that `make test` leaves out."""
    leave_out_absent(config, items)
    mark_extended(items)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a real redis-server that runs for the whole session."""
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def memcached_address() -> Iterator[str]:
    """Yield the address of a real memcached that runs for the whole session."""
    with memcached_server() as (address, _):
        yield address
