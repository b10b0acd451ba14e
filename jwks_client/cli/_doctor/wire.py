"""What the doctor finds in the way an answer came: the transport, its headers, its life.

Owns: the limits beyond which an answer is slow, large, or lives too long. May not know: what is in
the answer. Everything is judged from what was recorded; `now` is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ... import CachePolicy, FetchPolicy
from ..._core import addresses
from .._output import printable
from .._probe.lifetime import life_told
from .._probe.network import Visit
from .finding import Finding, Severity

__all__ = ["of_life", "of_wire"]

_DAY: Final = 86_400.0
_SLOW: Final = 1.0
_LARGE: Final = 64 * 1024
_ENDS_SOON: Final = 21 * _DAY
_ENDS_NOW: Final = 3 * _DAY
_LONG_LIFE: Final = _DAY
_TYPES: Final = frozenset({"application/json", "application/jwk-set+json"})
_FETCH, _CACHE = FetchPolicy(), CachePolicy()
_BOUNDS: Final = f"; the library keeps it from {_CACHE.min_ttl:g} to {_CACHE.max_ttl:g} s"
_HOW_KEYS_LIVE: Final = "docs/how-keys-live.md"


def of_wire(visit: Visit, now: float) -> Iterator[Finding]:
    """Findings on how one document came, be it metadata or keys."""
    yield from _of_scheme(visit.url)
    yield from _of_certificate(visit, now)
    where = printable(visit.url)
    if visit.seconds > _SLOW:
        limit = _FETCH.attempt_timeout
        yield Finding(
            code="slow_answer",
            severity="warning",
            message=f"{where} took {visit.seconds:.1f} s; the library waits {limit:g} s by default",
            see=_HOW_KEYS_LIVE,
        )
    if visit.body is not None and len(visit.body) > _LARGE:
        yield Finding(
            code="large_answer",
            severity="warning",
            message=f"{where} is {len(visit.body) // 1024} KiB long, which every client fetches "
            f"again and again; the library reads at most {_FETCH.max_body // 1024} KiB",
            see=_HOW_KEYS_LIVE,
        )


def _of_scheme(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "http" and not addresses.is_loopback(parts.hostname or ""):
        yield Finding(
            code="plain_http",
            severity="error",
            message=f"{printable(url)} is plain http: anyone on the way can put in a key of their "
            "own, and the library refuses it",
            see="OpenID Connect Discovery 1.0, section 7.1",
        )


def _of_certificate(visit: Visit, now: float) -> Iterator[Finding]:
    if visit.certificate_ends is None:
        return
    left = visit.certificate_ends - now
    if left < _ENDS_SOON:
        host = printable(urlsplit(visit.url).hostname or "")
        yield Finding(
            code="tls_expiring",
            severity="error" if left < _ENDS_NOW else "warning",
            message=f"the TLS certificate of {host} ends in {max(left, 0) / _DAY:.0f} days; then "
            "no client gets keys any more",
            see="RFC 5280, section 4.1.2.5",
        )


def of_life(visit: Visit, now: float) -> Iterator[Finding]:
    """Findings on the headers of a key set: its type, and how long it may be kept."""
    told = visit.headers.get("content-type", "")
    kind = told.partition(";")[0].strip().lower()
    if kind not in _TYPES:
        spelled = printable(told, 80) or "nothing"
        yield Finding(
            code="content_type",
            severity="warning",
            message=f"its Content-Type is {spelled}; clients that rely on it want "
            "application/jwk-set+json or application/json",
            see="RFC 7517, section 8.5.2",
        )
    life = life_told(visit.headers, now)
    if life is None:
        told = f"it does not say how long it may be kept; the library keeps it {_CACHE.ttl:g} s"
        yield _life("life_unsaid", "info", told, "4.2.2")
    elif life <= 0:
        message = "it may not be kept at all: a client that obeys fetches it for every token"
        message += _BOUNDS
        yield _life("life_forbidden", "warning", message, "5.2.2.4")
    elif life < _CACHE.min_ttl:
        message = f"it may be kept {life:g} s, so clients that obey fetch it all the time"
        message += _BOUNDS
        yield _life("life_too_short", "warning", message, "5.2.2.1")
    elif life > _LONG_LIFE:
        message = (
            f"it may be kept {life / _DAY:.1f} days: for clients that obey, a withdrawn key lives "
            "on as long" + _BOUNDS
        )
        yield _life("life_too_long", "warning", message, "5.2.2.1")


def _life(code: str, severity: Severity, message: str, section: str) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        message=message,
        see=f"RFC 9111, section {section}",
    )
