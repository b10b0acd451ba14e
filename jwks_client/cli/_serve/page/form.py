"""The form of the page: from its fields to an order, and to what came of that.

Owns: what each field means, and which of them is wrong. May not know: HTML, HTTP.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from ...._core.unchecked import Unchecked, UncheckedType
from ..orders import Order, OrderError, fill, read_order
from ..provider import DevelopmentProvider

__all__ = ["FieldError", "Form", "Issued"]

_SECONDS: Final = re.compile(r"-?[0-9]{1,12}")


class FieldError(ValueError):
    """A field that cannot be understood.

    Arguments:
        field: its name.
        text: what is wrong with it, for people.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What stands in the fields, as it was typed; an empty one leaves its claim out.

    Attributes:
        audience: one, or several with blanks between them.
        claims: a JSON object; it wins over the other fields, and its null leaves a claim out.
    """

    sub: str = ""
    scope: str = ""
    audience: str = ""
    expires_in: str = ""
    claims: str = ""

    @classmethod
    def usual(cls, idp: DevelopmentProvider) -> Self:
        """What stands there before anything is typed."""
        return cls(sub="u1", audience=_words(idp.audience), expires_in=str(idp.expires_in))

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """From a form that was sent; a field that is missing is an empty one."""
        return cls(**{one.name: values.get(one.name, "") for one in fields(cls)})

    def order(self, idp: DevelopmentProvider) -> Order:
        """What to issue: only what differs from the usual. Raises FieldError."""
        order: Order = {"sub": self.sub or None}
        if self.scope:
            order["scope"] = self.scope
        audience = self.audience.split()
        if audience != _words(idp.audience).split():
            order["aud"] = audience[0] if len(audience) == 1 else audience or None
        if self.expires_in.strip() != str(idp.expires_in):
            order["expires_in"] = _seconds(self.expires_in.strip())
        try:
            return order | read_order(self.claims)
        except OrderError as error:
            raise FieldError("claims", f"This {error}.") from None

    def issue(self, idp: DevelopmentProvider) -> Issued:
        """Have it issued; it takes milliseconds of computing. Raises FieldError."""
        order = self.order(idp)
        try:
            return Issued.read(fill(idp, order, idp.expires_in), order)
        except (OrderError, RecursionError):
            raise FieldError("claims", "This is nested too deep.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token as it is shown.

    Attributes:
        header, claims: decoded, as JSON of several lines.
        issued_at, expires_at: in seconds, where they are numbers.
        order: what was asked for.
    """

    token: str
    header: str
    claims: str
    issued_at: float | None
    expires_at: float | None
    order: Order

    @classmethod
    def read(cls, token: str, order: Order) -> Self:
        """From the provider's own token; nothing is verified."""
        header, claims = (_decode(part) for part in token.split(".")[:2])
        return cls(
            token=token,
            header=_pretty(header),
            claims=_pretty(claims),
            issued_at=_number(claims.get("iat")),
            expires_at=_number(claims.get("exp")),
            order=order,
        )


def _words(audience: str | tuple[str, ...] | Unchecked) -> str:
    match audience:
        case UncheckedType.UNCHECKED:
            return ""
        case str():
            return audience
        case several:
            return " ".join(several)


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not _SECONDS.fullmatch(text):
        raise FieldError("expires_in", "A whole number of seconds, such as 3600.")
    return int(text)


def _decode(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{part}=="))
    return content


def _pretty(content: Mapping[str, object]) -> str:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    # What nobody sees, such as what turns the direction of text, is shown as JSON can say it.
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
