"""OpenTelemetry metrics and traces: right, bounded, and linked to the requests that waited."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from driver import PATIENCE
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jwks_client._client import aio, sync
from jwks_client.errors import KeysUnavailableError, TokenError
from jwks_client.instrumentation import opentelemetry


class Backend:
    """Meter and tracer providers that keep their data in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))

    def instrument(self, client: Any) -> Any:
        return opentelemetry.instrument(client, self.meters, self.tracers)

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """Return the points of one metric, by the values of their attributes."""
        data = self.reader.get_metrics_data()
        return {
            tuple(point.attributes.values()): getattr(point, "value", getattr(point, "count", None))
            for resource in (() if data is None else data.resource_metrics)
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        }

    def spans(self, name: str) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def backend() -> Any:
    backend = Backend()
    yield backend
    backend.meters.shutdown()
    backend.tracers.shutdown()


def test_a_client_s_work_is_measured(drive, idp, clock, backend):
    """Verifications, fetches and keys have the documented names and attributes."""
    client = drive.client(idp)
    backend.instrument(client)
    token = idp.issue()
    for _ in range(3):
        drive.verify(token)
    with pytest.raises(TokenError):
        drive.verify(idp.issue(aud="other"))
    idp.fail(503)
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    assert backend.points("jwks_client.verifications") == {
        ("issuer.test", "accepted"): 3,
        ("issuer.test", "refused", "wrong_audience"): 1,
    }
    assert backend.points("jwks_client.fetch.duration") == {
        ("issuer.test", "cold", "provider"): 1,
        ("issuer.test", "manual", "provider", "fetch_failed"): 1,
    }
    assert backend.points("jwks_client.keys") == {
        ("issuer.test", "usable"): 1,
        ("issuer.test", "unusable"): 0,
    }
    assert backend.points("jwks_client.key_set.fetched") == {("issuer.test",): clock.time()}


def test_a_fetch_is_linked_to_the_request_that_waited(drive, idp, backend, monkeypatch):
    """The fetch has its own trace, and one of the two spans names the other."""
    waits = threading.Event()
    module = aio if drive.kind == "async" else sync
    wait = module.wait
    monkeypatch.setattr(module, "wait", lambda want: (waits.set(), wait(want))[1])
    backend.instrument(drive.client(idp))
    with idp.hold():  # until the request waits
        verified = drive.start("verify", idp.issue())
        assert waits.wait(PATIENCE)
    assert verified.result(PATIENCE)
    drive.settle()
    (fetch,) = backend.spans("jwks_client.fetch")
    (waited,) = backend.spans("jwks_client.keys_awaited")
    assert fetch.parent is None
    assert fetch.context.trace_id != waited.context.trace_id
    linked = {link.context.span_id for span in (fetch, waited) for link in span.links}
    assert linked
    assert linked <= {fetch.context.span_id, waited.context.span_id}
    assert fetch.start_time <= fetch.end_time


def test_a_failed_fetch_is_an_error(drive, idp, backend):
    """The span has the code, and no text of the provider."""
    idp.fail(503)
    backend.instrument(drive.client(idp))
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    (fetch,) = backend.spans("jwks_client.fetch")
    assert (fetch.attributes["error.type"], fetch.status.is_ok) == ("fetch_failed", False)


def test_instrumentation_can_end(drive, idp, backend):
    """After the end a client runs the code of a client that was never instrumented."""
    client = drive.client(idp)
    with backend.instrument(client):
        drive.verify(idp.issue())
    drive.verify(idp.issue())
    assert client._begin == client._verifier.begin
    assert backend.points("jwks_client.verifications") == {("issuer.test", "accepted"): 1}
    assert backend.points("jwks_client.keys") == {}


def test_a_missing_extra_is_named():
    """A failing import names the extra to install."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import jwks_client.instrumentation.opentelemetry"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert 'pip install "jwks-client-sdk[opentelemetry]"' in ended.stderr
