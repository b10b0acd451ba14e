"""Who a request is from, as the app finds it: ``current_token()``, ``user`` and ``auth``.

Owns: what integrations leave for the app. May not know: how a request was admitted. A `User` has
what Starlette's own middleware leaves in ``scope["user"]`` and ``scope["auth"]``, and stands in
both places, so that ``starlette.authentication.requires`` works; Starlette is not needed for it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from .. import VerifiedToken

__all__ = ["TOKEN_KEY", "User", "current", "current_token", "serving"]

#: Where the token is, in an ASGI scope and in a WSGI environ.
TOKEN_KEY: Final = "jwks_client.token"  # noqa: S105 (a name)

current: Final[ContextVar[VerifiedToken | None]] = ContextVar("jwks_client.current", default=None)


def current_token() -> VerifiedToken | None:
    """The token of the request that is being served here, or None outside one or without a token.

    It is a context variable: right in tasks and thread pools that carry the context over, as
    asyncio, anyio and Starlette do.
    """
    return current.get()


@contextmanager
def serving(token: VerifiedToken | None) -> Generator[None]:
    """Run a block for the caller whose token this is: `current_token` gives it inside."""
    before = current.set(token)
    try:
        yield
    finally:
        current.reset(before)


class User:
    """Who a token is of and what it allows, or nobody; in the shape of Starlette's two objects."""

    __slots__ = ("token",)

    def __init__(self, token: VerifiedToken | None) -> None:
        self.token = token

    @property
    def is_authenticated(self) -> bool:
        """Whether there is a token."""
        return self.token is not None

    @property
    def scopes(self) -> list[str]:
        """The scopes of the token and ``"authenticated"``, sorted; none without a token."""
        return [] if self.token is None else sorted({*self.token.scopes, "authenticated"})

    @property
    def identity(self) -> str:
        """The subject, empty without one."""
        return "" if self.token is None else self.token.subject or ""

    @property
    def display_name(self) -> str:
        """The ``name`` or ``preferred_username`` claim, or else the subject."""
        if self.token is not None:
            for claim in ("name", "preferred_username"):
                if isinstance(name := self.token.claims.get(claim), str):
                    return name
        return self.identity
