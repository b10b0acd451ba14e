"""What came in with a request, and the refusal of it.

Owns: bodies, forms and what a caller says it takes, each within limits. May not know: who may ask,
and for what.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from .responses import Message, Receive, header_values

__all__ = ["FORM", "Refused", "media_type_of", "prefers_text", "read_body", "read_form"]

FORM: Final = "application/x-www-form-urlencoded"
_MOST_BYTES: Final = 64 * 1024
_MOST_FIELDS: Final = 100


class Refused(Exception):
    """A request that is not carried out: becomes a problem (RFC 9457).

    Arguments:
        status: of HTTP.
        code: a stable word for programs.
        detail: one line for people.
        allow: the methods that are answered, where the status is 405.
    """

    def __init__(self, status: int, code: str, detail: str, allow: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.allow = allow


def media_type_of(scope: Message) -> str | None:
    """What the body is said to be, in lower case and without parameters; None unless said once."""
    match header_values(scope["headers"], "content-type"):
        case [one]:
            return one.partition(";")[0].strip().lower()
        case _:
            return None


def prefers_text(scope: Message) -> bool:
    """Whether plain text is named and preferred to JSON (RFC 9110, section 12.5.1)."""
    weights: dict[str, float] = {}
    for part in ",".join(header_values(scope["headers"], "accept")).split(","):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        weights[kind] = _weight(parameters)
    return weights.get("text/plain", 0.0) > weights.get("application/json", 0.0)


def _weight(parameters: list[str]) -> float:
    for one in parameters:
        if one.startswith("q="):
            try:
                return float(one.removeprefix("q="))
            except ValueError:
                return 0.0
    return 1.0


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises Refused where it is over 64 KiB, or its sender went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "gone", "the caller went away")
        body += message.get("body", b"")
        if len(body) > _MOST_BYTES:
            raise Refused(413, "too_large", f"a body has at most {_MOST_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def read_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a form, in order, each with all its values; a malformed one is a ValueError."""
    fields: dict[str, list[str]] = {}
    pairs = parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
