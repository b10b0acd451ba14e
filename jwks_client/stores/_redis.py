"""`RedisStore`: key sets shared through a Redis or Valkey server.

It uses one key per command, and only GETRANGE, SET, DEL and PTTL, so it works with a cluster and a
narrow ACL. The age of a value is measured by the server's clock: the lifetime is stored with the
value, and PTTL returns how much of it is left. redis-py is imported when a store is made from a
URL.
"""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Iterable
from typing import Any, Final

from .._core.callables import is_coroutine_function
from ..errors import ConfigurationError
from ..protocols import Stored
from ._arguments import Secret, prefix_of, secrets_of
from ._leases import Leases
from ._lifetime import LONGEST, dated, milliseconds, undated

TIMEOUT: Final = 0.25
_COMMANDS: Final = ("getrange", "pttl", "set", "delete")


class RedisStore:
    """A store for any number of processes and hosts that reach one Redis or Valkey server.

    Arguments:
        redis: a URL (``redis://``, ``rediss://`` or ``unix://``), which needs the extra ``redis``,
            or a client of redis-py or valkey-py, on which you should set timeouts yourself.
        secret: seals the records, at least 32 bytes. An attacker who can write to the server, but
            does not know the secret, cannot plant a key. Of several, the first seals and all
            verify.
        prefix: the prefix of all keys.

    Raises `ConfigurationError` naming the argument.
    """

    def __init__(
        self,
        redis: Any,
        *,
        secret: Secret | Iterable[Secret] | None = None,
        prefix: str = "jwks_client:",
    ) -> None:
        self.secrets = secrets_of(secret, required="others can write to a server")
        self._prefix = prefix_of(prefix)
        self._url = redis if isinstance(redis, str) else None
        self._client = _client_of(redis) if self._url is None else _connect(self._url)
        self._process = os.getpid()
        self._leases = Leases()

    def read(self, name: str, limit: int) -> Stored | None:
        """Return a value and its age by the server's clock."""
        client, key = self._own_client(), self._prefix + name
        # In this order, a write between the two commands can only make the value look older.
        left = client.pttl(key)
        raw = client.getrange(key, 0, limit + LONGEST)
        if not raw or left == -2:
            return None
        octets = raw.encode() if isinstance(raw, str) else bytes(raw)
        lifetime, value = undated(octets)
        if lifetime is None or left < 0:
            return Stored(value, None)
        age = lifetime - left / 1000
        return Stored(value, age if age >= 0 else None)

    def write(self, name: str, value: bytes, seconds: float) -> None:
        """Replace a value."""
        octets, lifetime = dated(value, seconds), milliseconds(seconds)
        self._own_client().set(self._prefix + name, octets, px=lifetime)

    def claim(self, name: str, seconds: float) -> bool:
        """Take a lease, unless it is taken."""
        began = time.monotonic()
        won = self._own_client().set(self._prefix + name, b"1", px=milliseconds(seconds), nx=True)
        if won:
            self._leases.took(name, seconds, began)
        return bool(won)

    def release(self, name: str) -> None:
        """Give a lease back, unless it has expired."""
        if self._leases.give_back(name):
            self._own_client().delete(self._prefix + name)

    def _own_client(self) -> Any:
        # A forked child must not wait for a lock that a thread of its parent held in the pool.
        if self._url is not None and self._process != os.getpid():
            self._client, self._process = _connect(self._url), os.getpid()
        return self._client

    def __repr__(self) -> str:
        return f"<RedisStore with prefix {self._prefix!r}>"


def _connect(url: str) -> Any:
    try:
        from redis import ConnectionError as Unconnected
        from redis import Redis, RedisError
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError(
            "redis",
            'needs redis-py to connect to a URL: pip install "jwks-client-sdk[redis]"',
        ) from None
    codecs.lookup("idna")  # otherwise the first connection would import it
    # The server may have closed a pooled connection, so retry once; never after a timeout.
    retry = Retry(NoBackoff(), 1, supported_errors=(Unconnected,))
    try:
        client = Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry
        )
        client.connection_pool.make_connection()  # checks the options in the URL; does not connect
    except (ValueError, TypeError, RedisError):  # its text may contain the URL, and so a password
        raise ConfigurationError(
            "redis", "must be a redis://, rediss:// or unix:// URL, or a client"
        ) from None
    return client


def _client_of(given: Any) -> Any:
    usable = all(callable(getattr(given, name, None)) for name in _COMMANDS)
    if not usable or isinstance(given, type):
        raise ConfigurationError(
            "redis",
            f"must be a URL, or a client of redis-py or valkey-py, got {type(given).__name__}",
        )
    if is_coroutine_function(getattr(given, "execute_command", None)):
        raise ConfigurationError(
            "redis", "must be a client whose calls block (redis.Redis), for the async client too"
        )
    return given
