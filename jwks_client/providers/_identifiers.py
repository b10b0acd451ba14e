"""What callers name their account by: checked before it becomes part of a URL or an issuer.

Owns: what an id, a host and a base URL may be. May not know: which provider asks.
Each function returns what to use, or raises `ConfigurationError` naming the parameter and what it
takes. An id or host is never shown: it is easily mistaken for the secret that stands next to it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .._core import settings
from ..errors import ConfigurationError

__all__ = ["base_url", "host", "segment"]

_SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,255}")
_DOTTED_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 255


def segment(field: str, value: object, what: str, *, dots: bool = False) -> str:
    """One path segment or host label, so that nothing in it can lead elsewhere.

    Arguments:
        field: the parameter's name.
        value: what the caller gave.
        what: what is wanted, such as ``"the tenant id"``.
        dots: allow single dots inside.
    """
    pattern = _DOTTED_SEGMENT if dots else _SEGMENT
    if not isinstance(value, str) or len(value) > _LONGEST or not pattern.fullmatch(value):
        marks = "-, _ and ." if dots else "- and _"
        raise ConfigurationError(
            field, f"takes {what} alone, of letters, digits, {marks}; no URL, host or path"
        )
    return value


def host(field: str, value: object, what: str) -> str:
    """A bare host name: no scheme, port, path or trailing dot."""
    if not isinstance(value, str) or len(value) > _LONGEST or not _HOST.fullmatch(value):
        raise ConfigurationError(
            field,
            f"takes {what} as a bare host, such as auth.example.com; no scheme, port or path",
        )
    return value


def base_url(field: str, value: object, *, allow_http: bool = False) -> str:
    """An https URL that paths are appended to, without its trailing slash if it has one."""
    url = settings.url(field, value, allow_http=allow_http)
    if "?" in url or "/.well-known/" in urlsplit(url).path:
        raise ConfigurationError(
            field, "takes the base URL alone, without a query or a path below /.well-known/"
        )
    return url.removesuffix("/")
