"""Starlette's own `AuthenticationMiddleware`, with verified tokens.

    backend = JWKSBackend(AsyncJWKSClient(providers.stytch("project-live-…")), optional=True)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)
        ],
        exception_handlers={JWKSError: backend.answer},
    )

For applications that already use that middleware. All others should use `JWKSMiddleware`, which
does more: it denies handshakes with an answer, excludes paths, warms up, and sets `current_token`.

Must not depend on: how credentials are read or errors answered (`_web.guard`).
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
    """The ``request.user``, with the attributes of a Starlette user and the ``token``."""


class _Refused(AuthenticationError):
    def __init__(self, error: JWKSError) -> None:
        super().__init__(error.code)
        self.error = error


class JWKSBackend(AuthenticationBackend):
    """Authenticates requests by their token.

    Arguments:
        client: an `AsyncJWKSClient`.
        optional: admit requests without credentials as ``UnauthenticatedUser``; invalid ones are
            still refused.
        settings: ``locations``, ``realm``, ``on_error``, ``resource_metadata``,
            ``trusted_origins``, as in `JWKSMiddleware`.

    Raises ConfigurationError naming the setting: ``locations`` if it contains a
    subprotocol or a query, which only `JWKSMiddleware` can remove from what the app sees.
    """

    def __init__(
        self, client: AsyncVerifier, *, optional: bool = False, **settings: Unpack[GuardSettings]
    ) -> None:
        self._guard = Guard(client, asynchronous=True, optional=optional, **settings)
        locations = settings.get("locations") or locations_of(client)
        if not all(isinstance(one, (Header, Cookie)) for one in locations):
            raise ConfigurationError(
                "locations", "must be Header or Cookie; use JWKSMiddleware for others"
            )

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, JWKSUser] | None:
        """Return the scopes and the user of a connection, or None without credentials.

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
        """Return the answer to a refusal, for ``AuthenticationMiddleware(on_error=…)``.

        Another backend's errors are raised. Starlette itself closes handshakes.
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
        """Return the answer to an error that the app raises, for example from ``token.require``.

        For ``exception_handlers={JWKSError: …}``. Errors that are not refusals are raised.
        """
        if not isinstance(error, JWKSError):
            raise error
        response: Response | None = await Connection(conn.scope, conn).answer_refusal(
            self._guard, error
        )
        return response
