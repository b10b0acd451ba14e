"""`RedisStore`: the commands it sends, and its behaviour with a server in an unexpected state."""

from __future__ import annotations

import os

import pytest
import redis
from store_servers import SECRET, free_port, redis_server

from jwks_client.stores import RedisStore

NAME = "keys-0123"


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url, db=3) as client:
        client.flushdb()
        yield client


@pytest.fixture
def store(client):
    return RedisStore(client, secret=SECRET, prefix="p:")


def test_only_four_commands_are_sent(client, store):
    """GETRANGE, PTTL, SET and DEL suffice, each with one key, so an ACL can be narrow and a cluster works."""
    client.execute_command(
        "ACL", "SETUSER", "narrow", "on", ">pass", "~p:*", "+getrange", "+pttl", "+set", "+del"
    )
    kwargs = client.connection_pool.connection_kwargs
    url = f"redis://narrow:pass@127.0.0.1:{kwargs['port']}/0"
    with redis.Redis.from_url(url) as narrow:
        store = RedisStore(narrow, secret=SECRET, prefix="p:")
        store.write(NAME, b"x", 60)
        assert store.read(NAME, 10).value == b"x"
        assert store.claim(NAME + ":lease", 60)
        store.release(NAME + ":lease")
        assert store.claim(NAME + ":lease", 60)
        with pytest.raises(redis.ResponseError):
            RedisStore(narrow, secret=SECRET, prefix="q:").write(NAME, b"x", 60)


def test_everything_expires(client, store):
    """Every value expires by itself."""
    store.write(NAME, b"x", 60)
    store.claim(NAME + ":lease", 6)
    assert 0 < client.pttl("p:" + NAME) <= 60_000
    assert 0 < client.pttl("p:" + NAME + ":lease") <= 6_000


def test_ages_go_by_the_servers_clock(client, store):
    """A value's age is the elapsed part of its lifetime on the server."""
    store.write(NAME, b"x", 60)
    client.pexpire("p:" + NAME, 50_000)
    assert 10 <= store.read(NAME, 10).age < 40


@pytest.mark.parametrize("raw", [b"garbage", b"x y", b"-5 x", b"9" * 20 + b" x"])
def test_a_foreign_value_has_no_age(client, store, raw):
    """A value that this class did not write is returned without an age, and the reader refuses it."""
    client.set("p:" + NAME, raw, px=60_000)
    assert store.read(NAME, 100).age is None


def test_a_value_without_an_expiry_has_no_age(client, store):
    """A value without an expiry, or with a longer one than it was written with, has no age."""
    store.write(NAME, b"x", 60)
    client.persist("p:" + NAME)
    assert store.read(NAME, 10) == (b"x", None)
    client.pexpire("p:" + NAME, 70_000)
    assert store.read(NAME, 10) == (b"x", None)


def test_a_value_of_another_type_is_an_error(client, store):
    """A list in the record's place raises, which the caller counts as a failure of the store."""
    client.rpush("p:" + NAME, "x")
    with pytest.raises(redis.ResponseError):
        store.read(NAME, 10)


def test_a_restarted_server_costs_no_failure(tmp_path):
    """After a restart of the server the first call reconnects."""
    with redis_server(tmp_path) as (url, _):
        store = RedisStore(url, secret=SECRET)
        store.write(NAME, b"x", 60)
        with redis.Redis.from_url(url) as other:
            other.client_kill_filter(skipme=True)
        assert store.read(NAME, 10).value == b"x"
        store._client.close()


def test_a_silent_server_is_abandoned_soon():
    """A missing server raises at once, and every call of a client made from a URL has a time limit."""
    store = RedisStore(f"redis://127.0.0.1:{free_port()}", secret=SECRET)
    with pytest.raises(redis.ConnectionError):
        store.read(NAME, 10)
    assert store._client.connection_pool.connection_kwargs["socket_timeout"] == 0.25
    assert store._client.connection_pool.connection_kwargs["socket_connect_timeout"] == 0.25


def test_a_forked_child_connects_for_itself(redis_url):
    """A forked child has its own client, and holds no lease of its parent."""
    store = RedisStore(redis_url, secret=SECRET, prefix=f"fork-{os.getpid()}:")
    assert store.claim(NAME, 60)
    mine = store._client
    child = os.fork()
    if child == 0:
        store.release(NAME)
        os._exit(0 if store._own_client() is not mine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not store.claim(NAME, 60)
    store._client.close()
