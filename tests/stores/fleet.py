"""Run as a program: fork processes that share a store, and do what the lines on stdin say.

Argument: a JSON object with ``store`` (kind and address), ``provider`` (key-set URL and issuer), ``count``
and ``cache`` (fields of the policy). Each line is a JSON object with ``tokens`` (each process verifies all
of them), ``rounds`` (how often), ``advance`` (seconds that pass before, by the processes' clocks) and
``who`` (numbers of processes; by default all). The answer is a line with the outcome of each.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

from jwks_client import CachePolicy, JWKSClient, JWKSError, providers
from jwks_client._client.clock import SystemClock
from jwks_client.stores import CacheStore, FileStore, RedisStore

SECRET = "0123456789abcdef0123456789abcdef"


class LateClock:
    """The system's clock, set forward by ``ahead`` seconds."""

    system = SystemClock()
    ahead = 0.0

    def time(self) -> float:
        return self.system.time() + self.ahead

    def monotonic(self) -> float:
        return self.system.monotonic() + self.ahead


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


def one_process(what: dict[str, Any], orders: IO[str]) -> Iterator[dict[str, Any]]:
    """Make a client, then do what each order says: count outcomes, measure the first call."""
    provider = providers.generic(what["jwks_url"], issuer=what["issuer"], audience="api")
    clock = LateClock()
    with JWKSClient(
        provider,
        store=store_of(*what["store"]),
        cache=CachePolicy(**what.get("cache", {})),
        token_cache_size=0,
        clock=clock,
    ) as client:
        yield {}
        while order := json.loads(orders.readline() or "{}"):
            outcomes: dict[str, int] = {}
            clock.ahead += order.get("advance", 0)
            began = time.monotonic()
            first = 0.0
            for token in order["tokens"] * order.get("rounds", 1):
                try:
                    client.verify(token)
                    outcome = "accepted"
                except JWKSError as error:
                    outcome = error.code
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                first = first or time.monotonic() - began
            health = next(iter(client.health().values()))
            yield {"outcomes": outcomes, "first": first, "fetches": health.fetches}


def forked(what: dict[str, Any]) -> tuple[IO[str], IO[str]]:
    """Fork a process. Return where its orders are written, and where its answers are read."""
    (order_read, order_write), (answer_read, answer_write) = os.pipe(), os.pipe()
    if os.fork() == 0:
        with os.fdopen(order_read) as orders:
            for answer in one_process(what, orders):
                os.write(answer_write, json.dumps(answer).encode() + b"\n")
        os._exit(0)
    os.close(order_read)
    os.close(answer_write)
    return os.fdopen(order_write, "w", buffering=1), os.fdopen(answer_read)


def main() -> None:
    what = json.loads(sys.argv[1])
    fleet = [forked(what) for _ in range(what["count"])]
    for _, answers in fleet:
        answers.readline()
    say("ready")
    for line in sys.stdin:
        chosen = [fleet[one] for one in json.loads(line).get("who") or range(len(fleet))]
        for orders, _ in chosen:
            orders.write(line)
        say(json.dumps([json.loads(answers.readline() or "{}") for _, answers in chosen]))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
