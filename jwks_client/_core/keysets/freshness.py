"""Read a key set's lifetime from response headers (RFC 9111, RFC 5861), and when to retry.

Must not depend on: what was requested. Header values are untrusted: invalid ones count as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..policy import CachePolicy

LONGEST_RETRY_AFTER: Final = 300.0
_DIRECTIVE = re.compile(r'([!#$%&\'*+\-.^_`|~0-9a-z]+)(?:=(?:"([^"]*)"|([^\s",]*)))?')
_SECONDS = re.compile(r"[0-9]+")
_LONGEST_HEADER = 1024
CACHING_HEADERS: Final = ("cache-control", "expires", "date", "age")


@dataclass(frozen=True, slots=True)
class Freshness:
    """A set's lifetime after its request, and how long after that it is used in an outage."""

    lifetime: float
    stale_for: float


def read_freshness(
    headers: Mapping[str, str], policy: CachePolicy, wall: float, *, renewed: bool
) -> Freshness | None:
    """Return the lifetime that a response gives its set, in seconds.

    Arguments:
        headers: of the response, with lower-case names.
        policy: the bounds.
        wall: now, in seconds since the epoch; used for Expires if the response has no Date.
        renewed: the response is a 304, which need not repeat earlier headers.

    Returns None for a 304 without lifetime headers: the previous lifetime starts over.
    """
    directives = _cache_control(headers.get("cache-control", ""))
    stale_for = policy.stale_if_error
    wished = _seconds(directives.get("stale-if-error"))
    if wished is not None:
        stale_for = min(stale_for, wished)
    stated = _stated(headers, directives, wall) if policy.honour_headers else None
    if stated is None:
        return None if renewed and not directives else Freshness(policy.ttl, stale_for)
    return Freshness(min(max(stated, policy.min_ttl), policy.max_ttl), stale_for)


def caching_headers(headers: Mapping[str, str], wall: float) -> dict[str, str]:
    """Return the headers that determine the lifetime of a response, for reading it again later.

    Arguments:
        headers: of the response, with lower-case names.
        wall: now, in seconds since the epoch; with Age, it replaces a missing Date, which Expires
            needs.
    """
    from email.utils import formatdate

    kept = {
        name: value
        for name in CACHING_HEADERS
        if (value := headers.get(name, "")[:_LONGEST_HEADER]) and value.isascii()
    }
    if "expires" in kept:
        kept.setdefault("date", formatdate(max(wall - _age(headers), 0.0), usegmt=True))
    return kept


def stated_lifetime(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the lifetime in seconds that a response states; None if it states none.

    Arguments:
        headers: of the response, with lower-case names.
        wall: now, in seconds since the epoch.
    """
    stated = _stated(headers, _cache_control(headers.get("cache-control", "")), wall)
    return None if stated is None else max(stated, 0.0)


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, section 10.2.3), at most 300."""
    value = headers.get("retry-after", "").strip()
    wait = _seconds(value)
    if wait is None:
        at = _date(value)
        wait = None if at is None else max(at - wall, 0.0)
    return None if wait is None else min(wait, LONGEST_RETRY_AFTER)


def _stated(headers: Mapping[str, str], directives: dict[str, str], wall: float) -> float | None:
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "max-age" in directives:
        lifetime = _seconds(directives["max-age"])
        # RFC 9111, section 4.2.1: an invalid lifetime counts as zero.
        return 0.0 if lifetime is None else lifetime - _age(headers)
    if "expires" not in headers:
        return None
    expires, sent = _date(headers["expires"]), _date(headers.get("date", ""))
    if expires is None:
        return 0.0
    # Age counts from Date, when the provider sent the response to the first cache on the path.
    return expires - wall if sent is None else expires - sent - _age(headers)


def _age(headers: Mapping[str, str]) -> float:
    """Return the seconds that the response spent in caches on the path; 0 if it does not say.

    If several caches added the header, the first value counts (RFC 9111, section 5.1).
    """
    return _seconds(headers.get("age", "").partition(",")[0].strip()) or 0.0


def _cache_control(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(value[:_LONGEST_HEADER].lower()):
        found.setdefault(name, quoted or plain)
    return found


def _seconds(value: str | None) -> float | None:
    within = value is not None and len(value) <= _LONGEST_HEADER
    if not value or not within or not _SECONDS.fullmatch(value):
        return None
    # RFC 9111, section 1.2.2: larger numbers count as this one, and never as infinity.
    return min(float(value), 2.0**31)


def _date(value: str) -> float | None:
    # Imported with PyJWT when a client is made, so that `import jwks_client` stays fast.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value[:_LONGEST_HEADER])
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    # HTTP dates are in GMT, even in the format that does not say so (RFC 9110, section 5.6.7).
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
