"""A request as the rules see it: pure data, whichever server or framework took it.

Owns: `UnverifiedRequest`. May not know: ASGI, WSGI, sockets, bodies. An integration makes one of
what it was handed; nothing in it has been checked by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["UnverifiedRequest"]


class UnverifiedRequest(NamedTuple):
    """What of a request may carry credentials, or say where it came from.

    Attributes:
        kind: ``"http"``, or ``"websocket"`` for a handshake.
        method: as sent; ``"GET"`` for a handshake.
        headers: names in lower case and values, each in the order sent; read more than once.
        query: the query string, still encoded; only read of a handshake.
    """

    kind: Literal["http", "websocket"]
    method: str
    headers: Iterable[tuple[bytes, bytes]]
    query: bytes = b""

    def values(self, name: bytes) -> list[bytes]:
        """The values of a header, one for each time it was sent."""
        return [value for found, value in self.headers if found == name]

    def __repr__(self) -> str:
        return f"<UnverifiedRequest {self.kind}>"
