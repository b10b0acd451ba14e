"""Read and compare single claims: times, strings, and exact values.

Covers the value types of RFC 7519, section 2. Must not depend on: whose token it is, or which
claims matter (`claims`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from ...errors import TokenError
from ..json_values import any_of, same_json

LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z, the last second of `datetime`
ABSENT: Final = object()

Wanted: TypeAlias = tuple[tuple[str, tuple[object, ...]], ...]


def wanted(values: Mapping[str, Any]) -> Wanted:
    """Return claim values in the form that is checked: a name, and the accepted values."""
    return tuple((name, any_of(value)) for name, value in values.items())


def time_of(claims: dict[str, Any], name: str, *, required: bool) -> float | None:
    """Return a time in seconds since the epoch, or None if it is absent and not required."""
    value = claims.get(name, ABSENT)
    if value is ABSENT or (value is None and required):
        if required:
            raise TokenError("missing_claim", f"{name!r} is missing", claim=name)
        return None
    if not is_time(value):
        raise TokenError(
            "invalid_claim", f"{name!r} is not a number of seconds since 1970", claim=name
        )
    return value  # type: ignore[no-any-return]


def is_time(value: Any) -> bool:
    """Return whether a value is a time that calendars can represent."""
    # Not isinstance: bool is a subclass of int.
    return type(value) in (int, float) and 0 <= value <= LATEST


@lru_cache(maxsize=32)  # few: the words of one long claim take 300 KB
def words_of(value: str) -> frozenset[str]:
    """Return the words of a scope (RFC 6749, section 3.3). Cached: many tokens share scopes."""
    return frozenset(value.split(" ")) - {""}


def strings_of(value: object) -> tuple[str, ...] | None:
    """Return a string, or a list of strings, as a tuple; None for any other value."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        several = tuple(cast("list[object]", value))
        for one in several:  # hot path: faster than `all` with a generator
            if not isinstance(one, str):
                return None
        return cast("tuple[str, ...]", several)
    return None


def check_values(claims: dict[str, Any], values: Wanted) -> None:
    """Check that each claim has an accepted value."""
    for name, accepted in values:
        value = claims.get(name, ABSENT)
        if value is ABSENT:
            raise TokenError("missing_claim", f"{name!r} is missing", claim=name)
        if not any(same_json(value, one) for one in accepted):
            expected = accepted[0] if len(accepted) == 1 else accepted
            raise TokenError(
                "invalid_claim",
                f"{name!r} does not have the expected value",
                claim=name,
                expected=expected,
            )
