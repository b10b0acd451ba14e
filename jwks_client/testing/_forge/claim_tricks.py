"""Tokens with a valid signature whose claims must be refused.

Must not depend on keys.
"""

from __future__ import annotations

from typing import Final

from ..._core.unchecked import UNCHECKED
from .forged_token import Bench, Draft, trick

_ATTACKER: Final = "https://attacker.test"
_DAY: Final = 24 * 3600


# Times.


@trick("token_expired")
def expired(bench: Bench, draft: Draft) -> str:
    """It expired a day ago."""
    draft.claims.update({"iat": bench.now() - 2 * _DAY, "exp": bench.now() - _DAY})
    return draft.sign()


@trick("missing_claim", when=lambda provider: provider.require_expiry)
def no_expiry(_: Bench, draft: Draft) -> str:
    """It never expires: it has no ``exp``."""
    draft.claims["exp"] = None
    return draft.sign()


@trick("token_not_yet_valid")
def not_yet_valid(bench: Bench, draft: Draft) -> str:
    """Its ``nbf`` is half a day ahead."""
    draft.claims["nbf"] = bench.now() + _DAY // 2
    return draft.sign()


@trick("token_issued_in_future")
def issued_in_future(bench: Bench, draft: Draft) -> str:
    """Its ``iat`` is half a day ahead."""
    draft.claims.update({"iat": bench.now() + _DAY // 2, "exp": bench.now() + _DAY})
    return draft.sign()


@trick("token_too_old", when=lambda provider: provider.max_age is not None)
def too_old(bench: Bench, draft: Draft) -> str:
    """It was issued longer ago than ``max_age`` allows, and has not expired."""
    draft.claims["iat"] = bench.now() - int(bench.provider.max_age or 0) - _DAY
    return draft.sign()


@trick("invalid_claim")
def expiry_in_milliseconds(bench: Bench, draft: Draft) -> str:
    """Its ``exp`` is in milliseconds, fifty thousand years ahead."""
    draft.claims["exp"] = (bench.now() + _DAY) * 1000
    return draft.sign()


@trick("invalid_claim")
def expiry_as_text(_: Bench, draft: Draft) -> str:
    """Its ``exp`` is a date in words."""
    draft.claims["exp"] = "2099-01-01T00:00:00Z"
    return draft.sign()


# For another recipient.


@trick("wrong_issuer", when=lambda provider: provider.issuer is not UNCHECKED)
def wrong_issuer(_: Bench, draft: Draft) -> str:
    """The right key signed it, for another issuer."""
    draft.claims["iss"] = _ATTACKER
    return draft.sign()


@trick("wrong_audience", when=lambda provider: provider.audience is not UNCHECKED)
def wrong_audience(_: Bench, draft: Draft) -> str:
    """It was issued for another application."""
    draft.claims["aud"] = "somebody-else"
    return draft.sign()


@trick("wrong_audience", when=lambda provider: provider.audience is not UNCHECKED)
def empty_audience(_: Bench, draft: Draft) -> str:
    """Its ``aud`` is an empty list."""
    draft.claims["aud"] = []
    return draft.sign()


@trick("wrong_token_type")
def wrong_type(_: Bench, draft: Draft) -> str:
    """Its ``typ`` is that of another kind of token (RFC 8725, section 3.11)."""
    draft.header["typ"] = "secevent+jwt"  # RFC 8417, section 2.3
    return draft.sign()


@trick("invalid_claim", when=lambda provider: provider.bound_tokens == "refuse")
def bound_to_a_key(_: Bench, draft: Draft) -> str:
    """It requires a proof of possession (``cnf``, RFC 9449), which is missing."""
    draft.claims["cnf"] = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
    return draft.sign()


@trick("invalid_claim")
def subject_as_number(_: Bench, draft: Draft) -> str:
    """Its ``sub`` is a number."""
    draft.claims["sub"] = 1
    return draft.sign()
