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
        self._names = frozenset(configured_names(client))
        # Hot path: one lookup finds the counter of an accepted token.
        self._accepts = {name: _Count() for name in self._names}
        self._counts = {_accepted(name): count for name, count in self._accepts.items()}
        self._tenants = tenants
        self._on_event = on_event
        self._flush = flush
        self._flush_at = 0.0
        self._failed = False
        self.stop = watch(client, self._listen, self._counter())
        _instances.add(self)

    def differences(self) -> Iterator[tuple[Verdict, int]]:
        """Yield each verdict with the number counted since the last call."""
        for verdict, count in list(self._counts.items()):
            new = count.total - count.reported
            if new:
                count.reported += new
                yield verdict, new

    def label(self, provider: str | None) -> str:
        """Return the label of a provider: its configured name, or the label that tenants share."""
        if provider is None or provider in self._names or self._tenants:
            return provider or ""
        return RESOLVED

    def totals(self) -> dict[Verdict, int]:
        """Return each verdict with the number counted in this process."""
        counts = list(self._counts.items())
        return {verdict: count.total for verdict, count in counts if count.total}

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
        accepts, add, label, monotonic = self._accepts, self._add, self.label, time.monotonic

        def count(facts: TokenFacts) -> None:
            found = accepts.get(facts.provider)
            if found is None:
                add(_accepted(label(facts.provider)))
            else:
                found.total += 1

        def count_and_flush(facts: TokenFacts) -> None:
            found = accepts.get(facts.provider)
            if found is None:
                add(_accepted(label(facts.provider)))
            else:
                found.total += 1
            if monotonic() >= self._flush_at:
                self.flush_in_time()

        return count if self._flush is None else count_and_flush

    def _listen(self, event: Event) -> None:
        label = self.label(getattr(event, "provider", None))
        match event:
            case TokenRefused():
                self._add(Verdict(label, "refused", event.code))
            case TokenUndecided():
                self._add(Verdict(label, "unavailable", event.code))
            case _:
                with no_fork:  # the backend holds locks
                    self._on_event(event, label)
        self.flush_in_time()

    def _add(self, verdict: Verdict) -> None:
        count = self._counts.get(verdict)
        if count is None:
            count = self._counts.setdefault(verdict, _Count())
        count.total += 1


def _accepted(label: str) -> Verdict:
    return Verdict(label, "accepted", "")


_instances: weakref.WeakSet[Counts] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for counts in list(_instances):
        counts.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(after_in_child=_after_fork_in_child)
