"""Decompress a gzip response body (RFC 1952) up to a limit.

Must not depend on what the body contains.
"""

from __future__ import annotations

import zlib

__all__ = ["BadGzip", "gunzip"]


class BadGzip(ValueError):
    """A body that is not gzip, or is truncated."""


def gunzip(body: bytes, limit: int) -> bytes | None:
    """Decompress all members of a body; return None if they are longer than ``limit`` bytes.

    Raises `BadGzip`.
    """
    octets = bytearray()
    while True:
        member = zlib.decompressobj(wbits=31)
        try:
            octets += member.decompress(body, limit + 1 - len(octets))
        except zlib.error:
            raise BadGzip("the response is not valid gzip") from None
        if len(octets) > limit:
            return None
        if not member.eof:
            raise BadGzip("the response's gzip data is truncated")
        body = member.unused_data.lstrip(b"\0")  # padding, which gzip's own tools ignore as well
        if not body:
            return bytes(octets)
