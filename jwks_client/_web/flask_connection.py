"""Find, admit or refuse the current request of Flask or Quart, which do not pass it to views.

The counterpart of `starlette_connection`; a view answers a refusal by its return value.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from .._core.credentials.request import UnverifiedRequest
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from .answer_for import path_of
from .guard import Guard
from .identity import TOKEN_KEY, mapping_of

__all__ = ["FlaskConnection", "flask_request"]

Framework = Literal["flask", "quart"]


def flask_request(name: Framework) -> Any:
    """Return the current request or WebSocket of Flask or Quart, or None."""
    module: Any = sys.modules.get(name)
    if module is None:
        return None
    if module.has_request_context():
        return module.request
    if name == "quart" and module.has_websocket_context():
        return module.websocket
    return None


class FlaskConnection:
    """A plain request of Flask or Quart."""

    __slots__ = ("_found", "_module")

    def __init__(self, module: Any) -> None:
        self._module = module
        self._found: Any = mapping_of(module.request)

    @classmethod
    def current(cls) -> FlaskConnection | None:
        """Return the current request; None outside a request and for WebSockets."""
        for name in ("flask", "quart"):
            module: Any = sys.modules.get(name)
            if module is not None and module.has_request_context():
                return cls(module)
        return None

    @property
    def request(self) -> UnverifiedRequest:
        """Return the request in the form that the rules read."""
        return UnverifiedRequest.of(self._found)

    def admit(self, guard: Guard[Any], token: VerifiedToken | None) -> None:  # noqa: ARG002 (a seam)
        """Show the caller's token to the app."""
        self._found[TOKEN_KEY] = token

    def placed_in(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the view's arguments, unchanged."""
        return args

    async def answer_refusal(self, guard: Guard[Any], error: JWKSError) -> Any:
        """Return the response to a refusal. Raises an error that is not a refusal."""
        return self.response_to(guard, error)

    def response_to(self, guard: Guard[Any], error: JWKSError) -> Any:
        """Return the response to a refusal. Raises an error that is not a refusal."""
        answer = guard.refuse(error, self.request, path_of(self._found))
        return self._module.Response(answer.body, answer.status, answer.text_headers)
