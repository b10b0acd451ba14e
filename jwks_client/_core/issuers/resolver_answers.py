"""What is asked of a token before the application is asked about its issuer, and of the answer.

Owns: the conditions on both. May not know: which tenants are loaded, how the resolver is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from types import MethodType
from typing import Any, Final, cast

from ...errors import TokenError
from ..provider import Provider
from ..tokens.claim_values import time_of

LONGEST_ISSUER: Final = 512  # characters


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call of the resolver brought no answer that counts.

    Arguments:
        message: for people; it holds no claim of a token.
        cause: what was raised; its text may hold the issuer, which is an attacker's.
        told: of the cause what may be told in events: its type and place.
        slow: it cost its callers the whole wait, so that no other should try at once.
    """

    message: str
    cause: BaseException | None = None
    told: str | None = None
    slow: bool = False


def askable(issuer: str) -> bool:
    """Whether the resolver is asked about an issuer: 1 to 512 printable characters.

    Line breaks, controls, and characters that hide or reorder others are in no issuer, and should
    reach neither a query nor a log.
    """
    return 1 <= len(issuer) <= LONGEST_ISSUER and issuer.isprintable()


def precheck_expiry(claims: dict[str, Any], now: float, leeway: float) -> None:
    """Judge what makes it pointless to ask about a token's issuer: its expiry.

    Arguments:
        claims: the unverified token's. One without ``exp`` passes: its tenant may not require it.
        now: seconds since the epoch.
        leeway: seconds; `TenantTable.leeway`, since the provider's own is not known yet.

    Raises TokenError ``token_expired`` or ``invalid_claim``.
    """
    expires_at = time_of(claims, "exp", required=False)
    if expires_at is not None and now >= expires_at + leeway:
        raise TokenError("token_expired", "it has expired", claim="exp")


def read_answer(issuer: str, answer: object) -> Provider | Failure | None:
    """What the resolver's answer says: a provider, known by its issuer from here on, or None.

    It must name exactly the issuer that was asked about, and no other: an answer for another is a
    mistake of the application's that would let one tenant speak for two.
    """
    if answer is None:
        return None
    if not isinstance(answer, Provider):
        return Failure("the application's resolver answered with something that is no Provider")
    if answer.issuer not in (issuer, (issuer,)):
        return Failure("the application's resolver answered with another issuer's provider")
    return replace(answer, name=issuer)


def same_provider(one: Provider, other: Provider) -> bool:
    """Return whether two answers say the same; for Python's ``==``, 1 and True would be equal."""
    return all(same_value(getattr(one, f.name), getattr(other, f.name)) for f in fields(Provider))


def same_value(one: object, other: object) -> bool:
    """Return whether two settings are the same in value and type; callables by identity."""
    match one, other:
        case Mapping(), Mapping():
            mine, theirs = (cast("Mapping[object, object]", it) for it in (one, other))
            return mine.keys() == theirs.keys() and all(
                same_value(mine[name], theirs[name]) for name in mine
            )
        case (list(), list()) | (tuple(), tuple()):
            left, right = (cast("Sequence[object]", it) for it in (one, other))
            return len(left) == len(right) and all(map(same_value, left, right))
        case AbstractSet(), AbstractSet():
            sets = (cast("AbstractSet[object]", it) for it in (one, other))
            here, there = ({(type(member), member) for member in it} for it in sets)
            return here == there
        case _ if callable(one) and not isinstance(one, MethodType):
            return one is other
        case _:
            return type(one) is type(other) and one == other
