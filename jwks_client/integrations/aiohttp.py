"""aiohttp: a middleware for web applications, WebSockets included.

    app = web.Application()
    setup(app, AsyncJWKSClient(providers.stytch("project-live-…")))

    async def orders(request: web.Request) -> web.Response:
        return web.json_response({"orders of": get_token(request).subject})

`requires`, `Requirement` and `current_token` work inside handlers. Must not depend on: how
credentials are read or errors answered (`_web.guard`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final, Unpack

try:
    from aiohttp import web
except ImportError as error:
    raise ImportError('aiohttp is not installed: pip install "jwks-client-sdk[aiohttp]"') from error

from .. import VerifiedToken
from .._core.credentials.answers import Answer
from .._web.admission import Admission, AppSettings
from .._web.asgi_scope import POLICY_VIOLATION
from .._web.guard import WarmUp, is_refusal
from .._web.identity import TOKEN_KEY, serving
from .._web.lifetime import Lifetime
from ..errors import ConfigurationError, JWKSError
from ..protocols import AsyncVerifier
from ._aiohttp_handshake import unverified_of, watched, without_tokens

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

__all__ = ["get_token", "middleware", "setup"]

_key: Any = getattr(web, "RequestKey", None)  # since aiohttp 3.14; before that, keys are strings
_TOKEN: Final[Any] = TOKEN_KEY if _key is None else _key(TOKEN_KEY, object)


def middleware(client: AsyncVerifier, **settings: Unpack[AppSettings]) -> Middleware:
    """Return a middleware that admits requests with a valid token, and denies all others.

    Refusals, including those that handlers raise, are answered as in `JWKSMiddleware` for ASGI.
    List this middleware first; only CORS middleware should precede it.

    Arguments:
        client: an `AsyncJWKSClient`.
        settings: ``optional``, ``exclude``, ``locations``, ``realm``, ``on_error``,
            ``resource_metadata``, ``trusted_origins``, as in `JWKSMiddleware`. Whole paths are
            compared, even in a sub-application.

    Raises ConfigurationError naming the setting.
    """
    admission = Admission(client, asynchronous=True, **settings)

    @web.middleware
    async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
        unverified, path = unverified_of(request), request.rel_url.path_safe
        guard = admission.guard
        excluded = admission.excludes(unverified, path)
        try:
            if (metadata := admission.metadata(unverified, path)) is not None:
                return _response(metadata)
            if not excluded:
                raw = admission.read(unverified, path)
                request[_TOKEN] = None if raw is None else await guard.client.verify(raw)
        except JWKSError as error:
            return _response(guard.refuse(error, unverified, request.path))
        sockets: list[web.WebSocketResponse] = []
        if unverified.kind == "websocket":
            handshake = guard.reader.without_tokens(unverified, excluded=excluded)
            if handshake.request is not unverified:
                request = without_tokens(request, handshake.request)
            sockets = watched(request, handshake.echo)
        with serving(get_token(request)):
            try:
                return await handler(request)
            except JWKSError as error:
                begun = request.writer.output_size > 0
                if not is_refusal(error) or (begun and not sockets):
                    raise
                answer = guard.refuse(error, unverified, request.path)
                if not begun:
                    return _response(answer)
                await sockets[0].close(code=POLICY_VIOLATION)
                return sockets[0]

    return protect


def setup(
    app: web.Application,
    client: AsyncVerifier,
    *,
    warm_up: WarmUp = "background",
    keep_fresh: bool = True,
    close_client: bool = False,
    **settings: Unpack[AppSettings],
) -> None:
    """Protect an app: insert the middleware before all others, and load keys when the app starts.

    Arguments:
        app: the application, not yet started.
        client: an `AsyncJWKSClient`.
        warm_up: as in `JWKSMiddleware`.
        keep_fresh: as in `JWKSMiddleware`.
        close_client: whether the client is closed when the app ends.
        settings: the settings of `middleware`.

    Raises ConfigurationError naming the setting.
    """
    if not isinstance(app, web.Application):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("app", f"must be a web.Application, got {type(app).__name__}")
    app.middlewares.insert(0, middleware(client, **settings))
    lifetime = Lifetime(client, warm_up=warm_up, keep_fresh=keep_fresh, close_client=close_client)

    async def live(_app: web.Application) -> AsyncGenerator[None]:
        async with lifetime.running():
            yield

    app.cleanup_ctx.insert(0, live)


def get_token(request: web.BaseRequest) -> VerifiedToken | None:
    """Return the token of a request that the middleware admitted; None without credentials.

    Raises TypeError for anything that is not a request.
    """
    if not isinstance(request, web.BaseRequest):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"request must be an aiohttp request, got {type(request).__name__}")
    token = request.get(_TOKEN)
    return token if isinstance(token, VerifiedToken) else None


def _response(answer: Answer) -> web.Response:
    return web.Response(body=answer.body, status=answer.status, headers=answer.text_headers)
