"""`CacheStore`: key sets shared through the cache that a web framework already has.

It uses four methods that Django's caches and Flask-Caching have in common. Such a cache does not
report the age of a value, so this store guarantees less than the others. It must not import a
framework.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, Final

from ..errors import ConfigurationError
from ..protocols import Stored
from ._arguments import Secret, prefix_of, secrets_of
from ._leases import Leases

_CALLS: Final = ("add", "get", "set", "delete")
# Caches of Django, then of Flask-Caching, that processes do not share, or that keep nothing.
_NOT_SHARED: Final = frozenset({"LocMemCache", "DummyCache", "SimpleCache", "NullCache"})


class CacheStore:
    """A store on a cache that processes share, such as ``django.core.cache.cache``.

    Anyone who can write to a cache that unpickles, as Django's and Flask-Caching's do, can run
    code in this process; a seal cannot help against that.

    Arguments:
        cache: has ``add``, ``get``, ``set(key, value, seconds)`` and ``delete``; ``add`` must be
            atomic. Django: ``cache``, or ``caches["shared"]``; the store uses a separate
            connection. Flask-Caching: after ``init_app``, within the application's context.
        secret: seals the records, at least 32 bytes. Of several, the first seals and all verify.
        prefix: the prefix of all keys.

    Raises `ConfigurationError` naming the argument.
    """

    def __init__(
        self,
        cache: Any,
        *,
        secret: Secret | Iterable[Secret] | None = None,
        prefix: str = "jwks_client:",
    ) -> None:
        self.secrets = secrets_of(secret, required="others can write to a cache")
        self._prefix = prefix_of(prefix)
        self._given = _bound(cache)
        self._cache = _backend(self._given)
        self._process = os.getpid()
        self._leases = Leases()

    def read(self, name: str, limit: int) -> Stored | None:
        """Return a value; its age is unknown."""
        value = self._own_cache().get(self._prefix + name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"the cache returned {type(value).__name__}, not str")
        return Stored(value[: limit + 1].encode("ascii", "replace"), None)

    def write(self, name: str, value: bytes, seconds: float) -> None:
        """Replace a value."""
        self._own_cache().set(self._prefix + name, value.decode("ascii"), math.ceil(seconds))

    def claim(self, name: str, seconds: float) -> bool:
        """Take a lease, unless it is taken."""
        began = time.monotonic()
        won = bool(self._own_cache().add(self._prefix + name, "1", math.ceil(seconds)))
        if won:
            self._leases.took(name, seconds, began)
        return won

    def release(self, name: str) -> None:
        """Give a lease back, unless it has expired."""
        if self._leases.give_back(name):
            self._own_cache().delete(self._prefix + name)

    def _own_cache(self) -> Any:
        # A connection must not be shared with the parent.
        if self._process != os.getpid():
            self._cache, self._process = _backend(self._given), os.getpid()
        return self._cache

    def __repr__(self) -> str:
        return f"<CacheStore on {type(self._cache).__name__}>"


def _bound(cache: Any) -> Any:
    """Return Flask-Caching's backend, or Django's proxy for one of its caches, or the cache."""
    usable = all(callable(getattr(cache, name, None)) for name in _CALLS)
    if not usable or isinstance(cache, type):
        raise ConfigurationError(
            "cache", f"must have add, get, set and delete, got {type(cache).__name__}"
        )
    if not hasattr(type(cache), "cache"):
        return _proxy_of(cache)
    try:
        return cache.cache
    except Exception as error:
        raise ConfigurationError(
            "cache", "must be bound to an application: call init_app first, then make the store"
        ) from error


def _proxy_of(cache: Any) -> Any:
    """Return Django's proxy for a cache that came from ``caches``; else the cache.

    Such a cache belongs to the thread that asked for it, and its client must not be used in others.
    """
    django: Any = sys.modules.get("django.core.cache")
    if django is None or not isinstance(cache, django.BaseCache):
        return cache
    aliases: list[str] = []
    with contextlib.suppress(Exception):  # Django has no settings
        aliases.extend(django.caches)
    for alias in aliases:
        with contextlib.suppress(Exception):  # another cache, which cannot be made
            if django.caches[alias] is cache:
                return django.ConnectionProxy(django.caches, alias)
    return cache


def _backend(cache: Any) -> Any:
    """Return a new cache like the one behind Django's proxy, or the cache itself.

    The proxy makes one cache per thread, and this library calls stores from many short-lived
    threads.
    """
    add = contextvars.Context().run(getattr, cache, "add")
    backend = getattr(add, "__self__", cache)
    if not all(callable(getattr(backend, name, None)) for name in _CALLS):
        backend = cache
    # The first use makes Django import a client library, which takes longer than a store call may.
    getattr(backend, "_cache", None)
    if _NOT_SHARED & {kind.__name__ for kind in type(backend).__mro__}:
        raise ConfigurationError(
            "cache", f"must be shared by processes, and {type(backend).__name__} is not"
        )
    return backend
