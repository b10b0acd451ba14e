"""Run `JWKSMiddleware` as a middleware of Litestar's routes, and answer refusals of handlers.

Must not depend on: what a route requires, the OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack
from urllib.parse import unquote

from litestar import Request, Response, asgi
from litestar.utils import normalize_path

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
_AMBIGUOUS: Final = "//"  # a path that `exclude` never matches


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
        seen = {**scope, "path": _as_sent(scope), _ROUTE: (self._app, scope["path"])}
        await self._protected(seen, receive, send)


def _as_sent(scope: Scope) -> str:
    """Return the path that `exclude` compares: as it was sent, before Litestar removed slashes.

    Where the server does not report it, or a middleware outside has rewritten it, this is the path
    by which Litestar found the route. A mount whose own path is unknown is never excluded.
    """
    routed, sent, root_path = _routed(scope), scope.get("raw_path"), scope.get("root_path", "")
    if sent:
        as_sent = unquote(sent.partition(b"?")[0])
        below = as_sent.split(root_path, 1)[-1] if root_path else as_sent  # as Litestar does
        if normalize_path(below) in routed:
            return as_sent
    return routed[0] if len(routed) == 1 else _AMBIGUOUS


def _routed(scope: Scope) -> list[str]:
    """Return the path by which Litestar found the route; one for each path of a mount."""
    handler, path = scope["route_handler"], scope["path"]
    if not getattr(handler, "is_mount", False):
        return [path]
    return [  # the scope has only the part below the mount
        normalize_path(f"{route.path}/{path}")
        for route in scope["litestar_app"].routes
        if getattr(route, "route_handler", None) is handler
    ]


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
