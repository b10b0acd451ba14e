"""Read the form of the page, and report which field is wrong.

Must not depend on HTML or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from .issued import Issued
from .orders import Order, OrderError, fill, read_order
from .provider import DevelopmentProvider

__all__ = ["FieldError", "Form"]

_SECONDS: Final = re.compile(r"-?[0-9]{1,12}")


class FieldError(ValueError):
    """A field that cannot be used, with the reason for people."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields as they were typed; an empty field omits its claim.

    Attributes:
        audience: one, or several separated by spaces.
        claims: a JSON object, which overrides the other fields; null omits a claim.
    """

    sub: str = ""
    scope: str = ""
    audience: str = ""
    expires_in: str = ""
    claims: str = ""

    @classmethod
    def usual(cls, idp: DevelopmentProvider) -> Self:
        """Return the initial fields."""
        return cls(
            sub=idp.subject, audience=" ".join(idp.audiences), expires_in=str(idp.expires_in)
        )

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Read a submitted form, in which a missing field is empty."""
        return cls(**{one.name: values.get(one.name, "") for one in fields(cls)})

    def order(self, idp: DevelopmentProvider) -> Order:
        """Return what differs from the default token. Raises FieldError."""
        order: Order = {"sub": self.sub or None}
        if self.scope:
            order["scope"] = self.scope
        audience = self.audience.split()
        if audience != list(idp.audiences):
            order["aud"] = audience[0] if len(audience) == 1 else audience or None
        if self.expires_in.strip() != str(idp.expires_in):
            order["expires_in"] = _seconds(self.expires_in.strip())
        try:
            return order | read_order(self.claims)
        except OrderError as error:
            raise FieldError("claims", f"This {error}.") from None

    def issue(self, idp: DevelopmentProvider) -> Issued:
        """Issue the token, which takes milliseconds. Raises FieldError."""
        order = self.order(idp)
        try:
            return Issued.make(idp, fill(idp, order, idp.expires_in), order)
        except (OrderError, RecursionError):
            raise FieldError("claims", "This is nested too deeply.") from None


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not _SECONDS.fullmatch(text):
        raise FieldError("expires_in", "A whole number of seconds, such as 3600.")
    return int(text)
