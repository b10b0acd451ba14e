"""Wrong arguments of store constructors are refused at once, by name."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import flask
import flask_caching
import pytest
import redis
import redis.asyncio
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from store_servers import SECRET

from jwks_client import ConfigurationError
from jwks_client.stores import CacheStore, FileStore, RedisStore

URL = "redis://127.0.0.1:1/0"


class Cache:
    """A custom cache of the application."""

    def add(self, key, value, seconds): ...
    def get(self, key): ...
    def set(self, key, value, seconds): ...
    def delete(self, key): ...


def refused(field: str, make, *arguments, **options) -> str:
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


@pytest.mark.parametrize(
    "secret",
    ["", b"", "short", b"x" * 31, ["x" * 32, "short"], [], [None], 7, {"x": 1}],
    ids=str,
)
def test_a_short_secret_is_refused(secret, tmp_path):
    """Every store refuses a secret under 32 bytes, or one of another type, without showing it."""
    for make, first in ((RedisStore, URL), (FileStore, tmp_path), (CacheStore, Cache())):
        assert "short" not in refused("secret", make, first, secret=secret)


def test_a_network_service_needs_a_secret():
    """A store that other machines can reach requires a secret, so an unset environment variable is an error."""
    for make, first in ((RedisStore, URL), (CacheStore, Cache())):
        assert "must be given" in refused("secret", make, first, secret=None)
        assert "must be given" in refused("secret", make, first)


def test_secrets_are_bytes_in_order(tmp_path):
    """Several secrets keep their order; a str is encoded as UTF-8."""
    store = FileStore(tmp_path / "a", secret=["é" * 16, b"x" * 32])
    assert store.secrets == (("é" * 16).encode(), b"x" * 32)
    assert FileStore(tmp_path / "b").secrets == ()
    assert FileStore(tmp_path / "b", secret=None).secrets == ()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://127.0.0.1",
        "127.0.0.1:6379",
        "memcached://h",
        "redis://h:x",
        "redis://h?db=x",
        "redis://h?typo=1",
    ],
)
def test_a_url_that_is_not_redis_is_refused(url):
    """A URL of another kind is refused and not shown, because it may hold a password."""
    assert "127.0.0.1" not in refused("redis", RedisStore, url, secret=SECRET)


@pytest.mark.parametrize(
    "client",
    [None, 7, object(), redis.asyncio.Redis(), redis.Redis],
    ids=["None", "a number", "an object", "redis.asyncio", "the class"],
)
def test_anything_but_a_redis_client_is_refused(client):
    """A client's calls must block; an asyncio client is refused with that reason."""
    assert "must be a" in refused("redis", RedisStore, client, secret=SECRET)


@pytest.mark.parametrize("prefix", [None, 7, "a b", "x" * 41, "ü", "a\n"])
def test_a_prefix_is_short_and_plain(prefix):
    """A prefix has at most 40 characters that every server accepts."""
    for make, first in ((RedisStore, URL), (CacheStore, Cache())):
        assert "40 characters" in refused("prefix", make, first, secret=SECRET, prefix=prefix)


def test_anything_but_a_cache_is_refused():
    """A class is not a cache, although it has the methods of one."""
    for given in (None, {}, Cache):
        assert "must have add" in refused("cache", CacheStore, given, secret=SECRET)


def test_caches_of_one_process_are_refused():
    """Caches that processes do not share are refused, behind a proxy object too."""
    from django.core.cache import caches
    from django.utils.connection import ConnectionProxy

    for cache in (LocMemCache("x", {}), DummyCache("x", {})):
        assert type(cache).__name__ in refused("cache", CacheStore, cache, secret=SECRET)
    caches._settings = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    proxy = ConnectionProxy(caches, "default")
    assert "LocMemCache" in refused("cache", CacheStore, proxy, secret=SECRET)
    app = flask.Flask("test")
    for kind in ("SimpleCache", "NullCache"):
        with warnings.catch_warnings(action="ignore"):
            extension = flask_caching.Cache(app, config={"CACHE_TYPE": kind})
        with app.app_context():
            assert kind in refused("cache", CacheStore, extension, secret=SECRET)


def test_a_cache_of_django_is_not_used_in_other_threads(tmp_path, monkeypatch):
    """Client libraries are not always thread-safe, so a store uses a connection that no view uses."""
    from django.core import cache as django

    shared = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(tmp_path),
    }
    caches = django.CacheHandler(
        {"default": {"BACKEND": "no.such.Cache"}, "other": shared, "shared": shared}
    )
    monkeypatch.setattr(django, "caches", caches)
    of_the_view = caches["shared"]
    store = CacheStore(of_the_view, secret=SECRET, prefix="x:")

    def used(*_: object) -> None:
        raise AssertionError("the store used the view's connection")

    for name in ("add", "get", "set", "delete"):
        setattr(of_the_view, name, used)
    assert store.claim("lease", 60)
    store.write("keys", b"value", 60)
    assert store.read("keys", 60).value == b"value"
    store.release("lease")


def test_a_cache_must_have_the_four_calls():
    """A cache without add, get, set and delete is refused; so is Flask-Caching before init_app."""
    refused("cache", CacheStore, object(), secret=SECRET)
    refused("cache", CacheStore, {}, secret=SECRET)
    assert "init_app" in refused("cache", CacheStore, flask_caching.Cache(), secret=SECRET)


@pytest.mark.parametrize(("directory", "shown"), [("", "''"), (None, "NoneType"), (7, "int")])
def test_a_directory_must_be_a_path(directory, shown):
    """The error about a directory that is not set says what was given."""
    assert refused("directory", FileStore, directory).endswith(f"must be a path, got {shown}")


def test_a_directory_that_others_may_write_to_is_refused(tmp_path):
    """A directory that its group or everyone may write to is refused."""
    for mode in (0o770, 0o777, 0o1777, 0o702):
        tmp_path.chmod(mode)
        assert "others may write" in refused("directory", FileStore, tmp_path)
    tmp_path.chmod(0o755)
    FileStore(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a directory")
def test_a_directory_of_another_user_is_refused(tmp_path):
    """A directory that belongs to another user is refused."""
    os.chown(tmp_path, 12345, -1)
    assert "another user" in refused("directory", FileStore, tmp_path)


def test_a_link_is_refused(tmp_path):
    """A link is refused, wherever it leads; so is a file, and a path without a parent."""
    (tmp_path / "there").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "file").touch()
    for name in ("link", "nowhere", "file", "missing/below", "null\0", "\ud800"):
        assert "must be a directory" in refused("directory", FileStore, tmp_path / name)
    for path in (None, 7, "", b"x"):
        assert "must be" in refused("directory", FileStore, path)


def test_a_missing_directory_is_created(tmp_path):
    """A missing directory is created for this user only."""
    FileStore(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_stores_import_no_server_library():
    """`from jwks_client import stores` imports neither redis nor a framework; a URL without redis-py names the extra."""
    code = (
        "import sys; from jwks_client import stores, ConfigurationError\n"
        "assert not {'redis', 'valkey', 'django', 'flask', 'httpx', 'jwt'} & sys.modules.keys()\n"
        "sys.modules['redis'] = None\n"
        "try: stores.RedisStore('redis://h', secret='x' * 32)\n"
        "except ConfigurationError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "jwks-client-sdk[redis]" in said.stdout
