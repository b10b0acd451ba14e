"""Tokens that the fake provider issues: its own, those for other providers, and forged ones.

Must not depend on sockets, clients, or how the key set is served (`_provider`).
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
    """The tokens of a `FakeProvider`."""

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
        """Return a token signed with the current key.

        It has ``iss``, ``aud``, ``sub``, ``iat`` (now, in whole seconds) and ``exp``, ``scope`` if
        given, and the claims of the imitated provider, if any. Other claims are keyword arguments
        (``roles=["admin"]``). They override the defaults (``iss=``, ``aud=``, ``iat=``, ``exp=``),
        and None omits a claim.

        Arguments:
            sub: the ``sub`` claim; None omits it. After `as_provider`, ``"u1"`` stands for a
                typical subject of that provider.
            scope: the ``scope`` claim, unchanged. After `as_provider`, that provider's claim for
                scopes, as a list if that provider uses one.
            expires_in: seconds from ``iat`` to ``exp``; negative for an expired token; None omits
                ``exp``.
            headers: header members that override ``alg``, ``kid`` and ``typ``; None omits one. The
                token is signed with the current key in any case.
            claims: other claims.
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
        """Return a token with the issuer, audience and claims that ``provider`` accepts.

        Arguments:
            provider: any `Provider`. Its algorithms must include `algorithm`, else ValueError; of
                its ``checks``, those of this library's factories are satisfied.
            sub, scope, expires_in, headers, claims: as for `issue`.
        """
        from ._shapes.known import shape_of

        if self.algorithm not in provider.algorithms:
            raise ValueError(
                f"{provider.name} accepts {', '.join(provider.algorithms)}, but these keys are for "
                f"{self.algorithm}; use FakeProvider(algorithm=…)"
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
        """Return request headers with a token: ``{"Authorization": "Bearer …"}``.

        The arguments are those of `issue`. After `as_provider`, the token is where that provider's
        tokens are, such as in another header or a cookie.
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
        """Sign these octets unchanged, for tokens that `issue` cannot make (null, duplicates)."""
        with self._lock:
            key = self._keys.signing
        return key.sign_compact(header, payload)

    @property
    def forge(self) -> Forge:
        """Forged tokens, which must be refused: ``idp.forge.expired()``, ``idp.forge.all()``."""
        from ._forge.forge import Forge

        return Forge(
            provider=self.provider,
            draft=self._draft,
            stranger=self._keys.stranger,
            now=lambda: int(self.clock.time()),
        )

    # Internal.

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
