"""Measure the cost of many providers: construction, memory, and the time for a token.

``python -m benchmarks.scale`` prints the table of docs/performance.md.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from jwks_client import JWKSClient, Provider
from jwks_client.testing import FakeProvider

COUNTS = (10, 100, 1_000, 10_000)
TOKENS = 2_000
ASKED = 7  # the provider whose tokens are verified


def described(count: int, keys: dict[str, Any]) -> list[Provider]:
    """Return ``count`` providers, each with its own issuer and keys; one has static keys."""
    return [
        Provider(name=f"p{n}", issuer=f"https://t{n}.test", audience="api", jwks=keys)
        if n == ASKED
        else Provider(
            name=f"p{n}",
            issuer=f"https://t{n}.test",
            audience="api",
            jwks_url=f"https://t{n}.test/jwks",
        )
        for n in range(count)
    ]


def measured(make: Callable[[], JWKSClient], tokens: list[str], count: int) -> str:
    """Return a row: time and bytes for the client, and the time of a token not seen before."""
    gc.collect()
    began = time.perf_counter()
    client = make()
    seconds = time.perf_counter() - began
    client.verify(tokens[0])
    began = time.perf_counter()
    for token in tokens[1:]:
        client.verify(token)
    each = (time.perf_counter() - began) / (len(tokens) - 1)
    tracemalloc.start()
    kept = make()
    size = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    del kept
    return f"{seconds * 1e3:.1f} ms | {size / 1024:.1f} KB | {each * 1e6:.0f} µs"


def tenants_row(count: int, idp: FakeProvider, tokens: list[str]) -> str:
    """Return a row for a client whose resolver knows ``count`` tenants, one of which is used."""
    records = {one.issuer: one for one in described(count, idp.jwks())}
    return measured(partial(JWKSClient, resolve=records.get), tokens, count)


def main() -> None:
    """Print the tables."""
    idp = FakeProvider(issuer=f"https://t{ASKED}.test")
    tokens = [idp.issue(sub=f"u{n}", expires_in=3600) for n in range(TOKENS)]
    JWKSClient(*described(10, idp.jwks()))  # import everything before measuring
    print("| providers | construction | memory each | a new token |")
    print("| --- | --- | --- | --- |")
    for count in COUNTS:
        providers = described(count, idp.jwks())
        row = measured(partial(JWKSClient, *providers), tokens, count)
        print(f"| {count} | {row} |", flush=True)
    print("\n| tenants | construction | memory each | a new token |")
    print("| --- | --- | --- | --- |")
    for count in COUNTS:
        print(f"| {count} | {tenants_row(count, idp, tokens)} |", flush=True)


if __name__ == "__main__":
    main()
