"""Real processes on real stores: how often a fleet fetches, and which failures it survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from child_processes import child
from store_servers import OTHER_SECRET, SECRET, free_port, redis_server

from jwks_client import JWKSClient, TokenError, events, providers
from jwks_client.stores import RedisStore
from jwks_client.testing import FakeProvider

FLEET = Path(__file__).with_name("fleet.py")


@pytest.fixture
def idp():
    return FakeProvider(algorithm="ES256", issuer=None)


@contextmanager
def fleet(idp, store, count=8, **more):
    """Return processes that wait; ``run`` has them verify tokens and returns the outcome of each."""
    what = {"store": store, "jwks_url": idp.jwks_url, "issuer": idp.issuer, "count": count}
    with child(
        [sys.executable, str(FLEET), json.dumps({**what, **more})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == "ready\n"

        def begin(*tokens, **order):
            process.stdin.write(json.dumps({"tokens": tokens, **order}) + "\n")
            process.stdin.flush()

        def run(*tokens, **order):
            begin(*tokens, **order)
            return json.loads(process.stdout.readline())

        run.process, run.begin = process, begin
        yield run


def outcomes(results):
    """Return the outcomes of each process's tokens."""
    return [one["outcomes"] for one in results]


def empty_store(kind, redis_url, memcached_address, tmp_path):
    """Return an empty store of a kind."""
    if kind == "redis":
        with redis.Redis.from_url(redis_url) as client:
            client.flushdb()
        return ("redis", redis_url)
    if kind == "memcached":
        import pymemcache

        host, port = memcached_address.split(":")
        client = pymemcache.Client((host, int(port)))
        client.flush_all(noreply=False)
        client.close()
        return ("memcached", memcached_address)
    return ("file", str(tmp_path / "store"))


@pytest.fixture
def place(redis_url, memcached_address, tmp_path):
    return lambda kind: empty_store(kind, redis_url, memcached_address, tmp_path)


@pytest.mark.parametrize(
    ("kind", "delay"),
    [
        ("redis", 0.05),
        ("redis", 0.5),
        ("redis", 1.5),
        ("file", 0.05),
        ("file", 0.5),
        ("memcached", 0.05),
    ],
)
def test_eight_cold_processes_fetch_twice_at_most(idp, place, kind, delay):
    """Eight processes that start at once make at most two fetches, however slow the provider is."""
    idp.delay(delay)
    with idp.serve(), fleet(idp, place(kind)) as run:
        results = run(idp.issue())
    assert outcomes(results) == [{"accepted": 1}] * 8
    assert idp.fetches <= 2


def test_eight_processes_without_a_store_fetch_eight_times(idp):
    """Without a store each process fetches for itself: the baseline for the other tests."""
    with idp.serve(), fleet(idp, ("none", "")) as run:
        run(idp.issue())
    assert idp.fetches == 8


@pytest.mark.parametrize("kind", ["redis", "file"])
def test_later_processes_do_not_fetch(idp, place, kind):
    """Processes that start after the first fetch make no request."""
    store = place(kind)
    with idp.serve():
        for count in (1, 4):
            with fleet(idp, store, count) as run:
                assert outcomes(run(idp.issue())) == [{"accepted": 1}] * count
    assert idp.fetches == 1


@pytest.mark.parametrize("kind", ["redis", "file", "memcached"])
def test_a_restart_during_an_outage_uses_stored_keys(idp, place, kind):
    """Processes that start during an outage verify with stored keys."""
    store = place(kind)
    with idp.serve():
        with fleet(idp, store, 1) as run:
            run(idp.issue())
        idp.fail(503)
        for _ in range(2):  # one after the other: eight that start at once are slow, not wrong
            with fleet(idp, store, 1) as run:
                assert outcomes(run(idp.issue())) == [{"accepted": 1}]


@pytest.mark.parametrize("kind", ["redis", "file"])
def test_a_flood_over_four_processes(idp, place, kind):
    """Thousands of unknown kids at four processes cost the provider at most 3 + t/10 fetches."""
    junk = [idp.issue(headers={"kid": f"junk-{number}"}) for number in range(100)]
    with idp.serve(), fleet(idp, place(kind), 4) as run:
        began = time.monotonic()
        results = run(idp.issue(), *junk, rounds=5)
        took = time.monotonic() - began
    assert [one["outcomes"]["accepted"] for one in results] == [5] * 4
    assert idp.fetches <= 2 + 3 + took / 10  # the cold start and the flood


def test_a_leader_that_is_killed_costs_a_second(idp, place):
    """A process killed during its fetch leaves a lease, and another process fetches after a second."""
    store = place("redis")
    with idp.serve():
        with idp.hold() as held:
            with fleet(idp, store, 1) as run:
                run.begin(idp.issue())
                held.wait()
                children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
                for child in children.read_text().split():
                    os.kill(int(child), signal.SIGKILL)
        with fleet(idp, store, 4) as run:
            results = run(idp.issue())
    assert outcomes(results) == [{"accepted": 1}] * 4
    assert max(one["first"] for one in results) < 5
    assert idp.fetches <= 3


@pytest.mark.parametrize("kind", ["redis", "file"])
def test_a_rotation_that_one_process_saw_reaches_seven(idp, place, kind):
    """Once one of eight processes has fetched the new key, the other seven accept it without a fetch."""
    with idp.serve(), fleet(idp, place(kind)) as run:
        run(idp.issue())
        idp.rotate()
        before = idp.fetches
        for who in ([0], range(1, 8)):
            results = run(idp.issue(), who=[*who])
            assert outcomes(results) == [{"accepted": 1}] * len(who)
    assert idp.fetches == before + 1


@pytest.mark.parametrize("kind", ["redis", "file", "memcached"])
def test_a_withdrawn_key_is_refused_by_all(idp, place, kind):
    """A lifetime after a key was withdrawn, none of eight processes accepts it, and all accept the new one.

    Whether a token of the old key is 401 or 503 depends on whether its process may ask the provider.
    """
    with idp.serve(), fleet(idp, place(kind)) as run:
        old = idp.issue(expires_in=3600)
        assert outcomes(run(old)) == [{"accepted": 1}] * 8
        idp.rotate(overlap=False)
        new = idp.issue(expires_in=3600)
        results = run(new, old, advance=301)
        assert [one["accepted"] for one in outcomes(results)] == [1] * 8
        refused = {code for one in outcomes(results) for code in one} - {"accepted"}
        assert refused <= {"unknown_key", "fetch_failed"}


# --- a failing server


@pytest.fixture
def provider(idp):
    with idp.serve():
        yield providers.generic(idp.jwks_url, issuer=idp.issuer, audience="api")


def verdicts(client, idp):
    """Return the verdicts on a good token and two bad ones, and the duration of the first call."""
    began = time.monotonic()
    assert client.verify(idp.issue())
    took = time.monotonic() - began
    for bad in (idp.issue(aud="other"), idp.issue(headers={"kid": "nobody"})):
        with pytest.raises(TokenError):
            client.verify(bad)
    return took


def test_a_server_that_stops_answering(idp, provider, tmp_path, record_property):
    """With a Redis that is stopped, then killed, every verdict is as without a store."""
    with redis_server(tmp_path) as (url, server):
        store = RedisStore(url, secret=SECRET)
        assert store.read("x", 1) is None
        server.send_signal(signal.SIGSTOP)
        with JWKSClient(provider, store=store) as client:
            record_property("stopped", verdicts(client, idp))
        server.kill()
        server.wait()
        with JWKSClient(provider, store=store) as client:
            record_property("killed", verdicts(client, idp))
        store._client.close()


def test_a_missing_server(idp, provider):
    """A refused connection costs one event and nothing else."""
    seen = []
    store = RedisStore(f"redis://127.0.0.1:{free_port()}", secret=SECRET)
    with JWKSClient(provider, store=store, listeners=[seen.append]) as client:
        verdicts(client, idp)
    failures = [one for one in seen if isinstance(one, events.StoreFailed)]
    assert [one.code for one in failures] == ["store_error"]
    assert "ConnectionError" in failures[0].cause


def test_a_wrong_password_and_a_full_server(idp, provider, tmp_path):
    """A server that refuses this process, or is full, costs one event each and shows no password."""
    with redis_server(tmp_path, "--requirepass", "hush-hush", "--maxmemory", "1") as (url, _):
        for password in ("wrong-word", "hush-hush"):
            seen = []
            store = RedisStore(url.replace("redis://", f"redis://:{password}@"), secret=SECRET)
            with JWKSClient(provider, store=store, listeners=[seen.append]) as client:
                verdicts(client, idp)
            [failure] = [one for one in seen if isinstance(one, events.StoreFailed)]
            assert failure.code == "store_error"
            assert password not in repr(failure)
            store._client.close()


@pytest.mark.parametrize("planted", ["a list", "50 MB", "garbage", "another secret's"])
def test_a_hostile_server(idp, provider, place, planted):
    """Every verdict is as without a store if anything else stands in the record's place, and one event says so."""
    _, url = place("redis")
    seen = []
    store = RedisStore(url, secret=SECRET)
    other = OTHER_SECRET if planted == "another secret's" else SECRET
    with JWKSClient(provider, store=RedisStore(url, secret=other)) as honest:
        verdicts(honest, idp)
    with redis.Redis.from_url(url) as attacker:
        [name] = attacker.scan_iter("*keys-" + 32 * "?")
        if planted == "a list":
            attacker.delete(name)
            attacker.rpush(name, "x")
        elif planted != "another secret's":
            octets = b"60000 " + (b"x" * 50_000_000 if planted == "50 MB" else b"garbage")
            attacker.set(name, octets, px=60_000)
    with JWKSClient(provider, store=store, listeners=[seen.append]) as client:
        verdicts(client, idp)
    [failure] = [one for one in seen if isinstance(one, events.StoreFailed)]
    codes = {
        "a list": "store_error",
        "50 MB": "record_too_large",
        "garbage": "not_a_record",
        "another secret's": "seal_wrong",
    }
    assert failure.code == codes[planted]
    store._client.close()
    honest._store.store._client.close()


def test_known_kids_are_not_slower_during_a_flood(idp, provider, place):
    """While unknown kids wait for a store, tokens of known kids are verified at once."""
    _, url = place("redis")
    store = RedisStore(url, secret=SECRET)
    entered, let_go = threading.Event(), threading.Event()
    with JWKSClient(provider, store=store) as client:
        client.verify(idp.issue())

        def slow(name, limit):
            entered.set()
            let_go.wait()

        store.read = slow

        def flooding():
            with pytest.raises(TokenError):
                client.verify(idp.issue(headers={"kid": "nobody"}))

        flood = threading.Thread(target=flooding)
        flood.start()
        try:
            assert entered.wait(10)
            for _ in range(50):
                assert client.verify(idp.issue())
        finally:
            let_go.set()
            flood.join()
    store._client.close()
