"""Let Starlette's (and FastAPI's) exception handling answer the refusals of a handler.

So middleware, metrics and error handlers inside the app see the status that is sent. Starlette
looks up an app's exception handlers in the scope, by the class of the exception. Starlette is only
imported when a response is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .._core.credentials.answers import Answer
from ..errors import JWKSError
from .asgi_scope import Scope, close_socket, send_answer
from .guard import is_refusal
from .handling import handling_in

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["answer_in_starlette", "answer_socket", "is_starlette", "response_of"]

_HANDLERS: Final = "starlette.exception_handlers"  # by class, then by status
_GONE_ON: Final = "jwks_client.gone_on"


def is_starlette(scope: Scope) -> bool:
    """Return whether a Starlette app serves this scope."""
    return _HANDLERS in scope


def answer_in_starlette(scope: Scope) -> None:
    """Let the app answer refusals, unless it has a handler for JWKSError."""
    if _HANDLERS in scope:
        scope[_HANDLERS][0].setdefault(JWKSError, _answer)


def response_of(answer: Answer) -> Response:
    """Return an answer as a Starlette response."""
    from starlette.responses import Response

    response = Response(answer.body, answer.status)
    for name, value in answer.text_headers:
        response.headers.append(name, value)
    return response


async def answer_socket(conn: Any, error: JWKSError, answer: Callable[[], Answer]) -> None:
    """Deny a handshake, or close an accepted WebSocket. Raises the error if it is closed already.

    Arguments:
        conn: Starlette's ``WebSocket``.
        error: the refusal.
        answer: returns the answer and reports the refusal.
    """
    scope: Scope = conn.scope
    state = "DISCONNECTED" if _GONE_ON in scope else conn.application_state.name
    match state:
        case "CONNECTING":
            await send_answer(answer(), scope, conn.send)
        case "CONNECTED":
            answer()
            await close_socket(conn.send)
        case _:
            # An outer layer of Starlette calls this again, with a new object that lacks the state.
            scope[_GONE_ON] = True
            raise error


async def _answer(conn: Any, error: JWKSError) -> Response | None:
    handling = handling_in(conn.scope)
    if handling is None or not is_refusal(error):
        raise error
    if conn.scope["type"] == "http":
        return response_of(handling.answer(error))
    await answer_socket(conn, error, lambda: handling.answer(error))
    return None
