"""Run an ASGI app for one request, and answer the refusals that its handler causes.

Whether a refusal caused a 500 of the app is decided when that 500 begins (`handling`), so no
message of an app is held back. Must not depend on: verification, exclusions.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from ..errors import JWKSError
from .asgi_scope import Message, Scope, Send, close_socket, send_answer
from .guard import is_refusal
from .handling import HANDLING_KEY, Handling
from .starlette_handlers import answer_in_starlette, is_starlette

__all__ = ["Reply"]

# Frameworks close a WebSocket with these codes after an exception: RFC 6455, and Litestar
# (4000 + 500).
_FAILURES: Final = (1011, 4500)
# Messages that may precede the start of a response.
_BEFORE_ANY_ANSWER: Final = frozenset(
    {
        "http.response.debug",
        "http.response.early_hint",
        "http.response.push",
        "websocket.send",
    }
)


class Reply:
    """A ``send`` that replaces the app's 500 if a refusal caused it.

    Arguments:
        send: the server's ``send``.
        scope: the scope that the app sees; `handling_in` finds the handling there.
        handling: answers the refusals of the request.
        echo: the subprotocol with which to accept a WebSocket if the app names none.

    Attributes:
        begun: whether a response has begun, or a WebSocket is closed.
        replaced: whether a refusal was answered in place of the app's response.
    """

    __slots__ = ("_accepted", "_echo", "_handling", "_scope", "_send", "begun", "replaced")

    def __init__(
        self, send: Send, scope: Scope, handling: Handling, echo: str | None = None
    ) -> None:
        self._send = send
        self._scope = scope
        self._handling = handling
        self._echo = echo
        self._accepted = self.begun = self.replaced = False
        scope[HANDLING_KEY] = handling
        handling.observer = self

    def before_raise(self) -> None:
        """Let a Starlette app answer the refusal."""
        answer_in_starlette(self._scope)

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send one message."""
        if self.begun or (message["type"] == "http.response.start" and message["status"] != 500):
            self.begun = True
            return self._send(message)
        return self._first(message)

    async def _first(self, message: Message) -> None:
        kind = message["type"]
        error = self._cause_of(message)
        if error is not None:
            await self.answer(error)
            return
        if kind == "websocket.accept":
            self._accepted = True
            if self._echo is not None and not message.get("subprotocol"):
                message = {**message, "subprotocol": self._echo}
        else:
            self.begun = kind not in _BEFORE_ANY_ANSWER
        await self._send(message)

    def _cause_of(self, message: Message) -> JWKSError | None:
        """Return the refusal that made the app send a message, if any."""
        handling = self._handling
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                failed = message["status"] == 500
            case "websocket.close":
                failed = message.get("code") in _FAILURES or handling.unhandled is not None
            case _:
                failed = False
        if not failed:
            return None
        handling.reports = handling.reports or is_starlette(self._scope)
        return handling.cause_of_500()

    async def answer_raised(self, error: Exception) -> bool:
        """Answer what the app raised if it is a refusal. Return False if it has to be raised again.

        A framework may raise the cause of a 500 again after the refusal was sent in its place.
        """
        if not is_refusal(error) or (self.begun and not self.replaced):
            return False
        if not self.replaced:
            await self.answer(error)
        return True

    async def answer(self, error: JWKSError) -> None:
        """Answer a refusal, and ignore everything that the app sends from now on."""
        answer, send = self._handling.answer(error), self._send
        self.begun = self.replaced = True
        self._send = _ignore
        if self._accepted:
            await close_socket(send)
        else:
            await send_answer(answer, self._scope, send)


async def _ignore(message: Message) -> None:
    """Send nothing, because the request was answered."""
