"""JSON values in settings and claims: which values are valid, and when two are equal.

Must not depend on: tokens, providers. In Python, 1 and True are equal; in JSON they are not.
"""

from __future__ import annotations

from typing import cast

from .encoding import MAX_DEPTH


def any_of(value: object) -> tuple[object, ...]:
    """Return the accepted values: a set's members, or the one value itself."""
    return tuple(value) if isinstance(value, (set, frozenset)) else (value,)


def is_json(value: object, levels: int = MAX_DEPTH - 1) -> bool:
    """Return whether a value can appear in a token's claims (RFC 8259)."""
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return value - value == 0  # excludes infinities and NaN
        case list():
            return levels > 0 and all(is_json(one, levels - 1) for one in value)
        case dict():
            return levels > 0 and all(
                isinstance(name, str) and is_json(one, levels - 1) for name, one in value.items()
            )
        case _:
            return False


def same_json(one: object, other: object) -> bool:
    """Return whether two JSON values are equal; true is not 1, and member order is irrelevant."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        mine, theirs = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return mine.keys() == theirs.keys() and all(same_json(mine[n], theirs[n]) for n in mine)
    if isinstance(one, list) and isinstance(other, list):
        left, right = cast("list[object]", one), cast("list[object]", other)
        return len(left) == len(right) and all(map(same_json, left, right))
    return one == other
