"""Read ASGI scopes and send answers, for all ASGI integrations.

Covers ASGI 3 with the WebSocket denial response. Must not depend on: verification, exclusions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from .. import VerifiedToken
from .._core.credentials.answers import Answer
from .._core.credentials.reader import Handshake
from .._core.credentials.request import of_scope as request_of
from .identity import TOKEN_KEY, User

__all__ = [
    "POLICY_VIOLATION",
    "ASGIApp",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "admitted",
    "close_socket",
    "request_of",
    "seen_by_app",
    "send_answer",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_PROTOCOLS: Final = b"sec-websocket-protocol"
_DENIAL: Final = "websocket.http.response"
POLICY_VIOLATION: Final = 1008  # RFC 6455, section 7.4.1


def admitted(scope: Scope, token: VerifiedToken | None) -> Scope:
    """Return the scope for the app; the server's scope does not change."""
    user = User(token)
    return {**scope, TOKEN_KEY: token, "user": user, "auth": user}


def seen_by_app(scope: Scope, handshake: Handshake) -> Scope:
    """Return the scope of a handshake without tokens in subprotocols or query."""
    request = handshake.request
    protocols = request.values(_PROTOCOLS)
    return {
        **scope,
        "headers": list(request.headers),
        "query_string": request.query,
        "subprotocols": [
            one.strip().decode("latin-1")
            for value in protocols
            for one in value.split(b",")
            if one.strip()
        ],
    }


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Answer a request, or deny a handshake (with the answer, if the server supports that)."""
    headers = answer.headers_to_send
    # `more_body` may be omitted, but Quart's test client expects it.
    if scope["type"] == "http":
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
    elif _DENIAL in (scope.get("extensions") or {}):
        await send({"type": f"{_DENIAL}.start", "status": answer.status, "headers": headers})
        await send({"type": f"{_DENIAL}.body", "body": answer.body, "more_body": False})
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})


async def close_socket(send: Send) -> None:
    """Close an accepted WebSocket for a refusal, unless its client has disconnected."""
    with suppress(Exception):  # servers differ in what they raise after a disconnect
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
