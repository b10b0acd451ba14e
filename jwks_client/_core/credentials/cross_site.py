"""Decide whether another site could have made a browser send a request.

Must not depend on: cookies, tokens, answers.

Browsers add cookies to requests that pages of other sites cause. So a cookie proves who the user
is, but not which page sent the request. Requests that change nothing are accepted, because the
browser hides the response from the other page. For all other requests the browser's own headers
decide, the strongest first: an Origin that the application trusts, Sec-Fetch-Site (W3C Fetch
Metadata), then Origin (RFC 6454) compared with Host. A client that sends none of these headers is
not a browser, and no page can make it send a cookie.

A WebSocket handshake is a GET, but it opens a connection in both directions that no same-origin
policy protects (RFC 6455, section 10.2). So handshakes are never treated as safe.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ...errors import ConfigurationError
from .. import settings
from .request import UnverifiedRequest

__all__ = ["HEADERS", "CrossSiteRule"]

HEADERS: Final = (b"origin", b"sec-fetch-site", b"host")  # the headers that decide

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.1
_NOT_FOREIGN: Final = (
    b"same-origin",
    b"none",
)  # none: the user did it, with a bookmark for example
_TRUSTED = re.compile(r"[a-z][a-z0-9+.\-]*://[a-z0-9.\-_\[\]:]+")
_DEFAULT_PORT = re.compile(r"(?<=^http:)(//.*):80$|(?<=^https:)(//.*):443$")
_HOST: Final = re.compile(rb"([^:/?#@\[\]\s]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_PORTS: Final = {b"http": 80, b"https": 443}


class CrossSiteRule:
    """The cross-site rule, with the origins that the application trusts.

    Arguments:
        trusted_origins: as browsers write them, ``"https://app.example.com"``: scheme, host, and
            the port if it is not the scheme's default. ``"null"`` and wildcards are rejected.

    Raises ConfigurationError ``trusted_origins``.
    """

    __slots__ = ("_trusted",)

    def __init__(self, trusted_origins: Collection[str] = ()) -> None:
        names = settings.names("trusted_origins", trusted_origins)
        self._trusted = frozenset(_trusted(one).encode() for one in names)

    def allows(self, request: UnverifiedRequest) -> bool:
        """Return whether no other site could have caused this request."""
        if request.kind == "http" and request.method in _SAFE:
            return True
        origins = request.values(b"origin")
        if len(origins) == 1 and origins[0].lower() in self._trusted:
            return True
        sites = request.values(b"sec-fetch-site")
        if sites:
            return len(sites) == 1 and sites[0] in _NOT_FOREIGN
        if not origins:
            return True
        hosts = request.values(b"host")
        return len(origins) == len(hosts) == 1 and _is_same(
            origins[0].lower(), hosts[0].lower(), encrypted=request.scheme in ("https", "wss")
        )


def _is_same(origin: bytes, host: bytes, *, encrypted: bool) -> bool:
    """Return whether an origin is the server's own; ``null`` never is.

    Compares host and port. The scheme only counts against a downgrade, because a server behind TLS
    termination may see http; a missing port then means the default port of the origin.
    """
    scheme, _, from_host = origin.partition(b"://")
    sent, here = _HOST.fullmatch(from_host), _HOST.fullmatch(host)
    default = _PORTS.get(scheme)
    if sent is None or here is None or default is None or (encrypted and scheme == b"http"):
        return False
    return (sent[1], int(sent[2] or default)) == (here[1], int(here[2] or default))


def _trusted(name: str) -> str:
    plain = name.lower()
    if not _TRUSTED.fullmatch(plain):
        raise ConfigurationError(
            "trusted_origins",
            f"must be origins such as 'https://app.example.com', without path or *, got {name!r}",
        )
    return _DEFAULT_PORT.sub(r"\1\2", plain)
