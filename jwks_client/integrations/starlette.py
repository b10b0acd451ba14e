"""Starlette's own `AuthenticationMiddleware`, with verified tokens.

    backend = JWKSBackend(AsyncJWKSClient(providers.stytch("project-live-…")), optional=True)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)
        ],
        exception_handlers={JWKSError: backend.answer},
    )

For applications that have that middleware already. All others take `JWKSMiddleware`, which does
more: it answers handshakes as they should be, excludes paths, warms up, and sets `current_token`.

Owns: the translation between Starlette's words and ours. May not know: how credentials are read or
errors answered (`_web.guard`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack, overload

try:
    from starlette.authentication import (
        AuthCredentials,
        AuthenticationBackend,
        AuthenticationError,
        BaseUser,
    )
except ImportError as error:
    raise ImportError(
        'Starlette is not installed: pip install "jwks-client-sdk[starlette]"'
    ) from error

from .._client.access import locations_of
from .._core.locations import Cookie, Header
from .._web.guard import Guard, is_refusal
from .._web.identity import User
from .._web.starlette_connection import Connection, GuardSettings
from .._web.starlette_handlers import response_of
from ..errors import ConfigurationError, JWKSError
from ..protocols import AsyncVerifier

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

__all__ = ["JWKSBackend", "JWKSUser"]


class JWKSUser(User, BaseUser):
    """The ``request.user``: its ``token``, and what Starlette asks of a user."""


class _Refused(AuthenticationError):
    def __init__(self, error: JWKSError) -> None:
        super().__init__(error.code)
        self.error = error


class JWKSBackend(AuthenticationBackend):
    """Says who a request is from, by its token.

    Arguments:
        client: an `AsyncJWKSClient`.
        optional: let requests without credentials pass, as ``UnauthenticatedUser``; bad ones are
            refused all the same.
        settings: ``locations``, ``realm``, ``on_error``, ``resource_metadata``,
            ``trusted_origins``, as `JWKSMiddleware` takes them.

    Raises ConfigurationError naming the setting: ``locations`` if a token may stand in a
    subprotocol or a query, which only `JWKSMiddleware` can take out of what the app sees.
    """

    def __init__(
        self, client: AsyncVerifier, *, optional: bool = False, **settings: Unpack[GuardSettings]
    ) -> None:
        self._guard = Guard(client, asynchronous=True, optional=optional, **settings)
        locations = settings.get("locations") or locations_of(client)
        if not all(isinstance(one, (Header, Cookie)) for one in locations):
            raise ConfigurationError(
                "locations", "are a Header or a Cookie here; for others take JWKSMiddleware"
            )

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, JWKSUser] | None:
        """The scopes and the user of a connection, or None without credentials.

        Raises AuthenticationError for `on_error` to answer.
        """
        connection = Connection(conn.scope, conn)
        try:
            raw = self._guard.read(connection.request)
            token = None if raw is None else await self._guard.client.verify(raw)
        except JWKSError as error:
            raise _Refused(error) from error
        if token is None:
            return None
        connection.admit(self._guard, token)
        user = JWKSUser(token)
        return AuthCredentials(user.scopes), user

    def on_error(self, conn: HTTPConnection, error: AuthenticationError) -> Response:
        """The answer to what `authenticate` refuses: for ``AuthenticationMiddleware(on_error=…)``.

        Another backend's errors are raised. A handshake is closed by Starlette, whatever this says.
        """
        if not isinstance(error, _Refused) or not is_refusal(error.error):
            raise error
        request = Connection(conn.scope, conn).request
        return response_of(self._guard.refuse(error.error, request, conn.scope["path"]))

    @overload
    async def answer(self, conn: Request, error: Exception) -> Response: ...
    @overload
    async def answer(self, conn: WebSocket, error: Exception) -> None: ...
    async def answer(self, conn: HTTPConnection, error: Exception) -> Response | None:
        """The answer to an error of ours that the app raises, from ``token.require`` say.

        For ``exception_handlers={JWKSError: …}``. What has no answer is raised.
        """
        if not isinstance(error, JWKSError):
            raise error
        return await Connection(conn.scope, conn).refuse(self._guard, error)
