"""The caller of a request, as the app sees it: its token, ``user`` and ``auth``.

A `User` stands in for both objects that Starlette's own middleware puts in ``scope["user"]`` and
``scope["auth"]``, so that ``starlette.authentication.requires`` works without a dependency on
Starlette. Must not depend on: how a request was admitted.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from .. import VerifiedToken

__all__ = [
    "TOKEN_KEY",
    "User",
    "current",
    "current_token",
    "get_token",
    "mapping_of",
    "serving",
    "token_in",
]

#: The key of the token in an ASGI scope and in a WSGI environ.
TOKEN_KEY: Final = "jwks_client.token"  # noqa: S105 (a name)

#: The token of the current request, and the `handling.Handling` of the middleware that serves it.
current: Final[ContextVar[tuple[VerifiedToken | None, object]]] = ContextVar(
    "jwks_client.current", default=(None, None)
)


def mapping_of(request: object) -> Mapping[str, Any]:
    """Return the scope or environ of a request.

    Raises TypeError for anything else.
    """
    for name in ("scope", "environ", "META", "env"):
        found = getattr(request, name, None)
        if isinstance(found, Mapping):
            return found
    if isinstance(request, Mapping):
        return request
    raise TypeError(
        f"request must be a scope or an environ, or have one, got {type(request).__name__}"
    )


def token_in(scope_or_environ: Mapping[str, Any]) -> VerifiedToken | None:
    """Return the token in a scope or an environ, or None."""
    token = scope_or_environ.get(TOKEN_KEY)
    return token if isinstance(token, VerifiedToken) else None


def get_token(request: object) -> VerifiedToken | None:
    """Return the token with which a request was admitted, or None.

    Arguments:
        request: an ASGI scope, a WSGI environ, or a framework's request that has one of them: as
            ``scope`` (Starlette), ``environ`` (Flask), ``META`` (Django) or ``env`` (Falcon).

    Raises TypeError for anything else.
    """
    return token_in(mapping_of(request))


def current_token() -> VerifiedToken | None:
    """Return the token of the current request, or None.

    It uses a context variable, so it also works in tasks and threads to which the context is
    copied, as asyncio, anyio and Starlette do.
    """
    return current.get()[0]


@contextmanager
def serving(token: VerifiedToken | None, handling: object = None) -> Generator[None]:
    """Make `current_token` return this token inside the block."""
    before = current.set((token, handling or current.get()[1]))
    try:
        yield
    finally:
        current.reset(before)


class User:
    """The user of a token and its scopes, in the shape of Starlette's two objects."""

    __slots__ = ("token",)

    def __init__(self, token: VerifiedToken | None) -> None:
        self.token = token

    @property
    def is_authenticated(self) -> bool:
        """Return whether there is a token."""
        return self.token is not None

    @property
    def scopes(self) -> list[str]:
        """Return the token's scopes and ``"authenticated"``, sorted; empty without a token."""
        return [] if self.token is None else sorted({*self.token.scopes, "authenticated"})

    @property
    def identity(self) -> str:
        """Return the subject, or an empty string."""
        return "" if self.token is None else self.token.subject or ""

    @property
    def display_name(self) -> str:
        """Return the ``name`` or ``preferred_username`` claim, or else the subject."""
        if self.token is not None:
            for claim in ("name", "preferred_username"):
                if isinstance(name := self.token.claims.get(claim), str):
                    return name
        return self.identity
