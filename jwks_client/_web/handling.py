"""`Handling`: which refusal, if any, made the handler of a request fail.

A framework may turn every exception of a handler into its own 500, so a middleware around it sees
no exception. When such a 500 begins, the cause is the first of these:

1. the exception that is being handled at that moment (Starlette and Litestar send their 500
   inside an ``except`` block), or that a signal of the framework has reported (`frameworks`);
2. a refusal by ``@requires``, whose handler never ran;
3. the last refusal of the request, in a framework that does not report exceptions.

So where the framework reports exceptions, a refusal that the handler caught has no effect. The
record lasts as long as the request. Must not depend on: ASGI, WSGI.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Protocol

from .._core.credentials.answers import Answer
from .._core.credentials.request import UnverifiedRequest
from .._core.tokens.verified import VerifiedToken, watch
from ..errors import JWKSError
from .guard import Guard, is_refusal
from .identity import current

__all__ = ["HANDLING_KEY", "Handling", "handling_in", "handling_of", "note"]

#: The key of the `Handling` in an ASGI scope and in a WSGI environ.
HANDLING_KEY: Final = "jwks_client.handling"


class Observer(Protocol):
    """Prepares an app for the refusal that its handler is about to raise."""

    def before_raise(self) -> None:
        """Prepare the app."""


class Handling:
    """The record of one request inside the app.

    Arguments:
        guard: renders the answers to refusals.
        request: the request, or the WSGI environ, which is converted only if an answer needs it.
        path: the requested path, unescaped.
        token: passes refusals of its ``require`` to `note`, from any thread.

    Attributes:
        unhandled: the exception that the framework reported as not handled.
        reports: whether the framework reports such exceptions.
        observer: called when a refusal is recorded, before it is raised.
    """

    __slots__ = (
        "_answered",
        "_certain",
        "_guard",
        "_last",
        "_path",
        "_request",
        "observer",
        "reports",
        "unhandled",
    )

    def __init__(
        self,
        guard: Guard[Any],
        request: UnverifiedRequest | Mapping[str, Any],
        path: str,
        token: VerifiedToken | None,
    ) -> None:
        self._guard = guard
        self._request: UnverifiedRequest | Mapping[str, Any] | None = request
        self._path = path
        self._answered: tuple[JWKSError, Answer] | None = None
        self._certain: JWKSError | None = None
        self._last: JWKSError | None = None
        self.unhandled: BaseException | None = None
        self.reports = False
        self.observer: Observer | None = None
        if token is not None:
            watch(token, self)

    def note(self, error: JWKSError, *, certain: bool = False) -> None:
        """Record a refusal that is about to be raised.

        Arguments:
            error: the refusal.
            certain: whether the handler never ran, so that it cannot have caught the refusal.
        """
        if is_refusal(error):
            self._last = error
            if certain:
                self._certain = error
            if self.observer is not None:
                self.observer.before_raise()

    def cause_of_500(self, raised: BaseException | None = None) -> JWKSError | None:
        """Return the refusal that caused the 500 that begins now; None if a bug caused it.

        Arguments:
            raised: the exception that the framework reports as the cause, if any.
        """
        error = raised or sys.exception() or self.unhandled
        if error is not None:
            return error if isinstance(error, Exception) and is_refusal(error) else None
        return self._certain or (None if self.reports else self._last)

    def answer(self, error: JWKSError) -> Answer:
        """Return the answer to a refusal; it is reported once, even if this is called again."""
        if self._answered is None or self._answered[0] is not error:
            request = self._request
            if not isinstance(request, UnverifiedRequest):
                request = UnverifiedRequest.of(request or {"REQUEST_METHOD": ""})
            self._answered = error, self._guard.refuse(error, request, self._path)
        return self._answered[1]

    def end(self) -> None:
        """Break reference cycles: tracebacks, the app's scope and the environ refer to this."""
        self._answered = self._certain = self._last = self.unhandled = self.observer = None
        if type(self._request) is not UnverifiedRequest:  # `isinstance` takes longer
            self._request = None


def handling_in(scope_or_environ: Mapping[str, Any]) -> Handling | None:
    """Return the `Handling` of a request; None if no middleware serves the request."""
    found = scope_or_environ.get(HANDLING_KEY)
    return found if isinstance(found, Handling) else None


def handling_of(scope_or_environ: Mapping[str, Any]) -> Handling | None:
    """Return the `Handling` of a request, even if an adapter between ASGI and WSGI copied it."""
    return handling_in(scope_or_environ) or _current()


def note(
    error: JWKSError, scope: MutableMapping[str, Any] | None = None, *, certain: bool = False
) -> None:
    """Record a refusal of the request with this scope, or else of the current request."""
    handling = _current() if scope is None else handling_in(scope)
    if handling is not None:
        handling.note(error, certain=certain)


def _current() -> Handling | None:
    found = current.get()[1]
    return found if isinstance(found, Handling) else None
