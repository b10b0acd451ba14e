"""Check settings, so that a wrong one is reported as soon as it is given.

Must not depend on: which settings exist. Each function returns the value to keep, or raises
`ConfigurationError` naming the field.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from ..errors import ConfigurationError
from .addresses import is_remote_http, split_url
from .callables import is_coroutine_function

T = TypeVar("T", bound=str)
F = TypeVar("F")

LONGEST_TEXT: Final = 2048

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110, section 5.5, without obs-text: the part that every server reads alike.
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")


def number(
    field: str,
    value: object,
    *,
    minimum: float = 0,
    maximum: float = math.inf,
    unit: str = "seconds",
) -> float:
    """Return a finite number from ``minimum`` to ``maximum``, both included; never a bool."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Comparisons are exact and never overflow. NaN fails them all.
    if not good or not minimum <= value <= min(maximum, sys.float_info.max):  # type: ignore[operator]
        span = (
            f"of at least {minimum:g}"
            if math.isinf(maximum)
            else f"from {minimum:g} to {maximum:g}"
        )
        raise ConfigurationError(
            field, f"must be a finite number {span} ({unit}), got {described(value)}"
        )
    return value  # type: ignore[return-value]


def whole(field: str, value: object, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Return a whole number from ``minimum`` to ``maximum``, both included; never a bool."""
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or value < minimum or (maximum is not None and value > maximum):  # type: ignore[operator]
        span = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ConfigurationError(field, f"must be a whole number {span}, got {described(value)}")
    return value  # type: ignore[return-value]


def flag(field: str, value: object) -> bool:
    """Return True or False; other truthy or falsy values are rejected."""
    if not isinstance(value, bool):
        raise ConfigurationError(field, f"must be True or False, got {value!r}")
    return value


def text(field: str, value: object, *, longest: int = LONGEST_TEXT) -> str:
    """Return a string that is not blank and at most ``longest`` characters long."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise ConfigurationError(
            field, f"must be a string of 1 to {longest} characters, got {described(value)}"
        )
    return value


def names(field: str, value: object, *, at_least: int = 0) -> tuple[str, ...]:
    """Return a collection of strings as a tuple, in its order, without duplicates."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection):
        raise ConfigurationError(
            field, f'must be a collection of strings, such as ("a", "b"), got {described(value)}'
        )
    found = tuple(dict.fromkeys(text(field, item) for item in value))
    if len(found) < at_least:
        raise ConfigurationError(field, f"must not be empty, got {described(value)}")
    return found


def one_or_more(field: str, value: object) -> tuple[str, ...]:
    """Return one string, or a collection of them, as a tuple that is never empty."""
    return (text(field, value),) if isinstance(value, str) else names(field, value, at_least=1)


def one_of(field: str, value: object, allowed: Iterable[T]) -> T:
    """Return a value that is one of the words in ``allowed``."""
    for word in allowed:
        if value == word:
            return word
    words = ", ".join(map(repr, allowed))
    raise ConfigurationError(field, f"must be one of {words}, got {value!r}")


def header(field: str, name: object, value: object) -> tuple[str, str]:
    """Return a request header that is safe to send (no line breaks, ASCII only)."""
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ConfigurationError(field, "must have names that are valid in HTTP")
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        # The value may be a secret, so the message omits it.
        raise ConfigurationError(field, f"must have a value for {name!r} that is valid in HTTP")
    return name, value


def header_name(field: str, value: object) -> str:
    """Return the name of an HTTP header or cookie (RFC 9110, 5.6.2; RFC 6265, 4.1.1)."""
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise ConfigurationError(
            field, f"must be a name of letters, digits and !#$%&'*+-.^_`|~, got {value!r}"
        )
    return value


def url(field: str, value: object, *, allow_http: bool = False) -> str:
    """Return an https URL; plain http must be on loopback or permitted by ``allow_http``."""
    parts = split_url(value)
    if parts is None:
        raise ConfigurationError(field, f"must be an absolute https URL, got {described(value)}")
    if is_remote_http(parts) and not allow_http:
        raise ConfigurationError(
            field,
            "must be https, not plain http, because anyone on the network could replace keys; "
            "use https, or allow_http=True",
        )
    return str(value)


def plain(field: str, value: F) -> F:
    """Return a value that is not a coroutine function, because nothing would await its calls."""
    if is_coroutine_function(value):
        raise ConfigurationError(field, "must be a plain function, got a coroutine function")
    return value


def described(value: object) -> str:
    """Return a value for an error message: short, and without a password or a URL's query."""
    if isinstance(value, str):
        if "@" in value:
            return "one that may contain a password"
        if "://" in value:
            value = value.partition("?")[0]  # its query may contain a secret
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python converts to text
        return "an integer with thousands of digits"
    return text if len(text) <= 80 else f"a {type(value).__name__} of {len(text)} characters"
