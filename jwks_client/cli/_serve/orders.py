"""Read an order for a token: a JSON object with the arguments of `FakeProvider.issue`.

Two members are not claims: ``expires_in`` (seconds, or null for no ``exp``) and ``headers`` (an
object of header members). Null omits a claim.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

from ...testing import FakeProvider

__all__ = ["Order", "OrderError", "fill", "read_order"]

Order: TypeAlias = dict[str, Any]


class OrderError(ValueError):
    """A text that is not an order; the message is a predicate, such as "must be a JSON object"."""


def read_order(text: bytes | str) -> Order:
    """Return the arguments for `FakeProvider.issue`; empty text is an empty order.

    Raises OrderError.
    """
    try:
        order: object = json.loads(
            text.strip() or "{}", parse_constant=_refuse_number, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise OrderError("must be a JSON object of claims") from None
    if not isinstance(order, dict):
        raise OrderError("must be a JSON object of claims")
    if not isinstance(order.get("headers", {}), dict | None):
        raise OrderError("must have an object of header members as headers")
    if not _is_seconds(order.get("expires_in")):
        raise OrderError("must have a number of seconds, or null for no exp, as expires_in")
    if "self" in order:
        raise OrderError("must not have a claim named self")
    return order


def fill(idp: FakeProvider, order: Order, expires_in: float) -> str:
    """Issue the token; ``expires_in`` is its default lifetime. Raises OrderError."""
    whole: Order = {"expires_in": expires_in, **order}
    try:
        return idp.issue(**whole)
    except RecursionError:
        raise OrderError("is nested too deeply") from None


def _is_seconds(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 is JSON, and would be signed as Infinity, which is not
        return _refuse_number(text)
    return number


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")
