"""Read and remove the token at each `Location` of a request.

Must not depend on: which place decides, and what happens to a candidate. A place returns every
candidate as it was sent. An empty candidate means that the place is in use without a token. Each
place names the headers that it reads, and whether browsers send them unasked (``is_ambient``).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, TypeAlias, assert_never
from urllib.parse import unquote_to_bytes

from ..locations import Cookie, Header, Location, Query, Subprotocol
from .request import UnverifiedRequest

__all__ = ["HandshakePlace", "Place", "QueryPlace", "SubprotocolPlace", "place_of"]

_BLANKS: Final = b" \t"  # RFC 9110, section 5.6.3
_SCHEME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_PROTOCOLS: Final = b"sec-websocket-protocol"
# RFC 7515, section 7.1. A signature or a payload may be empty.
_JWS: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")


class HeaderPlace:
    """A header whose value follows a scheme (RFC 6750, section 2.1) or is the token itself."""

    __slots__ = ("_begins", "_name", "_scheme", "headers")
    is_ambient: Final = False

    def __init__(self, location: Header) -> None:
        self._name = location.name.lower().encode()
        self.headers = (self._name,)
        self._scheme = None if location.scheme is None else location.scheme.lower().encode()
        self._begins = b"" if self._scheme is None else self._scheme + b" "

    def find(self, request: UnverifiedRequest) -> list[bytes]:
        """Return the token of a single header; if it was sent twice, return both values."""
        wanted, sent = self._name, None
        for name, one in request.headers:  # hot path: no list of the values
            if name == wanted:
                if sent is not None:
                    return [sent, one]
                sent = one
        if sent is None:
            return []
        value = sent.strip(_BLANKS)
        if self._scheme is None:
            return [value] if value else []
        begins = self._begins
        if value[: len(begins)].lower() == begins:
            return [value[len(begins) :].lstrip(b" ")]
        # Either another scheme, which is ignored, or the configured one without a token.
        word = _SCHEME.match(value)
        is_configured = word is not None and word[0].lower() == self._scheme
        return [b""] if is_configured else []


class CookiePlace:
    """A cookie of exactly one name (RFC 6265, section 4.2)."""

    __slots__ = ("_pattern",)
    is_ambient: Final = True
    headers: Final = (b"cookie",)

    def __init__(self, location: Cookie) -> None:
        # Linear in the input, and does not build a list of the other cookies.
        self._pattern = re.compile(
            rb"(?:^|;)[ \t]*" + re.escape(location.name.encode()) + rb"=([^;]*)"
        )

    def find(self, request: UnverifiedRequest) -> list[bytes]:
        """Return the distinct values; a single empty cookie, which a logout leaves, is ignored."""
        # HTTP/2 may send each cookie in a separate header (RFC 9113, section 8.2.3).
        values = {
            value.strip(_BLANKS)
            for header in request.values(b"cookie")
            for value in self._pattern.findall(header)
        }
        return [] if values == {b""} else list(values)


class SubprotocolPlace:
    """WebSocket: the entry after a marker among the offered subprotocols (RFC 6455, 4.1)."""

    __slots__ = ("_marker", "name")
    is_ambient: Final = False
    headers: Final = (_PROTOCOLS,)

    def __init__(self, location: Subprotocol) -> None:
        self.name = location.name
        self._marker = location.name.encode()

    def find(self, request: UnverifiedRequest) -> list[bytes]:
        """Return the entry after each marker, empty if nothing follows."""
        pairs = pairwise([*_protocols(request), b""])
        return [after for entry, after in pairs if entry == self._marker]

    def offered(self, request: UnverifiedRequest) -> bool:
        """Return whether the marker is among the offered subprotocols."""
        return self._marker in _protocols(request)

    def without_token(
        self, request: UnverifiedRequest, *, only_tokens: bool = False
    ) -> UnverifiedRequest:
        """Return the request without the entry after each marker.

        Arguments:
            request: the handshake.
            only_tokens: keep entries that do not look like a JWS.
        """
        if not self.offered(request):
            return request
        kept: list[bytes] = []
        after_marker = False
        for entry in _protocols(request):
            if not after_marker or (only_tokens and not _JWS.fullmatch(entry)):
                kept.append(entry)
            after_marker = entry == self._marker
        if len(kept) == len(_protocols(request)):
            return request
        others = [(name, value) for name, value in request.headers if name != _PROTOCOLS]
        return request._replace(headers=(*others, (_PROTOCOLS, b", ".join(kept))))


class QueryPlace:
    """WebSocket: a parameter of the query string."""

    __slots__ = ("_any", "_with_value")
    is_ambient: Final = False
    headers: Final = ()

    def __init__(self, location: Query) -> None:
        # Linear in the input, and does not build a list of the other parameters. Some query parsers
        # still split at semicolons.
        begin = rb"[&;]" + b"".join(map(_spelled, location.name.encode()))
        self._any = re.compile(begin + rb"(?:=[^&;]*)?(?=[&;]|\Z)")
        self._with_value = re.compile(begin + rb"=([^&;]+)")

    def find(self, request: UnverifiedRequest) -> list[bytes]:
        """Return the first two values of the parameter that are not empty."""
        return [_plain(value) for value in self._with_value.findall(b"&" + request.query)[:2]]

    def without_token(
        self, request: UnverifiedRequest, *, only_tokens: bool = False
    ) -> UnverifiedRequest:
        """Return the request without the parameter, however its name is escaped.

        Arguments:
            request: the handshake.
            only_tokens: keep values that do not look like a JWS.
        """
        sent = b"&" + request.query
        if only_tokens:
            kept = self._with_value.sub(lambda found: b"" if _is_jws(found[1]) else found[0], sent)
        else:
            kept = self._any.sub(b"", sent)
        query = kept[1:]
        return request if query == request.query else request._replace(query=query)


HandshakePlace: TypeAlias = SubprotocolPlace | QueryPlace  # read in WebSocket handshakes only
Place: TypeAlias = HeaderPlace | CookiePlace | HandshakePlace


def place_of(location: Location) -> Place:
    """Return the place that reads a location."""
    match location:
        case Header():
            return HeaderPlace(location)
        case Cookie():
            return CookiePlace(location)
        case Subprotocol():
            return SubprotocolPlace(location)
        case Query():
            return QueryPlace(location)
        case _:
            assert_never(location)


def _protocols(request: UnverifiedRequest) -> list[bytes]:
    return [
        entry.strip(_BLANKS) for value in request.values(_PROTOCOLS) for entry in value.split(b",")
    ]


def _spelled(octet: int) -> bytes:
    """Return a pattern for one octet of a name, as apps read it (WHATWG URL, section 5.1)."""
    plain = {0x20: rb"[ +]", 0x25: rb"%(?![0-9A-Fa-f]{2})"}.get(octet, re.escape(bytes([octet])))
    escaped = rb"(?i:%%%02x)" % octet
    return escaped if octet in b"&;=+" else rb"(?:" + plain + rb"|" + escaped + rb")"


def _is_jws(value: bytes) -> bool:
    """Return whether a parameter's value looks like a JWS when it is decoded."""
    # Almost no other value has two dots, and counting them is faster than decoding.
    dots = value.count(b".") + value.count(b"%2e") + value.count(b"%2E")
    return dots >= 2 and _JWS.fullmatch(_plain(value)) is not None


def _plain(value: bytes) -> bytes:
    """Return a parameter's value as application parsers decode it."""
    return unquote_to_bytes(value.replace(b"+", b" "))
