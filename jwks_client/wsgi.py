"""Protect any WSGI app: the counterpart of `jwks_client.asgi`, for threads and the sync client.

    app = JWKSMiddleware(app, JWKSClient(providers.stytch("project-live-…")))

Covers WSGI (PEP 3333): environ, start_response, streamed bodies. Must not depend on: frameworks,
how credentials are read or errors answered (`_web.guard`), how keys are fetched (the client).
"""

from __future__ import annotations

import atexit
import logging
import re
import threading
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from . import VerifiedToken
from ._client.keeper import keeper_of
from ._core.credentials.answers import Answer
from ._core.credentials.reader import Location, UnverifiedRequest
from ._core.settings import flag
from ._web.answer_for import answer_for, path_of
from ._web.exclusions import Exclusions, optional_paths
from ._web.frameworks import ask_frameworks
from ._web.guard import (
    Guard,
    OnError,
    Refusal,
    WarmUp,
    checked_warm_up,
    describe_warm_up_failure,
    required_start,
)
from ._web.identity import current_token, get_token, token_in
from ._web.preflight import Preflight, bare_environ, checked_preflight, is_preflight
from ._web.protected_resource import ProtectedResource
from ._web.wsgi_reply import run, send
from .errors import JWKSError
from .protocols import Verifier

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


__all__ = [
    "Answer",
    "JWKSMiddleware",
    "ProtectedResource",
    "Refusal",
    "current_token",
    "get_token",
]

_log = logging.getLogger("jwks_client")


class JWKSMiddleware:
    """Admits requests with a valid token, and denies all others.

    The app finds the token with `get_token` or `current_token`, even while the server iterates its
    body. Everything else is as in `jwks_client.asgi.JWKSMiddleware`, except that WSGI does not
    report when the server starts and ends.

    Arguments:
        app: the WSGI app.
        client: a `JWKSClient`.
        optional, exclude, locations, realm, on_error, resource_metadata, trusted_origins,
            preflight: as in `jwks_client.asgi.JWKSMiddleware`.
        warm_up: with ``"background"`` the first request in a process begins to load keys, in a
            thread that retries until they are loaded (so a server may fork after the app was made);
            with ``"required"`` keys are loaded when the middleware is made; or None.
        close_client: close the client when the interpreter exits.

    Raises ConfigurationError naming the setting; with ``warm_up="required"`` KeysUnavailableError.
    """

    def __init__(
        self,
        app: WSGIApplication,
        client: Verifier,
        *,
        optional: bool | Iterable[str | re.Pattern[str]] = False,
        exclude: Iterable[str | re.Pattern[str]] = (),
        locations: Collection[Location] | None = None,
        realm: str | None = None,
        on_error: OnError | None = None,
        resource_metadata: str | ProtectedResource | None = None,
        trusted_origins: Collection[str] = (),
        preflight: Preflight = "refuse",
        warm_up: WarmUp = "background",
        close_client: bool = False,
    ) -> None:
        self.app = app
        self._guard = Guard(
            client,
            asynchronous=False,
            locations=locations,
            optional=optional is True,
            realm=realm,
            on_error=on_error,
            resource_metadata=resource_metadata,
            trusted_origins=trusted_origins,
        )
        ask_frameworks(app)
        self._optional = optional_paths(optional)
        self._exclusions = Exclusions(exclude)
        self._passes_preflights = checked_preflight(preflight)
        self._resource = self._guard.resource
        # Sorted, so that every process reads the headers in the same order.
        self._headers = tuple(
            (name.encode(), f"HTTP_{name.upper().replace('-', '_')}")
            for name in sorted(self._guard.reader.header_names)
        )
        closes = flag("close_client", close_client)
        self._keeper = None
        if checked_warm_up(warm_up) == "required":
            required_start(client)()
        elif warm_up is not None:
            self._keeper = keeper_of(client) or _OneWarmUp(client)
        if closes:
            atexit.register(client.close)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if self._keeper is not None:
            self._keeper.begin(keep_fresh=False)
        if self._resource is not None and _route_path(environ) == self._resource.path:
            answer = self._resource.answer(environ["REQUEST_METHOD"])
            return send(answer, environ, start_response)
        if self._is_open(environ):
            # Keep another middleware's result.
            return self._serve(environ, start_response, token_in(environ))
        if self._passes_preflights and _is_preflight(environ):
            return self._serve(bare_environ(environ, self._guard.reader), start_response, None)
        try:
            anonymous = self._optional.any and self._covers(self._optional, environ)
            raw = self._guard.read(self._request_of(environ), optional=anonymous)
            token = None if raw is None else self._guard.client.verify(raw)
        except JWKSError as error:
            return self._answer_refusal(error, environ, start_response)
        return self._serve(environ, start_response, token)

    def answer_to(self, error: JWKSError) -> WSGIApplication:
        """Return the answer to an error, for a framework that answers all errors itself.

            app.wsgi_app = protected = JWKSMiddleware(app.wsgi_app, client)
            app.register_error_handler(JWKSError, protected.answer_to)  # Flask

        Arguments:
            error: what the app raised, such as `InsufficientScopeError`.

        Returns a WSGI app that sends the answer; it raises an error that is not a refusal.
        """

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return send(self.answer_for(error, environ), environ, start_response)

        return answer

    def answer_for(self, error: Exception, request: object) -> Answer:
        """Return the answer to a refusal, for a framework that answers all errors itself.

        The refusal is reported once, even if the middleware answers it again later.

        Arguments:
            error: what the app raised, such as `InsufficientScopeError`.
            request: the WSGI environ, or an object with ``environ`` (Flask), ``META`` (Django) or
                ``env`` (Falcon).

        Raises TypeError if the error is not a refusal, or the object is not a request.
        """
        return answer_for(self._guard, error, request)

    def _serve(
        self, environ: WSGIEnvironment, start_response: StartResponse, token: VerifiedToken | None
    ) -> Iterable[bytes]:
        return run(self.app, self._guard, path_of(environ), token, environ, start_response)

    def _answer_refusal(
        self, error: JWKSError, environ: WSGIEnvironment, start_response: StartResponse
    ) -> list[bytes]:
        answer = self._guard.refuse(error, UnverifiedRequest.of(environ), path_of(environ))
        return send(answer, environ, start_response)

    def _is_open(self, environ: WSGIEnvironment) -> bool:
        """Return whether a request needs no credentials."""
        return self._exclusions.any and self._covers(self._exclusions, environ)

    @staticmethod
    def _covers(paths: Exclusions, environ: WSGIEnvironment) -> bool:
        return paths.match(environ["REQUEST_METHOD"], _route_path(environ))

    def _request_of(self, environ: WSGIEnvironment) -> UnverifiedRequest:
        # Latin-1 (PEP 3333); other characters become "?", which no token contains.
        headers = tuple(
            (name, environ[key].encode("latin-1", "replace"))
            for name, key in self._headers
            if key in environ
        )
        scheme = environ.get("wsgi.url_scheme", "http")
        return UnverifiedRequest("http", environ["REQUEST_METHOD"], headers, b"", scheme)


def _is_preflight(environ: WSGIEnvironment) -> bool:
    return environ["REQUEST_METHOD"] == "OPTIONS" and is_preflight(UnverifiedRequest.of(environ))


def _route_path(environ: WSGIEnvironment) -> str:
    """Return the path by which the app routes: in PEP 3333, SCRIPT_NAME is not part of it."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


class _OneWarmUp:
    """The warm-up of a test double: one call, in a thread that the first request starts."""

    def __init__(self, client: Verifier) -> None:
        self._client = client
        self._claim = threading.Lock()  # only the request that acquires it begins the warm-up

    def begin(self, *, keep_fresh: bool) -> None:  # noqa: ARG002 (the signature of a keeper)
        """Begin the warm-up, unless it has begun."""
        if self._claim.acquire(blocking=False):
            threading.Thread(
                target=_load, args=(self._client,), name="jwks-client warm-up", daemon=True
            ).start()


def _load(client: Verifier) -> None:
    try:
        client.warm_up()
    except Exception as error:  # noqa: BLE001 (the app can start: the first request tries again)
        _log.warning("%s", describe_warm_up_failure(error))
