"""Hostile tokens, ready-made: what attackers send, and what providers send to somebody else.

Owns: `Forge`: all tricks, and those that depend on what a provider demands. May not know: how a
token is judged. A trick only says the code that the contract gives it, and the library's own tests
hold both to that.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..._core.json_values import any_of
from ..._core.provider import IssuerTemplate, Provider
from ..._core.unchecked import UNCHECKED
from ...errors import TokenErrorCode
from .._shapes.drafts import SUBJECT, Wish
from .claim_tricks import ClaimTricks
from .forged_token import LASTING, ForgedToken, Trick
from .key_tricks import KeyTricks
from .shape_tricks import ShapeTricks

__all__ = ["Forge"]


class Forge(ShapeTricks, KeyTricks, ClaimTricks):
    """Makes tokens that must be refused; ``idp.forge``.

    Each method takes the arguments of ``issue`` and returns a `ForgedToken`: the token, with the
    ``name`` of the trick and the ``code`` of the error. What is forged is right in all other
    respects, and lives a day. A token that the provider at hand would accept, because it knowingly
    does not check that, is a ValueError, and is not among `all`.
    """

    __slots__ = ()

    def all(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = LASTING,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> list[ForgedToken]:
        """One of each, for ``@pytest.mark.parametrize("token", idp.forge.all())``.

        A missing claim is there once for each claim that the provider demands, and so are values
        other than the one it wants, and claims it forbids.
        """
        wish = Wish(
            sub=sub, scope=scope, expires_in=expires_in, headers=headers or {}, claims=claims
        )
        provider = self.provider
        kinds = (ClaimTricks, KeyTricks, ShapeTricks)
        tricks = [one for kind in kinds for one in vars(kind).values() if isinstance(one, Trick)]
        several = [
            ForgedToken(one.forge(self, self.draft(wish)), one.name, one.code)
            for one in tricks
            if one.when(provider)
        ]
        several += [self._missing(name, wish) for name in _demanded(provider) if name != "exp"]
        several += [self._other_value(name, wish) for name in provider.claim_values]
        several += [self._forbidden(name, wish) for name in provider.forbidden_claims]
        return several

    # What this provider demands.

    def missing(
        self,
        claim: str,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = LASTING,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> ForgedToken:
        """A token without a claim that the provider demands; ValueError for another."""
        demanded = _demanded(self.provider)
        if claim not in demanded:
            raise ValueError(f"{claim!r} is not demanded; {', '.join(demanded)} are")
        wish = Wish(
            sub=sub, scope=scope, expires_in=expires_in, headers=headers or {}, claims=claims
        )
        return self._missing(claim, wish)

    def _missing(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.draft(wish)
        draft.claims[claim] = None
        return ForgedToken(draft.sign(), f"missing_{claim}", "missing_claim")

    def _other_value(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.draft(wish)
        wanted = any_of(self.provider.claim_values[claim])
        draft.claims[claim] = "something-else" if "something-else" not in wanted else "another"
        code: TokenErrorCode = "invalid_claim"
        issuer = self.provider.issuer
        if isinstance(issuer, IssuerTemplate) and issuer.claim == claim:
            code = "wrong_issuer"  # the claim decides which issuer is right
        return ForgedToken(draft.sign(), f"other_{claim}", code)

    def _forbidden(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.draft(wish)
        draft.claims[claim] = "here"
        return ForgedToken(draft.sign(), f"forbidden_{claim}", "forbidden_claim")


def _demanded(provider: Provider) -> list[str]:
    always = {
        "iss": provider.issuer is not UNCHECKED,
        "aud": provider.audience is not UNCHECKED,
        "exp": provider.require_expiry,
        "iat": provider.max_age is not None,
    }
    names = [name for name, is_demanded in always.items() if is_demanded]
    return list(dict.fromkeys([*names, *provider.required_claims, *provider.claim_values]))
