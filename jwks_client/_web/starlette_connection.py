"""Find, admit or refuse the connection that an ASGI framework passes to a handler.

The objects of Starlette and FastAPI, and Litestar's requests, are recognized by duck typing. The
framework is only imported when a response is needed. Must not depend on: requirements on a token,
verification.

A handler's scope belongs to one request, so the results are written into it, under the keys that
the middleware uses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from typing import Any, Final, TypedDict, TypeGuard

from .._core.credentials.answers import Answer
from .._core.credentials.reader import UnverifiedRequest
from .._core.locations import Location
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from .asgi_reply import Reply
from .asgi_scope import Scope, Send, admitted, request_of, seen_by_app, send_answer
from .guard import Guard, OnError, is_refusal
from .handling import HANDLING_KEY, Handling
from .identity import TOKEN_KEY, current_token, token_in
from .litestar_connection import is_litestar, litestar_response
from .protected_resource import ProtectedResource
from .starlette_handlers import answer_in_starlette, answer_socket, response_of

__all__ = ["Connection", "GuardSettings", "answer_refusals"]

_SERVED: Final = ("http", "websocket")
# What Starlette's objects cache from the scope; tokens must be removed from these too.
_REMEMBERED: Final = ("_headers", "_query_params", "_url")


class GuardSettings(TypedDict, total=False):
    """The settings of an integration, without the client, as in `JWKSMiddleware`."""

    locations: Collection[Location] | None
    realm: str | None
    on_error: OnError | None
    resource_metadata: str | ProtectedResource | None
    trusted_origins: Collection[str]


class Connection:
    """The connection that a handler received.

    Arguments:
        scope: its ASGI scope, ``http`` or ``websocket``.
        holder: Starlette's object for it; None if the handler is an ASGI app.
        at: the index of the scope among the arguments of an ASGI app.
        send: the ASGI app's ``send``.
    """

    __slots__ = ("_at", "_handling", "_holder", "_send", "scope")

    def __init__(
        self, scope: Scope, holder: Any = None, *, at: int = 0, send: Send | None = None
    ) -> None:
        self.scope = scope
        self._holder = holder
        self._at = at
        self._handling: Handling | None = None
        # The handler's return value answers a plain request, so such a request needs no `send`.
        is_socket = holder is not None and scope["type"] == "websocket"
        self._send: Send | None = getattr(holder, "send", None) if is_socket else send

    @classmethod
    def among(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Connection | None:
        """Return the first connection among a handler's arguments."""
        for at, one in enumerate((*args, *kwargs.values())):
            scope = getattr(one, "scope", None)
            # A class-based endpoint has a scope too, but is not a connection.
            if _is_served(scope) and hasattr(one, "headers"):
                return cls(scope, one)
            if _is_served(one) and _are_receive_and_send(args[at + 1 : at + 3]):
                return cls(one, at=at, send=args[at + 2])
        return None

    @property
    def request(self) -> UnverifiedRequest:
        """Return the request in the form that the rules read."""
        return request_of(self.scope)

    @property
    def keeps_tokens(self) -> bool:
        """Return whether tokens cannot be removed from what the handler sees of a handshake."""
        return self.scope["type"] == "websocket" and is_litestar(self._holder)

    @property
    def is_known(self) -> bool:
        """Return whether an integration has already looked for its token."""
        return TOKEN_KEY in self.scope

    @property
    def token(self) -> VerifiedToken | None:
        """Return the token with which the connection was admitted."""
        return token_in(self.scope) if TOKEN_KEY in self.scope else current_token()

    def admit(self, guard: Guard[Any], token: VerifiedToken | None) -> None:
        """Show the token to the app, and remove tokens from a handshake."""
        echo = None
        seen: Scope = {**self.scope}
        if token is not None or "auth" not in seen:  # keep another middleware's result
            seen = admitted(seen, token)
        if seen["type"] == "websocket":
            request = self.request
            handshake = guard.reader.without_tokens(request)
            if handshake.request is not request:
                seen = seen_by_app(seen, handshake)
            echo = handshake.echo
        self._handling = Handling(guard, self.request, self.scope["path"], token)
        seen[HANDLING_KEY] = self._handling
        if self._send is not None:
            self._send = Reply(self._send, seen, self._handling, echo)
        if self._holder is None:
            self.scope = seen
            return
        self.scope.update(seen)
        for name in _REMEMBERED:
            getattr(self._holder, "__dict__", {}).pop(name, None)
        if self._send is not None:
            self._holder.send = self._send

    def placed_in(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments for an ASGI app."""
        if self._holder is not None:
            return args
        at = self._at
        return (*args[:at], self.scope, args[at + 1], self._send, *args[at + 3 :])

    async def answer_refusal(self, guard: Guard[Any], error: JWKSError) -> Any:
        """Answer a refusal; return what the handler must return.

        Raises an error that is not a refusal.
        """
        send = self._send
        if send is None:
            return self.response_to(guard, error)
        if not is_refusal(error):
            raise error
        if isinstance(send, Reply):
            if send.begun and not send.replaced:
                raise error
            if not send.replaced:
                await send.answer(error)
        elif self._holder is not None:
            await answer_socket(self._holder, error, lambda: self._answer(guard, error))
        else:
            await send_answer(self._answer(guard, error), self.scope, send)
        return None

    def response_to(self, guard: Guard[Any], error: JWKSError) -> Any:
        """Return the response to a refused plain request. Raises an error that is not a refusal."""
        if self._send is not None or self.scope["type"] != "http":
            raise error
        render = litestar_response if is_litestar(self._holder) else response_of
        return render(self._answer(guard, error))

    def _answer(self, guard: Guard[Any], error: JWKSError) -> Answer:
        handling = self._handling
        if handling is not None:
            return handling.answer(error)
        return guard.refuse(error, self.request, self.scope["path"])


def answer_refusals(scope: Scope, guard: Guard[Any]) -> None:
    """Let the guard answer the refusals of this request, even before there is a token."""
    scope[HANDLING_KEY] = Handling(guard, request_of(scope), scope["path"], None)
    answer_in_starlette(scope)


def _is_served(scope: object) -> TypeGuard[Scope]:
    return isinstance(scope, MutableMapping) and scope.get("type") in _SERVED


def _are_receive_and_send(args: tuple[Any, ...]) -> bool:
    return len(args) == 2 and all(map(callable, args))
