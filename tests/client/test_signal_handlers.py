"""A signal handler that raises may end a call of a client at any moment, and other callers do not notice."""

from __future__ import annotations

import itertools
import threading
from functools import partial

import httpx
import pytest
from interrupting import Interrupted, interrupted

from jwks_client import JWKSClient, KeysUnavailableError
from jwks_client._client import lock
from jwks_client._client.issuers import resolver, tenants

PATIENCE = 10.0  # real seconds after which a working operation is long done
SHORT = 0.05  # real seconds after which callers give a call of the resolver up


@pytest.fixture(autouse=True)
def short_wait_for_an_abandoned_lock(monkeypatch):
    """Replace an abandoned lock soon, so that no test waits for seconds."""
    monkeypatch.setattr(lock, "_LONGEST", SHORT)


def resolving(idp):
    """Return a client whose only provider is a tenant."""
    http = httpx.Client(transport=idp.transport)
    client = JWKSClient(resolve={idp.issuer: idp.provider}.get, http=http, clock=idp.clock)
    client._tenants._patience = SHORT
    return client


def outcome(client, token):
    """Verify a token in another thread. Return the outcome, or nothing if it hangs."""
    outcomes = []

    def verify():
        try:
            outcomes.append(client.verify(token).subject)
        except KeysUnavailableError as error:
            outcomes.append(error.code)

    thread = threading.Thread(target=verify, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return outcomes


@pytest.fixture
def threads_that_do_not_start(monkeypatch):
    """Return a function that makes the next starts of threads of this name raise."""
    start = threading.Thread.start

    def forbid(name, times):
        left = itertools.repeat(None, times)

        def raising(thread):
            for _ in left if thread.name.startswith(name) else ():
                raise Interrupted
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", raising)

    return forbid


def test_it_may_raise_anywhere_in_a_lookup(idp):
    """No lock of the tenants stays locked, so other threads get an answer, and later the tenant."""
    token = idp.issue(sub="u1")
    for place in itertools.count(1):
        client = resolving(idp)
        if not interrupted(partial(client.verify, token), place, lock, resolver, tenants):
            break
        assert outcome(client, token) in (["u1"], ["resolver_failed"]), place
        idp.clock.advance(31)
        assert outcome(client, token) == ["u1"], place
        client.close()
        token = idp.issue(sub="u1")


def test_a_lock_that_was_never_released_is_replaced():
    """Python 3.14 may run a handler after a lock was acquired and before its block: others wait, but not forever."""
    tested, entered = lock.InterruptibleLock(), threading.Event()
    thread = threading.Thread(target=tested.held.acquire)
    thread.start()
    thread.join(PATIENCE)

    def enter():
        with tested.held:
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert entered.wait(PATIENCE)
    assert not tested.is_mine


def test_calls_that_did_not_begin_take_no_place(idp, threads_that_do_not_start):
    """However often it keeps the resolver's thread from starting, the next call is made at once."""
    threads_that_do_not_start("jwks-client resolver", resolver.MOST_FOR_ONE + 1)
    client, token = resolving(idp), idp.issue(sub="u1")
    for _ in range(resolver.MOST_FOR_ONE + 1):
        with pytest.raises(Interrupted):
            client.verify(token)
        assert not client._tenants._in_flight
    client._tenants._patience = PATIENCE
    assert outcome(client, token) == ["u1"]
    client.close()


def test_a_flight_that_did_not_begin_is_not_waited_for(idp, threads_that_do_not_start):
    """If it keeps a flight's thread from starting, the next caller begins another flight at once."""
    client = idp.client()
    threads_that_do_not_start("jwks-client", 1)
    with pytest.raises(Interrupted):
        client.verify(idp.issue())
    assert not client._flights._flying
    assert outcome(client, idp.issue(sub="u1")) == ["u1"]


def test_a_keeper_that_did_not_begin_can_begin(idp, threads_that_do_not_start):
    """If it keeps the thread that loads keys in the background from starting, the next request starts it."""
    loaded = threading.Event()
    client = idp.client(listeners=[lambda _: loaded.set()])
    threads_that_do_not_start("jwks-client keeper", 1)
    with pytest.raises(Interrupted):
        client._keeper.begin(keep_fresh=False)
    client._keeper.begin(keep_fresh=False)
    assert loaded.wait(PATIENCE)
    assert client.ready
