"""Run a WSGI app for one request, and answer the refusals that its handler causes.

The counterpart of `asgi_reply`: whether a refusal caused a 500 is decided when the app starts that
response (PEP 3333, ``start_response``), so no response of an app is held back. Must not depend on:
frameworks, verification, exclusions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .._core.credentials.answers import Answer
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from .guard import Guard, is_refusal
from .handling import HANDLING_KEY, Handling
from .identity import TOKEN_KEY, serving

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from _typeshed import OptExcInfo

__all__ = ["run", "send"]


def run(  # noqa: PLR0917 (hot path: keywords cost)
    app: WSGIApplication,
    guard: Guard[Any],
    path: str,
    token: VerifiedToken | None,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    """Run an app for one request; `current_token` also works while the server iterates the body."""
    handling = Handling(guard, environ, path, token)
    environ[TOKEN_KEY] = token
    environ[HANDLING_KEY] = handling
    reply = _Reply(environ, start_response, handling)
    with serving(token, handling):
        try:
            body = app(environ, reply.start_response)
        except JWKSError as error:
            return reply.answer(error, sys.exc_info())
    if reply.refusal is None:
        file_wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (
            isinstance(file_wrapper, type) and isinstance(body, file_wrapper)
        ):
            handling.end()
            return body  # servers send lists faster than other iterables
    return _Body(body, token, reply, handling)


def send(
    answer: Answer,
    environ: WSGIEnvironment,
    start_response: StartResponse,
    raised: OptExcInfo | None = None,
) -> list[bytes]:
    """Start a response with an answer, and return its body."""
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers_to_send
    ]
    status = f"{answer.status} {answer.phrase}"
    if raised is None:
        start_response(status, headers)
    else:
        start_response(status, headers, raised)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]


class _Reply:
    """A ``start_response`` that replaces the app's 500 if a refusal caused it."""

    def __init__(
        self, environ: WSGIEnvironment, start_response: StartResponse, handling: Handling
    ) -> None:
        self._environ = environ
        self._start_response = start_response
        self._handling = handling
        self._is_started = False
        #: The body that answers a refusal, and replaces the app's body.
        self.refusal: list[bytes] | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], raised: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Start the response of the app, unless a refusal is answered in its place."""
        if status.startswith("500") and self.refusal is None:
            error = self._handling.cause_of_500(raised and raised[1])
            if error is not None:
                self.answer(error, raised)
        if self.refusal is not None:
            return _ignore
        self._is_started = True
        if raised is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, raised)

    def answer(self, error: JWKSError, raised: OptExcInfo | None) -> list[bytes]:
        """Answer a refusal once. Raises an error that is not a refusal.

        Arguments:
            error: what the app raised.
            raised: passed to the server, which then replaces headers that it has not sent yet; if
                it has sent them, it raises this exception again.
        """
        if not is_refusal(error):
            raise error
        if self.refusal is None:
            answer = self._handling.answer(error)
            # Passed only to replace a response that the app started: after it, uWSGI sends no body.
            replaced = raised if self._is_started else None
            self.refusal = send(answer, self._environ, self._start_response, replaced)
        return self.refusal


def _ignore(data: bytes) -> None:
    """Write nothing, because the request was answered."""


class _Body:
    """A streamed body of the app, or of the answer that replaces it."""

    def __init__(
        self,
        body: Iterable[bytes],
        token: VerifiedToken | None,
        reply: _Reply,
        handling: Handling,
    ) -> None:
        self._body = body
        self._token = token
        self._reply = reply
        self._handling = handling
        self._chunks: Iterator[bytes] | None = None
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        before = self._reply.refusal
        with serving(self._token, self._handling):
            chunk = self._next(before)
        self._begun = self._begun or bool(chunk)
        return chunk

    def _next(self, before: list[bytes] | None) -> bytes:
        if self._chunks is None:
            self._chunks = iter(self._body if before is None else before)
        try:
            chunk = next(self._chunks)
        except JWKSError as error:
            if self._begun:
                raise
            self._reply.answer(error, sys.exc_info())
            chunk = b""
        if self._reply.refusal is not before:  # the app's code that just ran caused a refusal
            self._chunks = iter(self._reply.refusal or ())
            chunk = next(self._chunks)
        return chunk

    def close(self) -> None:
        """Close the app's body, as the server does at the end."""
        with serving(self._token, self._handling):
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        self._handling.end()
