"""Measure what metrics cost a remembered token: ``python -m benchmarks.instrumented``.

Prints the table of docs/performance.md: a client without metrics and clients with them, in turn.
Prometheus' multiprocess mode is chosen by the environment before the import, so it runs in a
separate process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from prometheus_client import CollectorRegistry

from jwks_client import JWKSClient
from jwks_client.instrumentation import prometheus

from .measuring import Contestant, as_texts, each, in_turn, interleaved
from .report import at_most, micro, times
from .scene import scene

ROUNDS, CHUNK = 400, 500
GOAL = 1.2
OFF = "no metrics"
IN_WORKERS = "PROMETHEUS_MULTIPROC_DIR"
PROMETHEUS = "Prometheus, in multiprocess mode" if IN_WORKERS in os.environ else "Prometheus"
TELEMETRY = "OpenTelemetry"


def measured() -> dict[str, float]:
    """Return the seconds for one remembered token, without metrics and with each kind of them."""
    with scene("RS256", 1) as here:
        clients = {name: JWKSClient(here.provider) for name in (OFF, PROMETHEUS, TELEMETRY)}
        prometheus.instrument(clients[PROMETHEUS], registry=CollectorRegistry())
        if IN_WORKERS in os.environ:
            del clients[TELEMETRY]
        else:
            from jwks_client.instrumentation import opentelemetry

            opentelemetry.instrument(clients[TELEMETRY])
        same = as_texts(in_turn(here.tokens, CHUNK))
        for client in clients.values():
            client.verify(here.tokens[0])
        contestants = {name: Contestant(same, each(one.verify)) for name, one in clients.items()}
        return interleaved(contestants, ROUNDS)


def main() -> None:
    """Measure here and in a process that is a worker, and print the table."""
    command = [sys.executable, "-m", "benchmarks.instrumented", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        worker = subprocess.run(  # noqa: S603
            command, env={**os.environ, IN_WORKERS: folder}, check=True, capture_output=True
        )
    print("| | a remembered token | relative to no metrics | goal |")
    print("| --- | ---: | ---: | --- |")
    for found, skipped in ((measured(), ()), (json.loads(worker.stdout), (OFF,))):
        for name, one in found.items():
            if name not in skipped:
                ratio = one / found[OFF]
                goal = "" if name == OFF else at_most(round(ratio, 2), GOAL)
                print(f"| {name} | {micro(one)} | {times(ratio)} | {goal} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["--json"]:
        print(json.dumps(measured()))
    else:
        main()
