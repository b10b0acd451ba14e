"""Whether a foreign site can have made a browser send this request.

Must not depend on: cookies, tokens, answers.

A browser adds cookies to requests that another site's page made it send, so a cookie proves who the
user is, but not which page asks. Requests that change nothing are accepted: the browser hides their
answers from the foreign page. For all others the browser's own statements decide, the strongest
first: an Origin that the application trusts, Sec-Fetch-Site (W3C Fetch Metadata), Origin (RFC 6454)
compared with Host. A client that sends none of them is not a browser, and no foreign page can make
it send a cookie.

A WebSocket handshake is a GET that opens a connection in both directions, and no same-origin policy
hides what comes back (RFC 6455, section 10.2). So its method excuses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ...errors import ConfigurationError
from .. import settings
from .request import UnverifiedRequest

__all__ = ["CrossSiteRule"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.1
_NOT_FOREIGN: Final = (b"same-origin", b"none")  # none: the user's own act, such as a bookmark
_TRUSTED = re.compile(r"[a-z][a-z0-9+.\-]*://[a-z0-9.\-_\[\]:]+")
_DEFAULT_PORT = re.compile(r"(?<=^http:)(//.*):80$|(?<=^https:)(//.*):443$")
_HOST: Final = re.compile(rb"([^:/?#@\[\]\s]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_PORTS: Final = {b"http": 80, b"https": 443}


class CrossSiteRule:
    """The rule, with the origins that the application trusts.

    Arguments:
        trusted_origins: as browsers write them, ``"https://app.example.com"``: scheme, host and any
            port that is not the scheme's default. ``"null"`` and wildcards are refused.

    Raises ConfigurationError ``trusted_origins``.
    """

    __slots__ = ("_trusted",)

    def __init__(self, trusted_origins: Collection[str] = ()) -> None:
        names = settings.names("trusted_origins", trusted_origins)
        self._trusted = frozenset(_trusted(one).encode() for one in names)

    def allows(self, request: UnverifiedRequest) -> bool:
        """Return whether no foreign site can have caused this request."""
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
    """Return whether an origin is that of the server; ``null`` never is.

    Hosts and ports are compared. The scheme counts only against a downgrade, since a server behind
    TLS may know nothing of it: then the origin's own default port stands for a missing one.
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
