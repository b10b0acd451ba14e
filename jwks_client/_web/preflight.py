"""Recognize CORS preflights, and strip them of credentials and body under ``preflight="pass"``.

Must not depend on: servers beyond the shape of ASGI and WSGI, tokens, answers.

Anyone can send a request that looks like a preflight, so by default a preflight is refused like
every request without credentials. With ``preflight="pass"`` the app receives it without anything
that could serve as a credential, and without a body.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .._core.credentials.reader import CredentialsReader
from .._core.credentials.request import UnverifiedRequest
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from .asgi_scope import Message, Receive, Scope

__all__ = [
    "Preflight",
    "bare_environ",
    "bare_scope",
    "checked_preflight",
    "is_preflight",
    "without_body",
]

Preflight: TypeAlias = Literal["refuse", "pass"]

_NAMES: Final = (b"origin", b"access-control-request-method")
_OF_A_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer"})


def checked_preflight(value: object) -> bool:
    """Return whether the setting ``preflight`` passes preflights on to the app."""
    if value not in ("refuse", "pass"):
        raise ConfigurationError("preflight", f"must be 'refuse' or 'pass', got {value!r}")
    return value == "pass"


def is_preflight(request: UnverifiedRequest) -> bool:
    """Return whether a request is a CORS preflight (Fetch, section 4.8).

    Both of its headers must have been sent exactly once. A comma, which neither value can contain,
    means that a server joined two headers.
    """
    if request.method != "OPTIONS" or request.kind != "http":
        return False
    return all(
        len(values) == 1 and values[0].strip() and b"," not in values[0]
        for values in map(request.values, _NAMES)
    )


def bare_scope(scope: Scope, reader: CredentialsReader) -> Scope:
    """Return the scope of a preflight without credentials and without a body."""
    request = UnverifiedRequest(
        "http", scope["method"], scope["headers"], scope.get("query_string", b"")
    )
    bare = reader.without_credentials(request)
    headers = [(name, value) for name, value in bare.headers if name not in _OF_A_BODY]
    return {
        **scope,
        "headers": [*headers, (b"content-length", b"0")],
        "query_string": bare.query,
    }


def without_body(receive: Receive) -> Receive:
    """Return a ``receive`` that returns an empty body, then waits until the client disconnects."""
    given = False

    async def receive_no_body() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] == "http.request":
            pass  # discard the body
        return message

    return receive_no_body


def bare_environ(environ: WSGIEnvironment, reader: CredentialsReader) -> WSGIEnvironment:
    """Return the environ of a preflight without credentials and without a body."""
    request = UnverifiedRequest.of(environ)._replace(
        query=environ.get("QUERY_STRING", "").encode("latin-1", "replace")
    )
    bare = reader.without_credentials(request)
    kept = {name for name, _ in bare.headers if name not in _OF_A_BODY}
    return {
        **{
            key: value
            for key, value in environ.items()
            if not key.startswith("HTTP_")
            or key.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1") in kept
        },
        "QUERY_STRING": bare.query.decode("latin-1"),
        "CONTENT_LENGTH": "0",
        "wsgi.input": io.BytesIO(),
    }
