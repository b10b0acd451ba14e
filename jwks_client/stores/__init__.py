"""Stores in which the processes of an application share key sets.

- `RedisStore`: a Redis or Valkey server, for any number of hosts; needs the extra ``redis``.
- `FileStore`: a directory on a local disk, for the processes of one host.
- `CacheStore`: the cache that a framework already has (Django, Flask-Caching).

Pass one to a client: ``JWKSClient(provider, store=FileStore("/var/lib/app/jwks"))``. If the store
fails, each process fetches for itself.
"""

from ._cache import CacheStore
from ._file import FileStore
from ._redis import RedisStore

__all__ = ["CacheStore", "FileStore", "RedisStore"]
