"""Whether a foreign site can have made a browser send this request.

Owns: the rule, in one table of questions. May not know: cookies, tokens, answers.

A browser adds cookies to requests that another site's page made it send, so a cookie proves who the
user is, and nothing of who asks. Requests that change nothing are let through: their answers are
hidden from the foreign page by the browser. For the rest the browser's own statements decide, in
the order of how much they say: an Origin that the application trusts, Sec-Fetch-Site (W3C Fetch
Metadata), Origin (RFC 6454) against Host. Whoever sends none of them is no browser, and no foreign
page can make anything else send a cookie.

A WebSocket handshake is a GET that opens a way in both directions, and its answer is not hidden: no
same-origin policy holds there (RFC 6455, section 10.2). So the method excuses nothing.
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
_NOT_FOREIGN: Final = (b"same-origin", b"none")  # none: the user's own doing, a bookmark say
_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://[a-z0-9.\-_\[\]:]+")
_DEFAULT_PORT = re.compile(r"(?<=^http:)(//.*):80$|(?<=^https:)(//.*):443$")


class CrossSiteRule:
    """The rule, with the origins that the application trusts.

    Arguments:
        trusted_origins: as browsers write them, ``"https://app.example.com"``: scheme, host and any
            port that is not the scheme's own. ``"null"`` and wildcards can be no origin's name.

    Raises ConfigurationError ``trusted_origins``.
    """

    __slots__ = ("_trusted",)

    def __init__(self, trusted_origins: Collection[str] = ()) -> None:
        names = settings.names("trusted_origins", trusted_origins)
        self._trusted = frozenset(_origin(one).encode() for one in names)

    def allows(self, request: UnverifiedRequest) -> bool:
        """Whether no foreign site can have caused this request."""
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
        return len(origins) == len(hosts) == 1 and _is_of(origins[0].lower(), hosts[0].lower())


def _is_of(origin: bytes, host: bytes) -> bool:
    """Whether an origin's host, with its port, is this one; ``null`` has none."""
    _, mark, its_host = origin.partition(b"://")
    return bool(mark and host) and its_host == host


def _origin(name: str) -> str:
    plain = name.lower()
    if not _ORIGIN.fullmatch(plain):
        raise ConfigurationError(
            "trusted_origins",
            f"takes origins such as 'https://app.example.com', without path or *, not {name!r}",
        )
    return _DEFAULT_PORT.sub(r"\1\2", plain)
