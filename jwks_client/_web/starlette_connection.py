"""A connection as frameworks on ASGI hand it to a handler: found, admitted, refused.

Owns: the shape of Starlette's objects, which FastAPI's are too, by duck typing. May not know: what
is asked of a token, who verifies. Nothing is imported of a framework but its response, once there
is one to give.

The scope of a handler is the framework's own for this one route, so what is found out is written
into it, where the middleware would have left it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeGuard

from .._core.credentials.answers import Answer
from .._core.credentials.reader import UnverifiedRequest
from .._core.locations import Location
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from .asgi_scope import Reply, Scope, Send, admitted, request_of, seen_by_app, send_answer, token_in
from .guard import Guard, OnError, is_refusal
from .identity import TOKEN_KEY, current_token
from .protected_resource import ProtectedResource

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["Connection", "GuardSettings", "let_errors_be_answered", "response_of"]

_SERVED: Final = ("http", "websocket")
_GUARD: Final = "jwks_client.guard"
_BEGUN: Final = "jwks_client.begun"
# Where Starlette keeps the exception handlers of an app for its routes: by class, then by status.
_HANDLERS: Final = "starlette.exception_handlers"
# What Starlette's objects remember of the scope; a token in it is to be seen nowhere.
_REMEMBERED: Final = ("_headers", "_query_params", "_url")


class GuardSettings(TypedDict, total=False):
    """What integrations take beside the client, as `JWKSMiddleware` does."""

    locations: Collection[Location] | None
    realm: str | None
    on_error: OnError | None
    resource_metadata: str | ProtectedResource | None
    trusted_origins: Collection[str]


class Connection:
    """One connection in a handler's hands.

    Arguments:
        scope: its ASGI scope, ``http`` or ``websocket``.
        holder: Starlette's object for it; None: the handler is an ASGI app.
        at: where the scope stands among the arguments of an ASGI app.
        send: the ASGI app's.
    """

    __slots__ = ("_at", "_holder", "_send", "scope")

    def __init__(
        self, scope: Scope, holder: Any = None, *, at: int = 0, send: Send | None = None
    ) -> None:
        self.scope = scope
        self._holder = holder
        self._at = at
        # A plain request is answered by what its handler returns: then there is nothing to send by.
        is_socket = holder is not None and scope["type"] == "websocket"
        self._send: Send | None = getattr(holder, "send", None) if is_socket else send

    @classmethod
    def among(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Connection | None:
        """The first connection among a handler's arguments."""
        for at, one in enumerate((*args, *kwargs.values())):
            scope = getattr(one, "scope", None)
            # A class-based endpoint has a scope too, but is no connection.
            if _is_served(scope) and hasattr(one, "headers"):
                return cls(scope, one)
            if _is_served(one) and _are_receive_and_send(args[at + 1 : at + 3]):
                return cls(one, at=at, send=args[at + 2])
        return None

    @property
    def request(self) -> UnverifiedRequest:
        """What the rules see of it."""
        return request_of(self.scope)

    @property
    def is_known(self) -> bool:
        """Whether an integration has looked for its token."""
        return TOKEN_KEY in self.scope

    @property
    def token(self) -> VerifiedToken | None:
        """The token that it was let through with."""
        return token_in(self.scope) if TOKEN_KEY in self.scope else current_token()

    @property
    def begun(self) -> bool:
        """Whether the handler has begun to answer, where it is not by what it returns."""
        state = getattr(getattr(self._holder, "application_state", None), "name", "CONNECTING")
        return (
            state != "CONNECTING"
            or (isinstance(self._send, Reply) and self._send.begun)
            or _BEGUN in self.scope
        )

    def admit(self, guard: Guard[Any], token: VerifiedToken | None) -> None:
        """Show the app who this is, and none of the tokens in a handshake."""
        echo = None
        seen: Scope = self.scope
        if token is not None or "auth" not in seen:  # what another middleware found out stands
            seen = admitted(seen, token)
        if seen["type"] == "websocket":
            request = self.request
            handshake = guard.reader.without_tokens(request)
            if handshake.request is not request:
                seen = seen_by_app(seen, handshake)
            echo = handshake.echo
        if self._send is not None:
            self._send = Reply(self._send, echo)
        if self._holder is None:
            self.scope = seen
            return
        self.scope.update(seen)
        for name in _REMEMBERED:
            vars(self._holder).pop(name, None)
        if self._send is not None:
            self._holder.send = self._send

    def placed_in(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """An ASGI app's arguments, as it is to see them."""
        if self._holder is not None:
            return args
        at = self._at
        return (*args[:at], self.scope, args[at + 1], self._send, *args[at + 3 :])

    async def release(self) -> None:
        """Send what is held of an ASGI app's answer, if anything is."""
        if isinstance(self._send, Reply):
            await self._send.release()

    async def refuse(self, guard: Guard[Any], error: JWKSError) -> Response | None:
        """Answer; what is returned is for the handler to return. Raises what has no answer."""
        if self._send is None:
            return self.refused(guard, error)
        await send_answer(self._answer(guard, error), self.scope, self._send)
        return None

    def refused(self, guard: Guard[Any], error: JWKSError) -> Response:
        """The response to a plain request. Raises what has no answer."""
        if self._send is not None or self.scope["type"] != "http":
            raise error
        return response_of(self._answer(guard, error))

    def _answer(self, guard: Guard[Any], error: JWKSError) -> Answer:
        if self.begun:
            # Starlette asks its handlers once more further out, with a new object for the socket.
            self.scope[_BEGUN] = True
            raise error
        if not is_refusal(error):
            raise error
        return guard.refuse(error, self.request, self.scope["path"])


def response_of(answer: Answer) -> Response:
    """An answer as a response of Starlette, and so of FastAPI."""
    from starlette.responses import Response

    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers.append(name.decode("latin-1"), value.decode("latin-1"))
    return response


def let_errors_be_answered(scope: Scope, guard: Guard[Any]) -> None:
    """Have errors of ours, that this request's handler raises, answered as the guard says.

    Starlette asks an app's handlers by the class of what was raised. One that the app has itself
    for JWKSError stays.
    """
    scope[_GUARD] = guard
    if _HANDLERS in scope:
        scope[_HANDLERS][0].setdefault(JWKSError, _answer)


async def _answer(conn: Any, error: JWKSError) -> Response | None:
    """Answer a guarded request. What others raise is none of ours, whoever was asked before."""
    guard: Guard[Any] | None = conn.scope.get(_GUARD)
    if guard is None:
        raise error
    return await Connection(conn.scope, conn).refuse(guard, error)


def _is_served(scope: object) -> TypeGuard[Scope]:
    return isinstance(scope, MutableMapping) and scope.get("type") in _SERVED


def _are_receive_and_send(args: tuple[Any, ...]) -> bool:
    return len(args) == 2 and all(map(callable, args))
