"""Check the ids, hosts and URLs that identify a caller's account.

They are checked before they become part of a URL or an issuer. Must not depend on: any provider.
Each function returns the value to use, or raises `ConfigurationError` naming the parameter. The
message never contains an id or host, because a caller may have passed a secret by mistake.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .._core import settings
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..errors import ConfigurationError
from ._options import CommonOptions

__all__ = ["allowed", "base_url", "host", "matching", "segment", "site"]

_SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,255}")
_DOTTED_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SITE = re.compile(rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?(/[A-Za-z0-9_~.-]+)*/?")
_LONGEST = 255


def segment(field: str, value: object, what: str, *, dots: bool = False) -> str:
    """Return a value that is safe as one path segment or one host label.

    Arguments:
        field: the parameter's name.
        value: the value that the caller gave.
        what: the expected value, such as ``"the tenant id"``.
        dots: allow single dots between other characters.
    """
    pattern = _DOTTED_SEGMENT if dots else _SEGMENT
    if not isinstance(value, str) or len(value) > _LONGEST or not pattern.fullmatch(value):
        marks = "-, _ and ." if dots else "- and _"
        raise ConfigurationError(
            field,
            f"must be {what} only, of letters, digits, {marks}, without a URL, host or path",
        )
    return value


def host(field: str, value: object, what: str) -> str:
    """Return a bare host name: no scheme, port, path or trailing dot."""
    if not isinstance(value, str) or len(value) > _LONGEST or not _HOST.fullmatch(value):
        raise ConfigurationError(
            field,
            f"must be {what} as a bare host, such as auth.example.com, without a scheme, port or "
            "path",
        )
    return value


def site(field: str, value: object, what: str) -> str:
    """Return the https URL of a host, with its port and path if given, without a trailing slash."""
    good = isinstance(value, str) and len(value) <= _LONGEST and _SITE.fullmatch(value)
    if not isinstance(value, str) or not good or "/." in value:
        raise ConfigurationError(
            field,
            f"must be {what} as a host, such as auth.example.com, with a port and a path where "
            "your installation has them, but without a scheme",
        )
    return base_url(field, f"https://{value}")


def base_url(field: str, value: object, options: CommonOptions | None = None) -> str:
    """Return an https URL that paths are appended to, without its trailing slash if it has one.

    Arguments:
        field: the parameter's name.
        value: the value that the caller gave.
        options: may permit plain http (``allow_http``).
    """
    url = settings.url(field, value, allow_http=(options or {}).get("allow_http", False))
    if "?" in url or "/.well-known/" in urlsplit(url).path:
        raise ConfigurationError(
            field, "must be the base URL alone, without a query or a path below /.well-known/"
        )
    return url.removesuffix("/")


def allowed(field: str, value: object) -> frozenset[str] | Unchecked:
    """Return the values that a parameter allows as a set, or `UNCHECKED`."""
    accepted = restriction(field, value)
    if accepted is UNCHECKED:
        return UNCHECKED
    return frozenset((accepted,) if isinstance(accepted, str) else accepted)


def matching(
    field: str, value: object, pattern: re.Pattern[str], what: str
) -> frozenset[str] | Unchecked:
    """Return the allowed values as `allowed` does, each of which must match ``pattern``."""
    accepted = allowed(field, value)
    if accepted is not UNCHECKED and not all(pattern.fullmatch(one) for one in accepted):
        raise ConfigurationError(field, f"must be {what}, or several, or providers.UNCHECKED")
    return accepted
