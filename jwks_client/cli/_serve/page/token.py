"""A token as HTML: its three parts, what they say, and how long it is good.

Owns: how decoded JSON is coloured and times are told. May not know: the page around it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from .form import Issued
from .markup import Markup, fill, joined

__all__ = ["decoded", "token_parts", "validity"]

_MEMBER: Final = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(: .*)')
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def token_parts(token: str) -> Markup:
    """The three parts, each in the colour of what it says."""
    header, claims, signature = token.split(".")
    return fill(
        '<span class="t-head">{header}</span>.<span class="t-body">{claims}</span>.'
        '<span class="t-sign">{signature}</span>',
        header=header,
        claims=claims,
        signature=signature,
    )


def decoded(text: str) -> Markup:
    """JSON of several lines, with its member names marked: no string goes over a line's end."""
    return joined(_line(line) for line in text.splitlines())


def _line(line: str) -> Markup:
    if (member := _MEMBER.fullmatch(line)) is None:
        return fill("{line}\n", line=line)
    indent, name, rest = member.groups()
    return fill("{indent}<b>{name}</b>{rest}\n", indent=indent, name=name, rest=rest)


def validity(issued: Issued) -> str:
    """How long the token is good, in words."""
    if issued.expires_at is None:
        return "Issued. It never expires."
    if issued.issued_at is None:
        return f"Issued. Good until {_instant(issued.expires_at)}."
    life = issued.expires_at - issued.issued_at
    if life <= 0:
        return "Issued, and expired already: for testing refusals."
    return f"Issued. Good for {_duration(life)}, until {_instant(issued.expires_at)}."


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds:g} seconds"


def _instant(at: float) -> str:
    try:
        return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return f"second {at:g}"
