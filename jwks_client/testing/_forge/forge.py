"""Ready-made forged tokens: what attackers send, and tokens for other recipients.

Must not depend on how tokens are verified: each trick names the code of its refusal, and the
library's own tests compare it with the verifier.
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
    """Forged tokens, which must be refused; ``idp.forge``.

    Each method accepts the arguments of ``issue`` and returns a `ForgedToken`: the token, with the
    ``name`` of the trick and the ``code`` of the error. A forged token is valid in all other
    respects, and its lifetime is a day. A token that the provider would accept, because it
    does not check the flaw, is a ValueError and is not in `all`.
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
        """Return one of each, for ``@pytest.mark.parametrize("token", idp.forge.all())``.

        They include one token without each required claim, one with another value for each claim
        with a required value, and one with each forbidden claim.
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
        several += [self._missing(name, wish) for name in _required(provider) if name != "exp"]
        several += [self._other_value(name, wish) for name in provider.claim_values]
        several += [self._forbidden(name, wish) for name in provider.forbidden_claims]
        return several

    # Claims that this provider requires.

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
        """Return a token without a required claim. Raises ValueError for any other claim."""
        required = _required(self.provider)
        if claim not in required:
            raise ValueError(f"claim must be one of {', '.join(required)}, got {claim!r}")
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
            code = "wrong_issuer"  # the claim decides which issuer is accepted
        return ForgedToken(draft.sign(), f"other_{claim}", code)

    def _forbidden(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.draft(wish)
        draft.claims[claim] = "here"
        return ForgedToken(draft.sign(), f"forbidden_{claim}", "forbidden_claim")


def _required(provider: Provider) -> list[str]:
    always = {
        "iss": provider.issuer is not UNCHECKED,
        "aud": provider.audience is not UNCHECKED,
        "exp": provider.require_expiry,
        "iat": provider.max_age is not None,
    }
    names = [name for name, is_required in always.items() if is_required]
    return list(dict.fromkeys([*names, *provider.required_claims, *provider.claim_values]))
