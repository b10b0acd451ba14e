"""Run `JWKSMiddleware` as a middleware of Litestar's routes, and answer refusals of handlers.

Must not depend on: what a route requires, the OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack
from urllib.parse import unquote

from litestar import Request, Response, asgi

from .._web.admission import AppSettings
from .._web.asgi_scope import ASGIApp, Receive, Scope, Send
from .._web.guard import is_refusal
from .._web.handling import handling_in
from .._web.identity import token_in
from .._web.litestar_connection import litestar_response
from ..asgi import JWKSMiddleware
from ..errors import JWKSError
from ..protocols import AsyncVerifier

if TYPE_CHECKING:
    from litestar.handlers import ASGIRouteHandler

__all__ = ["RouteMiddleware", "SharedMiddleware", "answer"]

_ROUTE: Final = "jwks_client.route"


class SharedMiddleware(JWKSMiddleware):
    """The middleware that all routes share, so that they have one guard and one log limit."""

    def __init__(self, client: AsyncVerifier, **settings: Unpack[AppSettings]) -> None:
        super().__init__(_route, client, warm_up=None, **settings)
        self._some_are_open = True  # each route has its own setting

    def metadata_route(self) -> ASGIRouteHandler | None:
        """Return a route for the metadata document (RFC 9728), if the app has one.

        Litestar runs a middleware only where a route matches.
        """
        resource = self._resource
        if resource is None:
            return None

        async def metadata(scope: Scope, receive: Receive, send: Send) -> None:
            await resource(scope, receive, send)

        return asgi(resource.path, copy_scope=True, exclude_from_auth=True)(metadata)

    def _is_open(self, scope: Scope) -> bool:
        is_open = scope["route_handler"].opt.get("exclude_from_auth")
        return bool(is_open) or super()._is_open(scope)


class RouteMiddleware:
    """The middleware of one route; Litestar makes one for each."""

    def __init__(self, app: ASGIApp, protected: SharedMiddleware) -> None:
        self._app = app
        self._protected = protected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        path, sent = scope["path"], scope.get("raw_path")
        # Litestar removes slashes from the path; `exclude` compares the path as it was sent.
        as_sent = unquote(sent.partition(b"?")[0]) if sent else path
        seen = {**scope, "path": as_sent, _ROUTE: (self._app, path)}
        await self._protected(seen, receive, send)


async def _route(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the route behind the middleware."""
    app, scope["path"] = scope.pop(_ROUTE)
    scope["auth"] = token_in(scope)
    handling = handling_in(scope)
    if handling is not None:
        handling.reports = True  # `answer` is called for unhandled exceptions
    await app(scope, receive, send)


def answer(request: Request[Any, Any, Any], error: JWKSError) -> Response[bytes]:
    """Answer a handler's refusal, as an exception handler of Litestar. Raises other errors."""
    handling = handling_in(request.scope)
    if handling is None or not is_refusal(error):
        raise error
    return litestar_response(handling.answer(error))
