"""Tokens that the fake provider issues: its own, those for other providers, and forged ones.

Must not depend on sockets, clients, or how the key set is served (`_provider`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.locations import Cookie, Header, Query, Subprotocol
from .._core.provider import Provider
from ._identity import Identity
from ._shapes.drafts import Draft, Wish, draft_of
from ._shapes.shape import Shape

if TYPE_CHECKING:
    from ._forge.forge import Forge

__all__ = ["Tokens"]


class Tokens:
    """The tokens of a `FakeProvider`.

    Arguments:
        identity: the issuer of the tokens.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def issue(self, wish: Wish) -> str:
        """Return a token signed with the current key."""
        return self._draft(wish).sign()

    def issue_for(self, provider: Provider, wish: Wish) -> str:
        """Return a token that another provider's clients accept. Else raises ValueError."""
        from ._shapes.known import shape_of

        algorithm = self._identity.keys.algorithm
        if algorithm not in provider.algorithms:
            raise ValueError(
                f"{provider.name} accepts {', '.join(provider.algorithms)}, but these keys are for "
                f"{algorithm}; use FakeProvider(algorithm=…)"
            )
        return self._draft(wish, shape_of(provider)).sign()

    def in_headers(self, token: str) -> dict[str, str]:
        """Return request headers that carry a token where the provider's tokens are."""
        match next(iter(self._identity.provider.locations)):
            case Header(name=name, scheme=scheme):
                return {name: token if scheme is None else f"{scheme} {token}"}
            case Cookie(name=name):
                return {"Cookie": f"{name}={token}"}
            case Query() | Subprotocol():
                return {"Authorization": f"Bearer {token}"}

    def sign(self, header: bytes, payload: bytes) -> str:
        """Sign these octets unchanged."""
        with self._identity.lock:
            key = self._identity.keys.signing
        return key.sign_compact(header, payload)

    def forge(self) -> Forge:
        """Return the forged tokens."""
        from ._forge.forge import Forge
        from ._forge.forged_token import Bench

        return Forge(
            Bench(
                provider=self._identity.provider,
                draft=self._draft,
                stranger=self._identity.keys.stranger,
                now=lambda: int(self._identity.clock.time()),
            )
        )

    def _draft(self, wish: Wish, shape: Shape | None = None) -> Draft:
        identity = self._identity
        with identity.lock:
            shape = shape or identity.shape
            plain = shape.provider is None
            return draft_of(
                wish,
                shape,
                key=identity.keys.signing,
                issuer=identity.issuer if plain else None,
                now=int(identity.clock.time()),
            )
