"""`UNCHECKED`, the only value that switches off a restriction on accepted tokens.

An unset environment variable gives None or an empty string, so neither may switch a check off. Must
not depend on: providers, or which settings restrict.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final, Literal, TypeAlias, cast

from ..errors import ConfigurationError
from . import settings


class UncheckedType(Enum):
    """The type of `UNCHECKED`: an Enum, so that pickle and copy return the same object."""

    UNCHECKED = "unchecked"

    def __repr__(self) -> str:
        return "UNCHECKED"


Unchecked: TypeAlias = Literal[UncheckedType.UNCHECKED]

UNCHECKED: Final[Unchecked] = UncheckedType.UNCHECKED


def restriction(field: str, value: object) -> str | tuple[str, ...] | Unchecked:
    """Return an accepted restriction: a string, several as a tuple, or `UNCHECKED`.

    None, a blank string, an empty collection and a collection that contains one of these are a
    `ConfigurationError` that names `UNCHECKED`.
    """
    if value is UNCHECKED:
        return UNCHECKED
    if isinstance(value, str) and _is_text(value):
        return value
    if isinstance(value, Collection) and not isinstance(value, (str, bytes)):
        members = tuple(cast("Collection[object]", value))
        if members and all(map(_is_text, members)):
            return tuple(dict.fromkeys(cast("tuple[str, ...]", members)))
    raise ConfigurationError(
        field,
        "must be a string that is not blank, or a collection of such strings, got "
        f"{settings.described(value)}; only providers.UNCHECKED, by itself, switches the check off",
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= settings.LONGEST_TEXT
