"""Protect any ASGI app: a middleware that verifies each request before the app sees it.

    app = JWKSMiddleware(app, AsyncJWKSClient(providers.stytch("project-live-…")))

Must not depend on: frameworks, how credentials are read or errors answered (`_web.guard`), how keys
are fetched (the client).

Apart from ``verify``, a connection costs one copy of its scope. The middleware starts no task, and
never touches bodies. Scopes other than ``http``, ``websocket`` and ``lifespan`` pass through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from ._core.credentials.answers import Answer
from ._core.credentials.reader import Location, UnverifiedRequest
from ._web.answer_for import answer_for
from ._web.asgi_lifespan import Lifespan
from ._web.asgi_reply import Reply
from ._web.asgi_scope import (
    ASGIApp,
    Receive,
    Scope,
    Send,
    admitted,
    request_of,
    seen_by_app,
    send_answer,
)
from ._web.exclusions import Exclusions, optional_paths, route_path
from ._web.frameworks import ask_frameworks
from ._web.guard import Guard, OnError, Refusal, WarmUp, is_refusal
from ._web.handling import Handling
from ._web.identity import current, current_token, get_token, token_in
from ._web.lifetime import Lifetime
from ._web.preflight import Preflight, bare_scope, checked_preflight, is_preflight, without_body
from ._web.protected_resource import ProtectedResource
from .errors import JWKSError
from .protocols import AsyncVerifier

__all__ = [
    "Answer",
    "JWKSMiddleware",
    "ProtectedResource",
    "Refusal",
    "current_token",
    "get_token",
]

_SERVED: Final = ("http", "websocket")


class JWKSMiddleware:
    """Admits requests with a valid token, and denies all others.

    The app finds the token with `get_token` or `current_token`. It also finds ``scope["user"]`` and
    ``scope["auth"].scopes``, as with Starlette's own middleware. Refusals are answered according to
    RFC 6750, with a problem (RFC 9457) that contains the error's ``code``: 401 without credentials
    or with a refused token, 400 for malformed credentials, 503 when keys are unavailable. An error
    of this library that the app raises, for example from ``token.require("orders:read")`` (403), is
    answered in the same way if no response has begun.

    Arguments:
        app: the ASGI app.
        client: an `AsyncJWKSClient`.
        optional: True, or paths as in ``exclude``: admit requests without credentials; invalid
            credentials are still refused.
        exclude: paths that need no credentials: exact paths, ``"/docs/*"`` for everything below,
            ``"GET /path"`` for one method, compiled patterns for the whole path. The path is
            compared without ``root_path``.
        locations: where credentials are, in order; None uses those of the client's providers.
        realm: the realm that challenges name.
        on_error: renders a custom answer: receives a `Refusal`, returns an `Answer` or None.
        resource_metadata: the URL of RFC 9728 metadata that challenges name, or a
            `ProtectedResource`, which the middleware then also serves.
        trusted_origins: origins whose pages may send requests with a cookie.
        preflight: ``"refuse"`` CORS preflights like any other request without credentials (put CORS
            middleware outside this one), or let them ``"pass"``: the app then sees them without
            credentials, token and body.
        warm_up: when the server starts, load keys in the ``"background"`` and retry until they are
            loaded; or wait for them, and fail startup if they cannot be loaded within ten seconds
            (``"required"``); or None. Without a lifespan, the first request begins this.
        keep_fresh: keep the keys of configured providers fresh until the server ends, with or
            without requests. Has no effect with ``refresh_ahead=None`` or ``warm_up=None``.
        close_client: close the client when the server ends.

    Raises ConfigurationError naming the setting.
    """

    def __init__(
        self,
        app: ASGIApp,
        client: AsyncVerifier,
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
        keep_fresh: bool = True,
        close_client: bool = False,
    ) -> None:
        self.app = app
        self._guard = Guard(
            client,
            asynchronous=True,
            locations=locations,
            optional=optional is True,
            realm=realm,
            on_error=on_error,
            resource_metadata=resource_metadata,
            trusted_origins=trusted_origins,
        )
        ask_frameworks(app)
        self._read = self._guard.reader.read
        self._verify = self._guard.client.verify
        self._optional = optional_paths(optional)
        self._exclusions = Exclusions(exclude)
        self._passes_preflights = checked_preflight(preflight)
        self._resource = self._guard.resource
        self._some_are_open = self._exclusions.any or self._resource is not None
        lifetime = Lifetime(
            client, warm_up=warm_up, keep_fresh=keep_fresh, close_client=close_client
        )
        self._lifespan = Lifespan(app, lifetime)

    async def __call__(  # noqa: C901, PLR0912 (hot path: kept inline)
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind not in _SERVED:
            await (self._lifespan if kind == "lifespan" else self.app)(scope, receive, send)
            return
        if self._lifespan.is_missing:
            self._lifespan.begin()
        request, token, echo = request_of(scope), None, None
        if self._some_are_open and self._is_open(scope):
            if self._resource is not None and self._is_metadata(scope):
                await self._resource(scope, receive, send)
                return
            token = token_in(scope)
            seen, echo = self._excluded(request, scope)
        elif self._passes_preflights and is_preflight(request):
            receive = without_body(receive)
            seen = admitted(bare_scope(scope, self._guard.reader), None)
        else:
            try:
                raw = self._read(request)
                if raw is None:
                    self._guard.admit_anonymous(optional=self._covers(self._optional, scope))
                else:
                    token = await self._verify(raw)
            except JWKSError as error:
                await self._answer_refusal(error, request, scope, send)
                return
            seen = admitted(scope, token)
            if kind == "websocket":
                seen, echo = self._without_tokens(request, seen)
        handling = Handling(self._guard, request, scope["path"], token)
        reply = Reply(send, seen, handling, echo)
        before = current.set((token, handling))
        try:
            await self.app(seen, receive, reply)
        except Exception as error:
            if not await reply.answer_raised(error):
                raise
        finally:
            current.reset(before)
            handling.end()

    def answer_for(self, error: Exception, request: object) -> Answer:
        """Return the answer to a refusal, for a framework that answers all errors itself.

        The refusal is reported once, even if the middleware answers it again later.

        Arguments:
            error: what the app raised, such as `InsufficientScopeError`.
            request: the ASGI scope, or an object with a ``scope`` (a Starlette ``Request``).

        Raises TypeError if the error is not a refusal, or the object is not a request.
        """
        return answer_for(self._guard, error, request)

    def _excluded(self, request: UnverifiedRequest, scope: Scope) -> tuple[Scope, str | None]:
        # Keep another middleware's result.
        seen = {**scope} if "auth" in scope else admitted(scope, None)
        if scope["type"] == "http":
            return seen, None
        return self._without_tokens(request, seen, excluded=True)

    def _without_tokens(
        self, request: UnverifiedRequest, seen: Scope, *, excluded: bool = False
    ) -> tuple[Scope, str | None]:
        """Return the scope of a handshake without tokens, and the subprotocol to accept it with."""
        handshake = self._guard.reader.without_tokens(request, excluded=excluded)
        if handshake.request is not request:
            seen = seen_by_app(seen, handshake)
        return seen, handshake.echo

    async def _answer_refusal(
        self, error: JWKSError, request: UnverifiedRequest, scope: Scope, send: Send
    ) -> None:
        if not is_refusal(error):
            raise error
        await send_answer(self._guard.refuse(error, request, scope["path"]), scope, send)

    def _is_open(self, scope: Scope) -> bool:
        """Return whether a request needs no credentials."""
        return self._covers(self._exclusions, scope) or self._is_metadata(scope)

    @staticmethod
    def _covers(paths: Exclusions, scope: Scope) -> bool:
        # A handshake is not a GET of a page, so "GET /path" does not cover it.
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        return paths.match(method, route_path(scope["path"], scope.get("root_path", "")))

    def _is_metadata(self, scope: Scope) -> bool:
        resource = self._resource
        return (
            resource is not None
            and scope["type"] == "http"
            and route_path(scope["path"], scope.get("root_path", "")) == resource.path
        )
