"""Count the outcomes of a client's verifications in plain integers.

A token costs no lock and no lookup of a label. Must not depend on any monitoring system.
"""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from .. import AsyncJWKSClient, JWKSClient
from .._client.access import configured_names, watch
from .._client.fork_gate import no_fork
from ..events import Event, TokenRefused, TokenUndecided

if TYPE_CHECKING:
    from .._core.tokens.verified import TokenFacts

RESOLVED = "resolved"  # the label of all tenants together
_INTERVAL: Final = 1.0  # seconds between two flushes
_log = logging.getLogger("jwks_client")


class Verdict(NamedTuple):
    """The labels of one counter. Their values come from settings and codes, never from a token."""

    provider: str
    outcome: str
    error_type: str


class _Count:
    __slots__ = ("reported", "total")

    def __init__(self) -> None:
        self.total = 0
        self.reported = 0


class Counts:
    """The verdicts of one client, and its events for a metrics backend.

    Arguments:
        client: the client.
        on_event: called with each event that is not a verdict, and the label of its provider.
        flush: called with a verdict, once a second at most.
        tenants: give each resolved tenant a separate label.
    """

    def __init__(
        self,
        client: JWKSClient | AsyncJWKSClient,
        on_event: Callable[[Event, str], object],
        flush: Callable[[], object] | None,
        *,
        tenants: bool,
    ) -> None:
        self._counts: dict[tuple[str | None, str], _Count] = {}
        self._names = frozenset(configured_names(client))
        # Hot path: one lookup finds the counter of an accepted token.
        self._accepts = {name: _Count() for name in self._names}
        self._counts.update({(name, "accepted"): self._accepts[name] for name in self._names})
        self._tenants = tenants
        self._on_event = on_event
        self._flush = flush
        self._flush_at = 0.0
        self._failed = False
        self.stop = watch(client, self._listen, self._counter())
        _instances.add(self)

    def differences(self) -> Iterator[tuple[Verdict, int]]:
        """Yield each verdict with the number counted since the last call."""
        for (provider, code), count in list(self._counts.items()):
            new = count.total - count.reported
            if new:
                count.reported += new
                kind, _, error_type = code.partition(":")
                yield Verdict(self.label(provider), kind, error_type), new

    def label(self, provider: str | None) -> str:
        """Return the label of a provider: its configured name, or the label that tenants share."""
        if provider is None or provider in self._names or self._tenants:
            return provider or ""
        return RESOLVED

    def totals(self) -> dict[Verdict, int]:
        """Return each verdict with the number counted in this process."""
        sums: dict[Verdict, int] = {}
        for (provider, code), count in list(self._counts.items()):
            kind, _, error_type = code.partition(":")
            verdict = Verdict(self.label(provider), kind, error_type)
            sums[verdict] = sums.get(verdict, 0) + count.total
        return {verdict: total for verdict, total in sums.items() if total}

    def after_fork(self) -> None:
        """Start from zero in a forked child: the parent reports its own counts."""
        for count in self._counts.values():
            count.total = count.reported = 0

    def flush_in_time(self) -> None:
        """Flush, unless that was done within the last second. If it fails, that is only logged."""
        now = time.monotonic()
        if self._flush is None or now < self._flush_at:
            return
        self._flush_at = now + _INTERVAL
        try:
            self._flush()
        except Exception:  # noqa: BLE001 (the backend's disk may be full, which must not refuse a token)
            if not self._failed:
                _log.exception("metrics could not be written; trying again each second")
            self._failed = True
        else:
            self._failed = False

    def _counter(self) -> Callable[[TokenFacts], None]:
        """Return the function that counts an accepted token. Kept short: each token pays for it."""
        accepts, add, monotonic = self._accepts, self._add, time.monotonic

        def count(facts: TokenFacts) -> None:
            found = accepts.get(facts.provider)
            if found is None:
                add(facts.provider, "accepted")
            else:
                found.total += 1

        def count_and_flush(facts: TokenFacts) -> None:
            found = accepts.get(facts.provider)
            if found is None:
                add(facts.provider, "accepted")
            else:
                found.total += 1
            if monotonic() >= self._flush_at:
                self.flush_in_time()

        return count if self._flush is None else count_and_flush

    def _listen(self, event: Event) -> None:
        if isinstance(event, TokenRefused):
            self._refused(event.provider, f"refused:{event.code}")
        elif isinstance(event, TokenUndecided):
            self._refused(event.provider, f"unavailable:{event.code}")
        else:
            with no_fork:  # the backend holds locks
                self._on_event(event, self.label(getattr(event, "provider", None)))
            self.flush_in_time()

    def _refused(self, provider: str | None, code: str) -> None:
        self._add(provider, code)
        self.flush_in_time()

    def _add(self, provider: str | None, code: str) -> None:
        key = (provider if provider in self._names or self._tenants else _labelled(provider), code)
        count = self._counts.get(key)
        if count is None:
            count = self._counts.setdefault(key, _Count())
        count.total += 1


def _labelled(provider: str | None) -> str | None:
    return None if provider is None else RESOLVED


_instances: weakref.WeakSet[Counts] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for counts in list(_instances):
        counts.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(after_in_child=_after_fork_in_child)
