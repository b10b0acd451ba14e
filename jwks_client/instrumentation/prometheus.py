"""Prometheus metrics of a client.

    instrument(client)                    # in the default registry
    instrument(client, registry=registry)

Verifications are counted in plain integers, which are flushed to the registry when it is scraped.
In Prometheus' multiprocess mode, where scrapes do not reach the workers, they are flushed at most
once a second, and at exit. No label contains text from a token.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from .. import AsyncJWKSClient, JWKSClient
from .._client.access import key_sets_of
from .._client.fork_gate import no_fork
from ..events import Event, FetchFailed, KeysFetched, KeysRotated, KeysUnchanged, StoreFailed
from ._counts import Counts

try:
    import prometheus_client
except ImportError as error:
    raise ImportError(
        'prometheus-client is not installed: pip install "jwks-client-sdk[prometheus]"'
    ) from error

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .._core.keysets.jwk import KeySet

__all__ = ["Instrumented", "instrument"]

_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Metrics:
    """The metrics in one registry, which all its instrumented clients share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flushes: list[Callable[[], None]] = []
        registry.register(self)  # first, because its `collect` fills the metrics below
        self.verifications = prometheus_client.Counter(
            "jwks_client_verifications",
            "Verifications, by outcome (accepted, refused, unavailable).",
            ("provider", "outcome", "error_type"),
            registry=registry,
        )
        self.fetches = prometheus_client.Histogram(
            "jwks_client_fetch_duration_seconds",
            "Duration of key set fetches.",
            ("provider", "reason", "source", "error_type"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.keys = prometheus_client.Gauge(
            "jwks_client_keys",
            "Keys in the cached key set, by state (usable, unusable).",
            ("provider", "state"),
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.fetched = prometheus_client.Gauge(
            "jwks_client_key_set_fetched_seconds",
            "Time of the last successful fetch of the key set, in Unix time.",
            ("provider",),
            # Not the earliest: a process that only forks workers (`gunicorn --preload`) loads the
            # keys once, and an idle worker fetches none. Both would look like an outage.
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.store_failures = prometheus_client.Counter(
            "jwks_client_store_failures",
            "Failed calls of the shared store.",
            ("provider", "error_type"),
            registry=registry,
        )

    def collect(self) -> Iterable[Any]:
        """Update the metrics before a scrape; return none itself."""
        for flush in list(self.flushes):
            flush()
        return ()

    def describe(self) -> Iterable[Any]:
        """Return nothing: the metrics register themselves."""
        return ()


_metrics: weakref.WeakKeyDictionary[CollectorRegistry, _Metrics] = weakref.WeakKeyDictionary()


class Instrumented:
    """The instrumentation of one client; call `end`, or use it as a context manager."""

    def __init__(
        self, client: JWKSClient | AsyncJWKSClient, metrics: _Metrics, *, tenants: bool
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._shown: dict[str, KeySet | None] = {}  # whose keys the registry shows
        in_workers = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self._counts = Counts(
            client, self._on_event, self.flush if in_workers else None, tenants=tenants
        )
        metrics.flushes.append(self.flush)
        if in_workers:
            atexit.register(self.flush)

    def flush(self) -> None:
        """Add what was counted since the last flush to the registry."""
        with no_fork:  # the registry holds locks
            for verdict, new in self._counts.differences():
                self._metrics.verifications.labels(*verdict).inc(new)
            for name, health in self._client.health().items():
                if self._counts.label(name) == name and health.last_success is not None:
                    self._metrics.fetched.labels(name).set(health.last_success)
            self._show_keys()

    def end(self) -> None:
        """Stop counting. The counts stay in the registry."""
        if self.flush in self._metrics.flushes:
            self.flush()
            self._counts.stop()
            self._metrics.flushes.remove(self.flush)
            atexit.unregister(self.flush)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _on_event(self, event: Event, label: str) -> None:
        metrics = self._metrics
        match event:
            case KeysFetched() | KeysUnchanged() | KeysRotated() | FetchFailed():
                code = event.code if isinstance(event, FetchFailed) else ""
                fetches = metrics.fetches.labels(label, event.reason, event.source, code)
                fetches.observe(event.duration)
            case StoreFailed():
                metrics.store_failures.labels(label, event.code).inc()
            case _:
                pass

    def _show_keys(self) -> None:
        """Set the number of keys of each provider whose key set is not the one shown last.

        In multiprocess mode, the value of the process whose key set changed last is reported.
        """
        key_sets = key_sets_of(self._client)
        for name, key_set in key_sets.items():
            if key_set is None or key_set is self._shown.get(name):
                continue
            if self._counts.label(name) == name:
                self._metrics.keys.labels(name, "usable").set(len(key_set))
                self._metrics.keys.labels(name, "unusable").set(len(key_set.unusable))
        self._shown = key_sets


def instrument(
    client: JWKSClient | AsyncJWKSClient,
    registry: CollectorRegistry | None = None,
    *,
    tenants: bool = False,
) -> Instrumented:
    """Record a client's verifications and fetches in a Prometheus registry.

    Arguments:
        client: the client; several clients may share a registry.
        registry: the registry; by default Prometheus' global one.
        tenants: give each resolved tenant a separate label. By default all tenants share the
            label ``resolved``, so that the registry does not grow with the number of tenants.

    Returns the instrumentation, whose ``end()`` stops it.
    """
    chosen = prometheus_client.REGISTRY if registry is None else registry
    metrics = _metrics.get(chosen)
    if metrics is None:
        metrics = _metrics[chosen] = _Metrics(chosen)
    return Instrumented(client, metrics, tenants=tenants)
