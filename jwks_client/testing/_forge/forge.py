"""Ready-made forged tokens: what attackers send, and tokens for other recipients.

Must not depend on how tokens are verified: each trick names the code of its refusal, and the
library's own tests compare it with the verifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..._core.json_values import any_of
from ..._core.provider import IssuerTemplate, Provider
from ..._core.unchecked import UNCHECKED
from ...errors import TokenErrorCode
from .._shapes.drafts import SUBJECT, Wish
from . import claim_tricks, key_tricks, shape_tricks
from .forged_token import LASTING, Bench, ForgedToken, Trick

__all__ = ["Forge"]


class Forge:
    """Forged tokens, which must be refused; ``idp.forge``.

    Each method accepts the arguments of ``issue`` and returns a `ForgedToken`: the token, with the
    ``name`` of the trick and the ``code`` of the error. A forged token is valid in all other
    respects, and its lifetime is a day. A token that the provider would accept, because it
    does not check the flaw, is a ValueError and is not in `all`.
    """

    __slots__ = ("bench",)

    # Claims.
    expired = claim_tricks.expired
    no_expiry = claim_tricks.no_expiry
    not_yet_valid = claim_tricks.not_yet_valid
    issued_in_future = claim_tricks.issued_in_future
    too_old = claim_tricks.too_old
    expiry_in_milliseconds = claim_tricks.expiry_in_milliseconds
    expiry_as_text = claim_tricks.expiry_as_text
    wrong_issuer = claim_tricks.wrong_issuer
    wrong_audience = claim_tricks.wrong_audience
    empty_audience = claim_tricks.empty_audience
    wrong_type = claim_tricks.wrong_type
    bound_to_a_key = claim_tricks.bound_to_a_key
    subject_as_number = claim_tricks.subject_as_number

    # Signatures, algorithms and keys.
    tampered = key_tricks.tampered
    foreign_signature = key_tricks.foreign_signature
    empty_signature = key_tricks.empty_signature
    zero_signature = key_tricks.zero_signature
    unsigned = key_tricks.unsigned
    unsigned_in_disguise = key_tricks.unsigned_in_disguise
    hmac_with_public_key = key_tricks.hmac_with_public_key
    other_algorithm = key_tricks.other_algorithm
    other_padding = key_tricks.other_padding
    unknown_kid = key_tricks.unknown_kid
    kid_as_path = key_tricks.kid_as_path
    kid_as_number = key_tricks.kid_as_number
    embedded_jwk = key_tricks.embedded_jwk
    embedded_certificate = key_tricks.embedded_certificate
    jku = key_tricks.jku
    x5u = key_tricks.x5u

    # Octets.
    critical_header = shape_tricks.critical_header
    unencoded_payload = shape_tricks.unencoded_payload
    duplicate_header_member = shape_tricks.duplicate_header_member
    duplicate_claim = shape_tricks.duplicate_claim
    infinite_number = shape_tricks.infinite_number
    deeply_nested = shape_tricks.deeply_nested
    not_an_object = shape_tricks.not_an_object
    stray_bits = shape_tricks.stray_bits
    padded = shape_tricks.padded
    two_segments = shape_tricks.two_segments
    no_token = shape_tricks.no_token
    encrypted = shape_tricks.encrypted
    huge = shape_tricks.huge

    def __init__(self, bench: Bench) -> None:
        self.bench: Final = bench

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
        wish = Wish(sub, scope, expires_in, headers, claims)
        provider = self.bench.provider
        tricks = [one for one in vars(Forge).values() if isinstance(one, Trick)]
        several = [one.forged(self.bench, wish) for one in tricks if one.when(provider)]
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
        required = _required(self.bench.provider)
        if claim not in required:
            raise ValueError(f"claim must be one of {', '.join(required)}, got {claim!r}")
        return self._missing(claim, Wish(sub, scope, expires_in, headers, claims))

    def _missing(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.bench.draft(wish)
        draft.claims[claim] = None
        return ForgedToken(draft.sign(), f"missing_{claim}", "missing_claim")

    def _other_value(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.bench.draft(wish)
        wanted = any_of(self.bench.provider.claim_values[claim])
        draft.claims[claim] = "something-else" if "something-else" not in wanted else "another"
        code: TokenErrorCode = "invalid_claim"
        issuer = self.bench.provider.issuer
        if isinstance(issuer, IssuerTemplate) and issuer.claim == claim:
            code = "wrong_issuer"  # the claim decides which issuer is accepted
        return ForgedToken(draft.sign(), f"other_{claim}", code)

    def _forbidden(self, claim: str, wish: Wish) -> ForgedToken:
        draft = self.bench.draft(wish)
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
