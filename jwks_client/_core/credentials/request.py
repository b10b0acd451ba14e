"""`UnverifiedRequest`: a request as the rules see it, independent of server and framework.

It is pure data, and nothing in it has been checked. Must not depend on: servers, frameworks,
sockets, bodies. ASGI scopes and WSGI environs are read as plain mappings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from ..tokens.unverified import new_tuple

__all__ = ["UnverifiedRequest", "of_scope"]

_PROTOCOLS: Final = b"sec-websocket-protocol"


class UnverifiedRequest(NamedTuple):
    """The parts of a request that may carry credentials or reveal where the request came from.

    Attributes:
        kind: ``"http"``, or ``"websocket"`` for a handshake.
        method: as sent; ``"GET"`` for a handshake.
        headers: lower-case names and values, in the order sent; can be iterated repeatedly.
        query: the query string, still encoded; only read for a handshake.
        scheme: ``"https"`` or ``"wss"`` if the server says that the request arrived encrypted.
    """

    kind: Literal["http", "websocket"]
    method: str
    headers: Iterable[tuple[bytes, bytes]]
    query: bytes = b""
    scheme: str = "http"

    @classmethod
    def of(cls, scope_or_environ: Mapping[str, Any]) -> UnverifiedRequest:
        """Return the request of an ASGI scope (``http`` or ``websocket``) or a WSGI environ.

        Raises TypeError for anything else.
        """
        if isinstance(scope_or_environ, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            if scope_or_environ.get("type") in ("http", "websocket"):
                return of_scope(scope_or_environ)
            if "REQUEST_METHOD" in scope_or_environ:
                return _of_environ(scope_or_environ)
        raise TypeError(
            "scope_or_environ must be an ASGI scope (http or websocket) or a WSGI environ, "
            f"got {type(scope_or_environ).__name__}"
        )

    @classmethod
    def from_pairs(
        cls,
        method: str,
        pairs: Iterable[tuple[str | bytes, str | bytes]],
        query: bytes = b"",
        *,
        kind: Literal["http", "websocket"] = "http",
        scheme: str = "http",
    ) -> UnverifiedRequest:
        """Return a request with these headers.

        Arguments:
            method: as sent.
            pairs: names (in any case) and values, each text or bytes; a header that was sent twice
                appears as two pairs.
            query: the query string, still encoded; only read for a handshake.
            kind: ``"websocket"`` for a handshake.
            scheme: ``"https"`` or ``"wss"`` if the request arrived encrypted.
        """
        headers = tuple((_octets(name).lower(), _octets(value)) for name, value in pairs)
        return cls(kind, method, headers, query, scheme)

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header, one for each time it was sent."""
        return [value for found, value in self.headers if found == name]

    def __repr__(self) -> str:
        return f"<UnverifiedRequest {self.kind}>"


def of_scope(scope: Mapping[str, Any]) -> UnverifiedRequest:
    """Return the request of an ASGI scope, ``http`` or ``websocket``."""
    if scope["type"] == "http":  # hot path: headers are not copied
        return new_tuple(  # type: ignore[no-any-return]
            UnverifiedRequest,
            ("http", scope["method"], scope["headers"], b"", scope.get("scheme", "http")),
        )
    headers = scope["headers"]
    offers = scope.get("subprotocols")
    # Some servers (uvicorn with wsproto) remove this header and leave only the list.
    if offers and not any(name == _PROTOCOLS for name, _ in headers):
        headers = [*headers, (_PROTOCOLS, ", ".join(offers).encode("latin-1", "replace"))]
    return UnverifiedRequest(
        "websocket", "GET", headers, scope.get("query_string", b""), scope.get("scheme", "ws")
    )


def _of_environ(environ: Mapping[str, Any]) -> UnverifiedRequest:
    # PEP 3333: the server joins headers of the same name, and passes no handshakes to a WSGI app.
    pairs = [
        (key.removeprefix("HTTP_").replace("_", "-"), value)
        for key, value in environ.items()
        if key.startswith("HTTP_") and isinstance(value, str)
    ]
    scheme = environ.get("wsgi.url_scheme", "http")
    return UnverifiedRequest.from_pairs(environ["REQUEST_METHOD"], pairs, scheme=scheme)


def _octets(text: str | bytes) -> bytes:
    # Servers decode headers as Latin-1. Other characters become "?", which no token contains.
    return text.encode("latin-1", "replace") if isinstance(text, str) else text
