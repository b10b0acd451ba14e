"""Every kind of store, on real servers and a real directory."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import flask
import flask_caching
import pymemcache.client.base
import pymemcache.serde
import pytest
import redis
import valkey
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from store_servers import SECRET

from jwks_client.stores import CacheStore, FileStore, RedisStore

_numbers = itertools.count()
KINDS = (
    *("redis url", "redis-py", "redis-py, decoded", "valkey-py", "file", "file, unsealed"),
    *("django redis", "django memcached", "flask-caching redis", "flask-caching memcached"),
)
WITH_CLOCK = KINDS[:6]


@pytest.fixture(params=KINDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[[], Any]]:
    """Return a function that opens a store of each kind; all stores of one test share their data."""
    with opening(request, request.param, tmp_path) as make:
        yield make


@pytest.fixture(params=WITH_CLOCK)
def open_clocked_store(
    request: pytest.FixtureRequest, tmp_path: Any
) -> Iterator[Callable[[], Any]]:
    """Return the same, for the kinds whose stores have a clock."""
    with opening(request, request.param, tmp_path) as make:
        yield make


@contextlib.contextmanager
def opening(request: Any, kind: str, folder: Any) -> Iterator[Callable[[], Any]]:
    """Return a callable that makes stores of a kind on data that no other test uses."""
    prefix = f"test-{os.getpid()}-{next(_numbers)}:"
    with contextlib.ExitStack() as stack:

        def make() -> Any:
            if kind.startswith("file"):
                secret = None if "unsealed" in kind else SECRET
                return FileStore(folder / "store", secret=secret)
            if kind in {"django memcached", "flask-caching memcached"}:
                address = request.getfixturevalue("memcached_address")
                return CacheStore(
                    memcached_cache(kind, address, stack), secret=SECRET, prefix=prefix
                )
            url = request.getfixturevalue("redis_url")
            if kind == "django redis":
                cache = RedisCache(url, {})
                stack.callback(lambda: cache._cache.get_client().close())
                return CacheStore(cache, secret=SECRET, prefix=prefix)
            if kind == "flask-caching redis":
                cache = flask_cache({"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url})
                stack.callback(cache._write_client.close)
                return CacheStore(cache, secret=SECRET, prefix=prefix)
            if kind == "redis url":
                store = RedisStore(url, secret=SECRET, prefix=prefix)
                stack.callback(store._client.close)
                return store
            library = valkey.Valkey if kind == "valkey-py" else redis.Redis
            client = library.from_url(url, decode_responses="decoded" in kind)
            stack.callback(client.close)
            return RedisStore(client, secret=SECRET, prefix=prefix)

        yield make


def memcached_cache(kind: str, address: str, stack: contextlib.ExitStack) -> Any:
    if kind == "django memcached":
        cache = PyMemcacheCache(address, {})
        stack.callback(cache._cache.disconnect_all)
        return cache
    client = pymemcache.client.base.PooledClient(
        address, serde=pymemcache.serde.pickle_serde, default_noreply=False
    )
    stack.callback(client.close)
    return flask_cache({"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": client})


def flask_cache(config: dict[str, Any]) -> Any:
    """Return the backend of Flask-Caching, made through an application."""
    app = flask.Flask("test")
    cache = flask_caching.Cache(app, config=config)
    with app.app_context():
        return cache.cache
