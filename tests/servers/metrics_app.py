"""A WSGI app whose workers count for Prometheus: /both waits for its other worker, /metrics is open."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from served import ISSUER

from jwks_client import JWKSClient, providers
from jwks_client.instrumentation import prometheus
from jwks_client.wsgi import JWKSMiddleware

WORKERS = 2
MET = Path(os.environ["MEETING_PLACE"])
client = JWKSClient(
    providers.generic(
        f"{os.environ['PROVIDER_URL']}/.well-known/jwks.json", issuer=ISSUER, audience="api"
    )
)
prometheus.instrument(client)


def app(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return [generate_latest(registry)]
    meeting = MET / environ["QUERY_STRING"]
    meeting.mkdir(exist_ok=True)
    (meeting / str(os.getpid())).touch()
    pause = threading.Event()
    while len([*meeting.iterdir()]) < WORKERS:
        pause.wait(0.01)
    return [b"met"]


application = JWKSMiddleware(app, client, exclude=["/metrics"])
