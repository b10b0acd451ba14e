"""Find problems of how a document was delivered: transport, time, size, headers, lifetime.

Must not depend on what the document contains, or on a clock: `now` is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ... import CachePolicy, FetchPolicy
from ..._core import addresses
from .._output import printable
from .._probe.lifetime import stated_lifetime
from .._probe.prober import Exchange
from .finding import Finding, Severity

__all__ = ["of_lifetime", "of_wire"]

_DAY: Final = 86_400.0
_SLOW: Final = 1.0
_LARGE: Final = 64 * 1024
_ENDS_SOON: Final = 21 * _DAY
_ENDS_NOW: Final = 3 * _DAY
_LONG_LIFETIME: Final = _DAY
_TYPES: Final = frozenset({"application/json", "application/jwk-set+json"})
_FETCH, _CACHE = FetchPolicy(), CachePolicy()
_BOUNDS: Final = f"; the library caches it for {_CACHE.min_ttl:g} to {_CACHE.max_ttl:g} s"
_HOW_KEYS_LIVE: Final = "docs/how-keys-live.md"


def of_wire(exchange: Exchange, now: float) -> Iterator[Finding]:
    """Yield findings on the delivery of one document, metadata or key set."""
    yield from _of_scheme(exchange.url)
    yield from _of_certificate(exchange, now)
    where = printable(exchange.url)
    if exchange.seconds > _SLOW:
        limit = _FETCH.attempt_timeout
        yield Finding(
            code="slow_answer",
            severity="warning",
            message=f"{where} took {exchange.seconds:.1f} s to respond; the library waits "
            f"{limit:g} s by default",
            see=_HOW_KEYS_LIVE,
        )
    if exchange.body is not None and len(exchange.body) > _LARGE:
        yield Finding(
            code="large_answer",
            severity="warning",
            message=f"{where} is {len(exchange.body) // 1024} KiB large, and every client fetches "
            f"it repeatedly; the library reads at most {_FETCH.max_body // 1024} KiB",
            see=_HOW_KEYS_LIVE,
        )


def _of_scheme(url: str) -> Iterator[Finding]:
    if addresses.is_remote_http(urlsplit(url)):
        yield Finding(
            code="plain_http",
            severity="error",
            message=f"{printable(url)} is plain http: anyone on the network path can insert a key, "
            "so the library rejects it",
            see="OpenID Connect Discovery 1.0, section 7.1",
        )


def _of_certificate(exchange: Exchange, now: float) -> Iterator[Finding]:
    if exchange.certificate_ends is None:
        return
    left = exchange.certificate_ends - now
    if left < _ENDS_SOON:
        host = printable(urlsplit(exchange.url).hostname or "")
        yield Finding(
            code="tls_expiring",
            severity="error" if left < _ENDS_NOW else "warning",
            message=f"the TLS certificate of {host} expires in {max(left, 0) / _DAY:.0f} days; "
            "after that, no client can fetch keys",
            see="RFC 5280, section 4.1.2.5",
        )


def of_lifetime(exchange: Exchange, now: float) -> Iterator[Finding]:
    """Yield findings on the headers of a key set: its type and its lifetime."""
    content_type = exchange.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() not in _TYPES:
        escaped = printable(content_type, 80) or "missing"
        yield Finding(
            code="content_type",
            severity="warning",
            message=f"the Content-Type of the key set is {escaped}; some clients require "
            "application/jwk-set+json or application/json",
            see="RFC 7517, section 8.5.2",
        )
    lifetime = stated_lifetime(exchange.headers, now)
    if lifetime is None:
        message = f"the response states no lifetime; the library caches it for {_CACHE.ttl:g} s"
        yield _lifetime_finding("life_unsaid", "info", message, "4.2.2")
    elif lifetime <= 0:
        message = "the response forbids caching; clients that comply fetch it for every token"
        yield _lifetime_finding("life_forbidden", "warning", message + _BOUNDS, "5.2.2.4")
    elif lifetime < _CACHE.min_ttl:
        message = (
            f"the response states a lifetime of {lifetime:g} s; clients that comply fetch it often"
        )
        yield _lifetime_finding("life_too_short", "warning", message + _BOUNDS, "5.2.2.1")
    elif lifetime > _LONG_LIFETIME:
        message = (
            f"the response states a lifetime of {lifetime / _DAY:.1f} days; clients that comply "
            "accept a withdrawn key for as long"
        )
        yield _lifetime_finding("life_too_long", "warning", message + _BOUNDS, "5.2.2.1")


def _lifetime_finding(code: str, severity: Severity, message: str, section: str) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        message=message,
        see=f"RFC 9111, section {section}",
    )
