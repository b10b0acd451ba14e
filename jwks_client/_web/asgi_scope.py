"""Between ASGI and the rules: what a scope says as pure data, and how answers are sent.

Owns: the messages and keys of ASGI (version 3, with the WebSocket denial response). May not know:
who verifies, what is excluded. All integrations on ASGI share it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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
    "request_of",
    "seen_by_app",
    "send_answer",
    "token_in",
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
    """The scope that the app sees; the server's own is left as it is."""
    user = User(token)
    return {**scope, TOKEN_KEY: token, "user": user, "auth": user}


def token_in(scope: object) -> VerifiedToken | None:
    """The token of a scope, or of a request or connection that has one; None without a token.

    Raises TypeError for anything else.
    """
    found = getattr(scope, "scope", scope)
    if not isinstance(found, MutableMapping):
        raise TypeError(f"takes a scope, or a request with one, not {type(scope).__name__}")
    token = found.get(TOKEN_KEY)
    return token if isinstance(token, VerifiedToken) else None


def seen_by_app(scope: Scope, handshake: Handshake) -> Scope:
    """The scope of a handshake without the tokens that stood in subprotocols or query."""
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
    """Answer a request; deny a handshake, by the answer itself where the server can send it."""
    headers = answer.headers_to_send
    if scope["type"] == "http":
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    elif _DENIAL in (scope.get("extensions") or {}):
        await send({"type": f"{_DENIAL}.start", "status": answer.status, "headers": headers})
        await send({"type": f"{_DENIAL}.body", "body": answer.body})
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
