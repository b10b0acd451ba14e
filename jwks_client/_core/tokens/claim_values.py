"""Claims one at a time: times, strings, and the exact values that an application asks for.

Owns: how one claim's JSON value is read (RFC 7519, section 2) and compared. May not know: whose
token it is, or which claims matter to whom (`claims`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from ...errors import TokenError
from ..json_values import any_of, same_json

LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z, the last second that calendars know
ABSENT: Final = object()

Wanted: TypeAlias = tuple[tuple[str, tuple[object, ...]], ...]


def wanted(values: Mapping[str, Any]) -> Wanted:
    """Claim values as they are checked: a name, and the values of which one must be there."""
    return tuple((name, any_of(value)) for name, value in values.items())


def time_of(claims: dict[str, Any], name: str, *, required: bool) -> float | None:
    value = claims.get(name, ABSENT)
    if value is ABSENT or (value is None and required):
        if required:
            raise TokenError("missing_claim", "it lacks a required time", claim=name)
        return None
    if not is_time(value):
        raise TokenError("invalid_claim", "its time is no number of seconds since 1970", claim=name)
    return value  # type: ignore[no-any-return]


def is_time(value: Any) -> bool:
    # Not isinstance: a bool is an int.
    return type(value) in (int, float) and 0 <= value <= LATEST


@lru_cache(maxsize=32)  # few: the words of one long claim take 300 KB
def words_of(value: str) -> frozenset[str]:
    """Return the words of a scope (RFC 6749, section 3.3). Many tokens have the same few scopes."""
    return frozenset(value.split(" ")) - {""}


def strings_of(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        several = tuple(cast("list[object]", value))
        if all(isinstance(one, str) for one in several):
            return cast("tuple[str, ...]", several)
    return None


def check_values(claims: dict[str, Any], values: Wanted) -> None:
    for name, accepted in values:
        value = claims.get(name, ABSENT)
        if value is ABSENT:
            raise TokenError("missing_claim", "it lacks a required claim", claim=name)
        if not any(same_json(value, one) for one in accepted):
            expected = accepted[0] if len(accepted) == 1 else accepted
            raise TokenError(
                "invalid_claim", "its value is not the one expected", claim=name, expected=expected
            )
