"""Both clients with a store: one fetch for all, outages, rotations, withdrawals, and the hot path without it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
from driver import driving

from jwks_client import (
    CachePolicy,
    ConfigurationError,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
    events,
)
from jwks_client.stores import FileStore
from jwks_client.testing import FakeProvider


class Counting:
    """A store that counts the calls of another store, and fails on command."""

    def __init__(self, store):
        self.store = store
        self.secrets = store.secrets
        self.calls: Counter[str] = Counter()
        self.error: Exception | None = None

    def _through(self, name, *arguments):
        self.calls[name] += 1
        if self.error is not None:
            raise self.error
        return getattr(self.store, name)(*arguments)

    def read(self, name, limit):
        return self._through("read", name, limit)

    def write(self, name, value, seconds):
        return self._through("write", name, value, seconds)

    def claim(self, name, seconds):
        return self._through("claim", name, seconds)

    def release(self, name):
        return self._through("release", name)


@pytest.fixture
def idp(clock):
    return FakeProvider(clock=clock, algorithm="ES256")


@pytest.fixture
def store(tmp_path):
    return Counting(FileStore(tmp_path / "store"))


@pytest.fixture
def start(drive, idp, store):
    """Start a process: a client with its own memory, on the common store."""

    def begin(*, given=store, **settings):
        provider = replace(idp.provider, store_scope="test")
        seen = settings.setdefault("listeners", [[].append])
        client = drive.client(
            provider, transport=idp.transport, clock=idp.clock, store=given, **settings
        )
        client.seen = seen[0].__self__ if hasattr(seen[0], "__self__") else None
        return client

    return begin


@pytest.fixture
def as_process(drive):
    """Make a client the current one."""

    def switch(client):
        drive.current = client
        return drive

    return switch


def test_the_second_process_does_not_fetch(start, as_process, idp):
    """Once one process has fetched, the next verifies without a request to the provider."""
    one, two = start(), start()
    as_process(one).verify(idp.issue())
    token = as_process(two).verify(idp.issue())
    assert token.subject
    assert idp.fetches == 1
    [event] = [one for one in two.seen if isinstance(one, events.KeysFetched)]
    assert (event.source, event.requests, event.reason) == ("store", 0, "cold")
    [event] = [one for one in one.seen if isinstance(one, events.KeysFetched)]
    assert (event.source, event.requests) == ("provider", 1)


def test_the_hot_path_calls_no_store(start, as_process, idp, store):
    """A thousand verifications make no store call: only a flight does."""
    drive = as_process(start())
    drive.verify(idp.issue())
    store.calls.clear()
    for token in [idp.issue() for _ in range(20)]:
        for _ in range(50):
            drive.verify(token)
    assert not store.calls


def test_a_restart_in_an_outage(start, as_process, idp, clock):
    """A restart during an outage continues with stored keys until stale_if_error is over."""
    as_process(start()).verify(idp.issue())
    idp.fail(503)
    clock.advance(100)
    assert as_process(start()).verify(idp.issue())  # within the lifetime
    clock.advance(1000)
    late = start()
    assert as_process(late).verify(idp.issue())
    assert any(isinstance(one, events.ServingStale) for one in late.seen)
    clock.advance(3600)
    with pytest.raises(KeysUnavailableError):
        as_process(start()).verify(idp.issue())


def test_a_rotation_reaches_the_others(start, as_process, idp, clock):
    """A new key that one process fetched is found by the others without a request to the provider."""
    processes = [start() for _ in range(4)]
    for one in processes:
        as_process(one).verify(idp.issue())
    idp.rotate()
    clock.advance(5)
    for one in processes:
        assert as_process(one).verify(idp.issue())
    assert idp.fetches == 2


def test_a_record_from_before_the_rotation_causes_no_401(start, as_process, idp, clock):
    """A cold process that gets a record from half a second before the rotation fetches."""
    as_process(start()).verify(idp.issue())
    idp.rotate()
    clock.advance(0.5)
    assert as_process(start()).verify(idp.issue())
    assert idp.fetches == 2


def test_only_the_provider_makes_a_kid_unknown(start, as_process, idp, clock):
    """An unknown kid is refused after a fetch of this process, never because of a record."""
    as_process(start()).verify(idp.issue())
    two = start()
    stranger = FakeProvider(clock=clock, algorithm="ES256", issuer=idp.issuer)
    with pytest.raises(TokenError) as caught:
        as_process(two).verify(stranger.issue(headers={"kid": "nobody"}))
    assert caught.value.code == "unknown_key"
    assert idp.fetches == 2


def test_a_withdrawal_removes_remembered_tokens(start, as_process, idp, clock):
    """Tokens of a key that a stored set withdraws are refused, remembered ones included."""
    one, two = start(), start()
    token = idp.issue(expires_in=3600)
    for process in (one, two):
        as_process(process).verify(token)
    kid = as_process(one).verify(token).key_id
    idp.rotate()
    idp.revoke(kid)
    clock.advance(280)
    assert as_process(one).verify(idp.issue())
    clock.advance(25)
    before = idp.fetches
    with pytest.raises(TokenError):
        as_process(two).verify(token)
    assert idp.fetches <= before + 1


def test_refresh_asks_the_provider(start, as_process, idp):
    """`refresh` never uses a record, and writes one."""
    as_process(start()).verify(idp.issue())
    two = start()
    as_process(two).refresh()
    assert idp.fetches == 2
    idp.rotate()
    as_process(two).refresh()
    assert as_process(start()).verify(idp.issue())
    assert idp.fetches == 3


def test_warm_up_uses_the_store(start, as_process, idp):
    """`warm_up` of the second process makes no request."""
    as_process(start()).warm_up()
    as_process(start()).warm_up()
    assert idp.fetches == 1


def test_the_first_load_after_forget_asks_the_provider(drive, idp, store, clock):
    """After `forget`, the tenant's first load skips the stored record, and later loads use it again."""
    provider = replace(idp.provider, store_scope="test")
    drive.client(
        resolve=lambda issuer: replace(provider, issuer=issuer),
        max_resolved=1,
        transport=idp.transport,
        clock=clock,
        store=store,
    )
    drive.verify(idp.issue())
    drive.forget(idp.issuer)
    drive.verify(idp.issue())
    assert idp.fetches == 2
    drive.verify(idp.issue(iss="https://other.test"))  # evicts it
    assert idp.fetches == 3
    drive.verify(idp.issue())
    assert idp.fetches == 3


@pytest.mark.parametrize("error", [OSError("no"), ValueError("odd"), TimeoutError()], ids=repr)
def test_a_store_that_fails_changes_nothing(start, as_process, idp, store, error):
    """With a failing store every verdict is as without one; health and one event report it."""
    store.error = error
    client = start()
    drive = as_process(client)
    assert drive.verify(idp.issue())
    with pytest.raises(TokenError):
        drive.verify(idp.issue(aud="other"))
    drive.refresh()
    failures = [one for one in client.seen if isinstance(one, events.StoreFailed)]
    assert len(failures) == 1
    assert failures[0].provider == idp.provider.name
    assert [one.store for one in drive.health().values()] == ["down"]


def test_health_reports_the_store(start, as_process, idp, drive):
    """`health()` says whether the store works, or None without a store, without calling it."""
    client = start()
    as_process(client).verify(idp.issue())
    assert [one.store for one in drive.health().values()] == ["up"]
    drive.client(idp)
    assert [one.store for one in drive.health().values()] == [None]
    drive.client(idp, store=client._store.store)  # a caller-supplied HTTP client without a scope
    drive.verify(idp.issue())
    assert [one.store for one in drive.health().values()] == [None]


def test_without_a_scope_a_caller_supplied_client_shares_nothing(drive, idp, store):
    """A key set fetched with a caller-supplied HTTP client uses the store only under a scope."""
    drive.client(idp, store=store)
    drive.verify(idp.issue())
    assert not store.calls


def test_two_scopes_are_two_key_sets(idp, store, drive, clock):
    """Records of one scope are not used under another."""
    for scope in ("blue", "green", "blue"):
        provider = replace(idp.provider, store_scope=scope)
        drive.client(provider, transport=idp.transport, clock=clock, store=store)
        drive.verify(idp.issue())
    assert idp.fetches == 2


def test_a_flood_over_the_fleet_is_delayed(start, as_process, idp, clock):
    """When the fleet's permits are spent, an unknown kid is 503 with Retry-After, never 401; known kids still verify."""
    one, two = start(), start()
    for process in (one, two):
        as_process(process).verify(idp.issue())
    before = idp.fetches
    for kid in ("a", "b"):
        with pytest.raises(TokenError):
            as_process(one).verify(idp.issue(headers={"kid": kid}))
    for kid in ("c", "d"):
        with pytest.raises(KeysUnavailableError) as caught:
            as_process(two).verify(idp.issue(headers={"kid": kid}))
        assert 0 < caught.value.retry_after <= 10
    assert as_process(two).verify(idp.issue())
    assert idp.fetches == before + 2
    assert as_process(two).health()[idp.provider.name].last_error is None


class _Awaited:
    secrets = ()

    async def read(self, name, limit): ...
    async def write(self, name, value, seconds): ...
    async def claim(self, name, seconds): ...
    async def release(self, name): ...


class _Plain:
    secrets: object = ()

    def read(self, name, limit): ...
    def write(self, name, value, seconds): ...
    def claim(self, name, seconds): ...
    def release(self, name): ...


class _Reader:
    async def __call__(self, name, limit): ...


class _Wrapped(_Plain):
    read = _Reader()


class _Weak(_Plain):
    secrets = (b"short",)


class _Wrong(_Plain):
    secrets = "x" * 40


@pytest.mark.parametrize(
    "given",
    ["redis://h", {}, _Plain, _Awaited(), _Wrapped(), _Weak(), _Wrong(), object()],
    ids=lambda value: type(value).__name__,
)
def test_anything_but_a_store_is_refused(drive, idp, given):
    """A store must have four plain methods and secrets of 32 bytes."""
    with pytest.raises(ConfigurationError) as caught:
        drive.client(idp, store=given)
    assert caught.value.field == "store"


def test_a_custom_store_needs_nothing_of_this_library(drive, idp):
    """Any object with the four methods is a store, and may answer with a plain tuple."""
    values, fetches = {}, []

    class Custom(_Plain):
        def read(self, name, limit):
            return values.get(name)

        def write(self, name, value, seconds):
            values[name] = (value, 0.0)
            fetches.append(seconds)

        def claim(self, name, seconds):
            return True

    for _ in range(2):
        provider = replace(idp.provider, store_scope="test")
        drive.client(provider, transport=idp.transport, clock=idp.clock, store=Custom())
        drive.verify(idp.issue())
    assert idp.fetches == 1
    assert fetches == [300 + 3600]


def test_a_flight_without_http_uses_the_store(store, clock):
    """Flights of the library's own HTTP client need no scope."""
    idp = FakeProvider(clock=clock, algorithm="ES256", issuer=None)
    for kind in ("sync", "async", "sync"):
        with idp.serve(), driving(kind) as drive:
            drive.client(idp.provider, clock=clock, store=store)
            drive.verify(idp.issue())
    assert store.calls["write"] >= 1


def test_a_hanging_store_delays_once(start, as_process, idp, store):
    """A hanging store delays the first flight by a quarter of a second, and no later one."""
    let_go = threading.Event()
    store.store.read = lambda name, limit: let_go.wait()
    try:
        drive = as_process(start(cache=CachePolicy(refresh_ahead=None)))
        assert drive.verify(idp.issue())
        for _ in range(3):
            drive.refresh()
            drive.verify(idp.issue())
    finally:
        let_go.set()
    assert store.calls["read"] == 1


def test_close_ends_a_wait_for_a_lease(start, as_process, idp, store):
    """A closed client stops at once to wait for another process's record."""
    claimed = threading.Event()

    def claim(name, seconds):
        claimed.set()
        return False

    store.store.claim = claim
    drive = as_process(start())
    pending = drive.start("verify", idp.issue())
    assert claimed.wait(10)
    drive.close()
    with pytest.raises(KeysUnavailableError):
        pending.result(10)


def test_a_repr_and_a_client_show_no_secret(store, idp):
    """A client's repr shows no secret of its store."""
    with JWKSClient(idp.provider, store=store) as client:
        assert "secret" not in repr(client)
