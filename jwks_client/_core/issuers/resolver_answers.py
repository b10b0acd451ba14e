"""Decide whether to ask the resolver about an issuer, and check its answer.

Must not depend on: which tenants are loaded, how the resolver is called.
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
    """Why a call of the resolver gave no usable answer.

    Arguments:
        message: for people; contains no claim of a token.
        cause: the exception; its text may contain the issuer, which an attacker can choose.
        reported: the cause as events report it: its type and where it was raised.
        slow: the callers waited for the full time limit, so the next caller must not try at once.
    """

    message: str
    cause: BaseException | None = None
    reported: str | None = None
    slow: bool = False


def askable(issuer: str) -> bool:
    """Return whether the resolver may be asked about an issuer: 1 to 512 printable characters.

    No issuer contains line breaks, control characters, or characters that hide or reorder others,
    and none of those should reach a query or a log.
    """
    return 1 <= len(issuer) <= LONGEST_ISSUER and issuer.isprintable()


def precheck_expiry(claims: dict[str, Any], now: float, leeway: float) -> None:
    """Check the expiry, so that an expired token does not cause a call of the resolver.

    Arguments:
        claims: the unverified claims. A token without ``exp`` passes, in case its tenant does not
            require it.
        now: seconds since the epoch.
        leeway: seconds; `TenantTable.leeway`, because the tenant's own leeway is not known yet.

    Raises TokenError ``token_expired`` or ``invalid_claim``.
    """
    expires_at = time_of(claims, "exp", required=False)
    if expires_at is not None and now >= expires_at + leeway:
        raise TokenError("token_expired", "'exp' is in the past", claim="exp")


def read_answer(issuer: str, answer: object) -> Provider | Failure | None:
    """Return the provider, renamed to its issuer; None; or a failure if the answer is unusable.

    The provider must name exactly the issuer in question. Otherwise one tenant could vouch for the
    tokens of another.
    """
    if answer is None:
        return None
    if not isinstance(answer, Provider):
        return Failure(f"the resolver must return a Provider or None, got {type(answer).__name__}")
    if answer.issuer not in (issuer, (issuer,)):
        return Failure("the resolver returned a provider of another issuer")
    return replace(answer, name=issuer)


def same_provider(one: Provider, other: Provider) -> bool:
    """Return whether two answers are the same; Python's ``==`` would treat 1 and True as equal."""
    return all(same_value(getattr(one, f.name), getattr(other, f.name)) for f in fields(Provider))


def same_value(one: object, other: object) -> bool:
    """Return whether two settings are equal in value and type; callables compare by identity."""
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
