"""A cold start of eight processes, with and without a store: ``python -m benchmarks.cold_start``.

Prints the table of docs/stores.md. Starts its own redis-server on loopback and serves a
slow provider. The processes are forked and prepared, and then start at the same time, so that only
the time from a token to its verdict is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from jwks_client import JWKSClient, Provider, providers
from jwks_client.stores import FileStore, RedisStore
from jwks_client.testing import FakeProvider

PROCESSES = 8
DELAYS = (0.05, 0.5)
ROUNDS = 5
SECRET = "a secret of the benchmark, 32 bytes"
STORES = ("no store", "`RedisStore`", "`FileStore`")


def started(provider: Provider, store: Any, token: str) -> list[float]:
    """Return the seconds that each of the processes took for its first token."""
    ready, go, done = os.pipe(), os.pipe(), os.pipe()
    for _ in range(PROCESSES):
        if os.fork() == 0:
            os.close(go[1])
            with JWKSClient(provider, store=store) as client:
                os.write(ready[1], b".")
                os.read(go[0], 1)  # ends when the parent closes the other end
                began = perf_counter()
                client.verify(token)
                os.write(done[1], json.dumps(perf_counter() - began).encode() + b"\n")
            os._exit(0)
    for _ in range(PROCESSES):
        os.read(ready[0], 1)
    os.close(go[1])
    for _ in range(PROCESSES):
        os.wait()
    os.close(done[1])
    with os.fdopen(done[0]) as lines:
        took = [json.loads(line) for line in lines]
    for end in (*ready, go[0]):
        os.close(end)
    return took


@contextmanager
def redis() -> Iterator[str]:
    """Run a redis-server, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        while "Ready to accept" not in server.stdout.readline():
            assert server.poll() is None, "redis-server did not start"
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()


def measured(kind: str, delay: float, folder: str, url: str) -> tuple[float, float, int]:
    """Return the median and the longest time for a first token, and how often keys were fetched."""
    idp = FakeProvider(issuer=None, algorithm="ES256")
    idp.delay(delay)
    with idp.serve() as issuer:  # on a new port, so that no earlier records match
        provider = providers.generic(idp.jwks_url, issuer=issuer, audience="api")
        store: Any = None
        if kind == "`RedisStore`":
            store = RedisStore(url, secret=SECRET)
        elif kind == "`FileStore`":
            store = FileStore(Path(folder) / issuer.rpartition(":")[2])
        took = started(provider, store, idp.issue())
        assert len(took) == PROCESSES
        return statistics.median(took), max(took), idp.fetches


def main() -> None:
    """Print the table: of each row, the round whose last process was the median."""
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is not installed: apt-get install redis-server")
    print("| provider answers in | store | fetches | a process, median | the last process |")
    print("| --- | --- | ---: | ---: | ---: |")
    JWKSClient(providers.google("warm"))  # what the children would import, each for itself
    with redis() as url, tempfile.TemporaryDirectory() as folder:
        for delay in DELAYS:
            for kind in STORES:
                rounds = [measured(kind, delay, folder, url) for _ in range(ROUNDS)]
                middle, last, fetches = sorted(rounds, key=lambda one: one[1])[ROUNDS // 2]
                row = f"{delay * 1e3:.0f} ms | {kind} | {fetches} | {middle:.2f} s | {last:.2f} s"
                print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
