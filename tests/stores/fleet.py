"""Run as a program: fork processes that share a store, and print the outcome of each as one JSON line.

Arguments: a JSON object with ``store`` (kind and address), ``provider`` (key-set URL and issuer), ``count``,
``tokens`` (each process verifies all of them) and ``rounds`` (how often).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from jwks_client import CachePolicy, JWKSClient, JWKSError, providers
from jwks_client.stores import CacheStore, FileStore, RedisStore

SECRET = "0123456789abcdef0123456789abcdef"


def store_of(kind: str, address: str) -> Any:
    """Return a store as each process makes it."""
    if kind == "none":
        return None
    if kind == "file":
        return FileStore(address)
    if kind == "memcached":
        from django.core.cache.backends.memcached import PyMemcacheCache

        return CacheStore(PyMemcacheCache(address, {}), secret=SECRET)
    return RedisStore(address, secret=SECRET)


def one_process(what: dict[str, Any], ready: Callable[[], object]) -> dict[str, Any]:
    """Make a client, signal readiness, verify every token so many times; count outcomes, measure the first call."""
    provider = providers.generic(what["jwks_url"], issuer=what["issuer"], audience="api")
    outcomes: dict[str, int] = {}
    with JWKSClient(
        provider,
        store=store_of(*what["store"]),
        cache=CachePolicy(**what.get("cache", {})),
        token_cache_size=0,
    ) as client:
        ready()
        began = time.monotonic()
        first = 0.0
        for _ in range(what.get("rounds", 1)):
            for token in what["tokens"]:
                try:
                    client.verify(token)
                    outcome = "accepted"
                except JWKSError as error:
                    outcome = error.code
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                first = first or time.monotonic() - began
        health = next(iter(client.health().values()))
    return {"outcomes": outcomes, "first": first, "fetches": health.fetches}


def main() -> None:
    what = json.loads(sys.argv[1])
    go_read, go_write = os.pipe()
    made_read, made_write = os.pipe()
    answers = []

    def ready() -> None:
        os.write(made_write, b".")
        os.read(go_read, 1)  # ends when the parent releases it

    for _ in range(what["count"]):
        read, write = os.pipe()
        if os.fork() == 0:
            os.close(go_write)
            os.write(write, json.dumps(one_process(what, ready)).encode())
            os._exit(0)
        os.close(write)
        answers.append(read)
    for _ in answers:
        os.read(made_read, 1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    os.close(go_write)
    results = []
    for read in answers:
        with os.fdopen(read, "rb") as file:
            results.append(json.loads(file.read() or b"{}"))
    for _ in answers:
        os.wait()
    sys.stdout.write(json.dumps(results) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
