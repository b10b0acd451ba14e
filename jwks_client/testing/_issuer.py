"""The tokens that the fake provider issues, for itself and for others, and those it would never.

Owns: signing on request. May not know: sockets, clients, or how anybody gets at the key set
(`_provider`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._core.locations import Cookie, Header, Query, Subprotocol
from .._core.provider import Provider
from ._identity import Identity
from ._shapes.drafts import SUBJECT, Draft, Wish, draft_of
from ._shapes.shape import Shape

if TYPE_CHECKING:
    from ._forge.forge import Forge

__all__ = ["Issuer"]


class Issuer(Identity):
    """What a `FakeProvider` signs; made by it alone."""

    # Tokens.

    def issue(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A token, signed with the current key.

        It has ``iss``, ``aud``, ``sub``, ``iat`` (now, in whole seconds) and ``exp``, and ``scope``
        if one is given; in the shape of a provider also what that one's tokens have. Any other
        claim is given by name (``roles=["admin"]``): it wins over those (``iss=``, ``aud=``,
        ``iat=``, ``exp=``), and None leaves a claim out.

        Arguments:
            sub: the ``sub`` claim; None leaves it out. In a shape, ``"u1"`` stands for a subject
                of that provider's kind.
            scope: the ``scope`` claim, as it is to stand there. In the shape of a provider that
                has scopes elsewhere it stands there, as a list if that is its way.
            expires_in: seconds from ``iat`` to ``exp``, negative for a token that is over; None: no
                ``exp``.
            headers: header members over the usual ``alg``, ``kid`` and ``typ``; None leaves one
                out. The signature is that of the current key, whatever they say.
            claims: claims by name.
        """
        wish = Wish(
            sub=sub, scope=scope, expires_in=expires_in, headers=headers or {}, claims=claims
        )
        return self._draft(wish).sign()

    def issue_for(
        self,
        provider: Provider,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A token that ``provider`` accepts, once its keys are these: its issuer, audience, claims.

        Arguments:
            provider: any `Provider`. Its algorithms must include `algorithm`, else ValueError; of
                its ``checks`` only those of this library's factories are known.
            sub, scope, expires_in, headers, claims: as for `issue`.
        """
        from ._shapes.known import shape_of

        if self.algorithm not in provider.algorithms:
            raise ValueError(
                f"{provider.name} takes {', '.join(provider.algorithms)}, and the keys here are "
                f"for {self.algorithm}: FakeProvider(algorithm=…) makes others"
            )
        wish = Wish(
            sub=sub, scope=scope, expires_in=expires_in, headers=headers or {}, claims=claims
        )
        return self._draft(wish, shape_of(provider)).sign()

    def auth_headers(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> dict[str, str]:
        """Request headers with a token: ``{"Authorization": "Bearer …"}``.

        Arguments are those of `issue`. In the shape of a provider whose tokens stand in another
        header, or in a cookie, it is that.
        """
        token = self.issue(sub, scope, expires_in, headers=headers, **claims)
        match next(iter(self.provider.locations)):
            case Header(name=name, scheme=scheme):
                return {name: token if scheme is None else f"{scheme} {token}"}
            case Cookie(name=name):
                return {"Cookie": f"{name}={token}"}
            case Query() | Subprotocol():
                return {"Authorization": f"Bearer {token}"}

    def sign(self, header: bytes, payload: bytes) -> str:
        """A token of these very octets, for what `issue` cannot make: null, duplicates, no JSON."""
        with self._lock:
            key = self._keys.signing
        return key.sign_compact(header, payload)

    @property
    def forge(self) -> Forge:
        """Makes tokens that must be refused: ``idp.forge.expired()``, ``idp.forge.all()``."""
        from ._forge.forge import Forge

        return Forge(
            provider=self.provider,
            draft=self._draft,
            stranger=self._keys.stranger,
            now=lambda: int(self.clock.time()),
        )

    # Behind all that.

    def _draft(self, wish: Wish, shape: Shape | None = None) -> Draft:
        with self._lock:
            shape = shape or self._shape
            plain = shape.provider is None
            return draft_of(
                wish,
                shape,
                key=self._keys.signing,
                issuer=self.issuer if plain else None,
                now=int(self.clock.time()),
            )
