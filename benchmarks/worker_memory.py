"""Measure the memory that a client adds to a worker: ``python -m benchmarks.worker_memory``.

Serves a provider, and prints the private memory of a fresh process after each step of a worker, as
Linux counts it. Must not depend on: `peers`.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

TOKENS = 1024  # the default of token_cache_size


def private_mib() -> float:
    """Return the private memory of this process in MiB."""
    gc.collect()
    rows = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Private_")) / 1024


def life(jwks_url: str, issuer: str, tokens: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Yield the steps of a worker, and its memory after each."""
    yield "an empty interpreter", private_mib()
    from jwks_client import JWKSClient, providers

    client = JWKSClient(providers.generic(jwks_url, issuer=issuer, audience="api"))
    yield "a client made: its code, httpx, PyJWT and cryptography", private_mib()
    client.warm_up()
    yield "keys loaded", private_mib()
    for token in tokens:  # read one at a time, so that only the client keeps them
        client.verify(token.strip())
    yield f"{TOKENS} tokens remembered", private_mib()


def main() -> None:
    """Measure a worker and print its steps."""
    from jwks_client.testing import FakeProvider

    idp = FakeProvider(issuer=None)
    with idp.serve() as issuer:
        tokens = [idp.issue(sub=f"user-{number}", scope="a b") for number in range(TOKENS)]
        command = [sys.executable, "-m", "benchmarks.worker_memory", idp.jwks_url, issuer]
        subprocess.run(command, input="\n".join(tokens), text=True, check=True)  # noqa: S603


if __name__ == "__main__":
    if sys.argv[1:]:
        for step, memory in life(sys.argv[1], sys.argv[2], sys.stdin):
            print(f"{memory:6.1f} MiB  {step}")
    else:
        main()
