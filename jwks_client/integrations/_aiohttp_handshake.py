"""Recognize WebSocket handshakes in aiohttp, and remove their tokens before the handler runs.

Must not depend on: how tokens are verified, how refusals are answered.
"""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from .._core.credentials.reader import UnverifiedRequest

__all__ = ["unverified_of", "watched", "without_tokens"]

_PROTOCOLS: Final = hdrs.SEC_WEBSOCKET_PROTOCOL


def unverified_of(request: web.Request) -> UnverifiedRequest:
    """Return a request in the form that the rules read."""
    # Everything that aiohttp might accept as a handshake is treated as one.
    upgrades = any("websocket" in one.lower() for one in request.headers.getall(hdrs.UPGRADE, ()))
    return UnverifiedRequest.from_pairs(
        request.method,
        request.raw_headers,
        request.rel_url.raw_query_string.encode("latin-1", "replace"),
        kind="websocket" if upgrades else "http",
        scheme=request.scheme,
    )


def without_tokens(request: web.Request, seen: UnverifiedRequest) -> web.Request:
    """Return a handshake in the form that the handler may see."""
    headers = CIMultiDict((name, value) for name, value in request.headers.items())
    headers.popall(_PROTOCOLS, None)
    for value in seen.values(_PROTOCOLS.lower().encode()):
        headers.add(_PROTOCOLS, value.decode("latin-1"))
    query = seen.query.decode("latin-1")
    url = request.rel_url.build(path=request.rel_url.raw_path, query_string=query, encoded=True)
    return request.clone(headers=headers, rel_url=url)


def watched(request: web.Request, echo: str | None) -> list[web.WebSocketResponse]:
    """Return a list to which the WebSocket of a handshake is added when it is accepted.

    Arguments:
        request: the handshake.
        echo: the subprotocol to accept if the handler names none.
    """
    sockets: list[web.WebSocketResponse] = []
    # aiohttp's public signal can only be connected before the app starts.
    prepare = request._prepare_hook  # noqa: SLF001 (see above)  # pyright: ignore[reportPrivateUsage]

    async def noting(response: web.StreamResponse) -> None:
        await prepare(response)
        if isinstance(response, web.WebSocketResponse):
            sockets.append(response)
            if echo is not None:
                response.headers.setdefault(_PROTOCOLS, echo)

    request._prepare_hook = noting  # type: ignore[method-assign]  # noqa: SLF001 (see above)
    return sockets
