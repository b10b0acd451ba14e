"""An order for a token: a JSON object of claims, as `FakeProvider.issue` takes them.

Owns: what an order may say. May not know: where it comes from, the endpoint or the page.

Two members are no claims: ``expires_in`` (seconds, or null for no ``exp``) and ``headers`` (an
object of header members). Null leaves a claim out.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

from ...testing import FakeProvider

__all__ = ["Order", "OrderError", "fill", "read_order"]

Order: TypeAlias = dict[str, Any]


class OrderError(ValueError):
    """What is no order; its text says why, and follows the name of what was asked."""


def read_order(text: bytes | str) -> Order:
    """The arguments for `FakeProvider.issue`; nothing is an empty order. Raises OrderError."""
    try:
        order: object = json.loads(
            text.strip() or "{}", parse_constant=_refuse_number, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise OrderError("takes a JSON object of claims") from None
    if not isinstance(order, dict):
        raise OrderError("takes a JSON object of claims")
    if not isinstance(order.get("headers", {}), dict | None):
        raise OrderError("headers takes an object of header members")
    if not _is_seconds(order.get("expires_in")):
        raise OrderError("expires_in takes a number of seconds, or null for no exp")
    if "self" in order:
        raise OrderError("cannot issue a claim named self")
    return order


def fill(idp: FakeProvider, order: Order, expires_in: float) -> str:
    """The token that was ordered; it lives ``expires_in`` if nothing is said. Raises OrderError."""
    whole: Order = {"expires_in": expires_in, **order}
    try:
        return idp.issue(**whole)
    except RecursionError:
        raise OrderError("is nested too deep") from None


def _is_seconds(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 is JSON, and would be signed as what is not
        return _refuse_number(text)
    return number


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
