"""``jwks-client doctor --store``: a working store, and the findings on others."""

from __future__ import annotations

import json

import pytest
from serving import invoke
from store_servers import SECRET, free_port, redis_server

from jwks_client.protocols import Stored
from jwks_client.testing import FakeProvider


@pytest.fixture
def keys():
    idp = FakeProvider(algorithm="ES256", issuer=None)
    with idp.serve():
        yield idp.jwks_url


def codes(result) -> list[str]:
    found = json.loads(result.stdout)["findings"]
    return [one["code"] for one in found if one["code"].startswith("store_")]


def test_a_working_store_has_no_finding(keys, redis_url, monkeypatch):
    """A store that works adds no finding."""
    monkeypatch.setenv("JWKS_STORE_SECRET", SECRET)
    result = invoke("doctor", keys, "--store", redis_url, "--json")
    assert codes(result) == []


def test_an_unusable_store_is_an_error(keys, monkeypatch):
    """An unreachable store is an error, which shows no password."""
    monkeypatch.setenv("JWKS_STORE_SECRET", SECRET)
    url = f"redis://:hush-hush@127.0.0.1:{free_port()}"
    result = invoke("doctor", keys, "--store", url, "--json")
    assert codes(result) == ["store_failed"]
    assert result.exit_code == 1
    assert "hush-hush" not in result.stdout


def test_the_secret_comes_only_from_the_environment(keys, redis_url, monkeypatch):
    """A missing or short secret, or another kind of URL, is wrong usage."""
    monkeypatch.delenv("JWKS_STORE_SECRET", raising=False)
    assert invoke("doctor", keys, "--store", redis_url).exit_code == 2
    monkeypatch.setenv("JWKS_STORE_SECRET", "short")
    assert invoke("doctor", keys, "--store", redis_url).exit_code == 2
    monkeypatch.setenv("JWKS_STORE_SECRET", SECRET)
    assert invoke("doctor", keys, "--store", "https://example.com").exit_code == 2


def test_a_full_or_distant_server(keys, monkeypatch, tmp_path):
    """A full server is an error; a slow one, and one reached without TLS, is a warning."""
    from jwks_client.cli._doctor import store as module

    monkeypatch.setenv("JWKS_STORE_SECRET", SECRET)
    with redis_server(tmp_path, "--maxmemory", "1") as (url, _):
        assert codes(invoke("doctor", keys, "--store", url, "--json")) == ["store_failed"]
    monkeypatch.setattr(module, "_SLOW", -1.0)

    class Odd:
        """A store with one oddity."""

        taken = False

        def __init__(self, value=module._VALUE):
            self.value = value

        def read(self, name, limit):
            return Stored(self.value, None)

        def write(self, name, value, seconds): ...
        def release(self, name): ...

        def claim(self, name, seconds):
            self.taken, before = True, self.taken
            return not before

    found = list(module.of_store("redis://redis.internal", Odd()))
    assert [one.code for one in found] == ["store_in_clear", "store_without_clock", "store_slow"]
    [one] = module.of_store("rediss://redis.internal", Odd(b"other"))
    assert one.code == "store_forgets"
