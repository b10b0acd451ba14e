"""An issued token for the page: decoded, described, and with forged variants."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from markupsafe import Markup

from ...testing._forge.forged_token import ForgedToken
from .._output import moment
from .orders import Order
from .provider import DevelopmentProvider

__all__ = ["Issued", "highlighted"]

_MEMBER: Final = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(: .*)')
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token and everything that the page shows about it.

    Attributes:
        header, claims: decoded, as JSON of several lines.
        is_expired: whether it was issued already expired.
        lifetime: one sentence on how long it is valid.
        order: the order for the token.
        forged: variants that must be refused, each with its error code.
    """

    token: str
    header: str
    claims: str
    is_expired: bool
    lifetime: str
    order: Order
    forged: tuple[ForgedToken, ...]

    @classmethod
    def make(cls, idp: DevelopmentProvider, token: str, order: Order) -> Self:
        """Describe a token of the provider, without verifying it."""
        header, claims = (_decode(part) for part in token.split(".")[:2])
        issued_at, expires_at = _number(claims.get("iat")), _number(claims.get("exp"))
        claims_asked = {name: order[name] for name in order.keys() - {"expires_in", "headers"}}
        return cls(
            token=token,
            header=_pretty(header),
            claims=_pretty(claims),
            lifetime=lifetime(issued_at, expires_at),
            is_expired=expires_at is not None and expires_at <= (issued_at or 0),
            order=order,
            forged=tuple(idp.forge.all(**claims_asked)),
        )


def lifetime(issued_at: float | None, expires_at: float | None) -> str:
    """Say in words how long a token is valid."""
    if expires_at is None:
        return "Issued. It never expires."
    if issued_at is None:
        return f"Issued. Valid until {moment(expires_at)}."
    seconds = expires_at - issued_at
    if seconds <= 0:
        return "Issued already expired, as you asked."
    return f"Issued. Valid for {_duration(seconds)}, until {moment(expires_at)}."


def highlighted(text: str) -> Markup:
    """Mark the member names of indented JSON, in which no string spans two lines."""
    return Markup("\n").join(_highlighted_line(line) for line in text.splitlines())


def _highlighted_line(line: str) -> str:
    if (member := _MEMBER.fullmatch(line)) is None:
        return line
    return Markup("{}<b>{}</b>{}").format(*member.groups())


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds:g} seconds"


def _decode(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{part}=="))
    return content


def _pretty(content: Mapping[str, object]) -> str:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    # Invisible characters, such as those that reverse text, are shown as JSON escapes.
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
