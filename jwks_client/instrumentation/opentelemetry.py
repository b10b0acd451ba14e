"""OpenTelemetry metrics and traces of a client.

    instrument(client)                    # with the global providers

A fetch has its own trace, because it does not belong to a request. Its span is linked to the
requests that waited for it: each of them has a span ``jwks_client.keys_awaited``. Each span is
recorded here before it looks up the other, so at least one of the two has a link to the other. No
attribute contains text from a token.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, TypeVar

from .. import AsyncJWKSClient, JWKSClient
from .._client.access import key_sets_of
from ..events import (
    Event,
    FetchFailed,
    KeysAwaited,
    KeysFetched,
    KeysRotated,
    KeysUnchanged,
    StoreFailed,
)
from ._counts import Counts

try:
    from opentelemetry import metrics, trace
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Observation
except ImportError as error:
    raise ImportError(
        'opentelemetry-api is not installed: pip install "jwks-client-sdk[opentelemetry]"'
    ) from error

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import SpanContext, TracerProvider

__all__ = ["Instrumented", "instrument"]

T = TypeVar("T")

_NAME: Final = "jwks_client"
_MOST: Final = 64  # how many fetches, and waiters per fetch, are remembered for links


class Instrumented:
    """The instrumentation of one client; call `end`, or use it as a context manager."""

    def __init__(
        self,
        client: JWKSClient | AsyncJWKSClient,
        meter: metrics.Meter,
        tracer: trace.Tracer,
        *,
        tenants: bool,
    ) -> None:
        self._client = client
        self._tracer = tracer
        self._waiting: OrderedDict[int, list[SpanContext]] = OrderedDict()
        self._fetched: OrderedDict[int, SpanContext] = OrderedDict()
        self._ended = False
        self._counts = Counts(client, self._on_event, None, tenants=tenants)
        meter.create_observable_counter(
            "jwks_client.verifications",
            [self._verifications],
            "{verification}",
            "Verifications, by outcome.",
        )
        meter.create_observable_gauge(
            "jwks_client.keys", [self._keys], "{key}", "Keys in the cached key set, by state."
        )
        meter.create_observable_gauge(
            "jwks_client.key_set.fetched",
            [self._key_sets],
            "s",
            "Time of the last successful fetch of the key set, in Unix time.",
        )
        self._durations = meter.create_histogram(
            "jwks_client.fetch.duration", "s", "Duration of key set fetches."
        )
        self._store_failures = meter.create_counter(
            "jwks_client.store.failures", "{failure}", "Failed calls of the shared store."
        )

    def end(self) -> None:
        """Stop counting and reporting."""
        if not self._ended:
            self._ended = True
            self._counts.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _verifications(self, _: CallbackOptions) -> Iterable[Observation]:
        for verdict, total in self._counts.totals().items():
            attributes = {"provider": verdict.provider, "outcome": verdict.outcome}
            yield Observation(total, _with_error(attributes, verdict.error_type))

    def _keys(self, _: CallbackOptions) -> Iterable[Observation]:
        for name, key_set in () if self._ended else key_sets_of(self._client).items():
            if key_set is not None and self._counts.label(name) == name:
                yield Observation(len(key_set), {"provider": name, "state": "usable"})
                unusable = len(key_set.unusable)
                yield Observation(unusable, {"provider": name, "state": "unusable"})

    def _key_sets(self, _: CallbackOptions) -> Iterable[Observation]:
        for name, health in () if self._ended else self._client.health().items():
            if health.last_success is not None and self._counts.label(name) == name:
                yield Observation(health.last_success, {"provider": name})

    def _on_event(self, event: Event, label: str) -> None:
        match event:
            case KeysFetched() | KeysUnchanged() | KeysRotated() | FetchFailed():
                attributes = {"provider": label, "reason": event.reason, "source": event.source}
                code = event.code if isinstance(event, FetchFailed) else ""
                self._durations.record(event.duration, _with_error(attributes, code))
                with self._span("jwks_client.fetch", event.duration, attributes, code) as span:
                    _keep(self._fetched, event.fetch, span.get_span_context())
                    for waiting in list(self._waiting.get(event.fetch, ())):
                        span.add_link(waiting)
            case KeysAwaited():
                attributes = {"provider": label, "reason": event.reason}
                name = "jwks_client.keys_awaited"
                with self._span(name, event.seconds, attributes, "", inside=True) as span:
                    waiting_spans = self._waiting.setdefault(event.fetch, [])
                    _keep(self._waiting, event.fetch, waiting_spans)
                    if len(waiting_spans) < _MOST:
                        waiting_spans.append(span.get_span_context())
                    fetched = self._fetched.get(event.fetch)
                    if fetched is not None:
                        span.add_link(fetched)
            case StoreFailed():
                self._store_failures.add(1, _with_error({"provider": label}, event.code))
            case _:
                pass

    @contextmanager
    def _span(
        self,
        name: str,
        seconds: float,
        attributes: dict[str, str],
        code: str,
        *,
        inside: bool = False,
    ) -> Generator[trace.Span]:
        """Record a span that ends now, as a child of the current span or in a separate trace."""
        now = time.time_ns()
        span = self._tracer.start_span(
            name,
            context=None if inside else Context(),
            kind=trace.SpanKind.INTERNAL if inside else trace.SpanKind.CLIENT,
            attributes=_with_error(attributes, code),
            start_time=now - int(seconds * 1e9),
        )
        if code:
            span.set_status(trace.StatusCode.ERROR, code)
        yield span
        span.end(now)


def _with_error(attributes: dict[str, str], error_type: str) -> dict[str, str]:
    return {**attributes, "error.type": error_type} if error_type else attributes


def _keep(kept: OrderedDict[int, T], fetch: int, value: T) -> None:
    kept[fetch] = value
    while len(kept) > _MOST:
        kept.popitem(last=False)


def instrument(
    client: JWKSClient | AsyncJWKSClient,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    *,
    tenants: bool = False,
) -> Instrumented:
    """Record a client's verifications and fetches as OpenTelemetry metrics and traces.

    Arguments:
        client: the client.
        meter_provider: the meter provider; by default the global one.
        tracer_provider: the tracer provider; by default the global one.
        tenants: give each resolved tenant a separate attribute value. By default all tenants
            share ``resolved``.

    Returns the instrumentation, whose ``end()`` stops it.
    """
    meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
    tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
    return Instrumented(client, meter, tracer, tenants=tenants)
