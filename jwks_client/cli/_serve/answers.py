"""JSON answers, problems (RFC 9457) and bounded request bodies of the development provider."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["FORM", "Json", "Refused", "media_type_of", "problem", "read_body", "read_form"]

FORM: Final = "application/x-www-form-urlencoded"
NO_STORE: Final = {"cache-control": "no-store"}
_MAX_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 100


class Json(JSONResponse):
    """An ASCII JSON answer that no cache stores."""

    def __init__(
        self, content: object, status_code: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {**NO_STORE, **(headers or {})})

    def render(self, content: object) -> bytes:
        """Return the body; ASCII, because JSON can hold a lone surrogate and UTF-8 cannot."""
        return json.dumps(content).encode("ascii")


class Refused(HTTPException):
    """A request that is refused, with a stable code for programs."""

    def __init__(self, status_code: int, code: str, detail: str) -> None:
        super().__init__(status_code, detail)
        self.code = code


def problem(error: HTTPException) -> Response:
    """Return the problem document for a refusal by this app or by Starlette (404, 405)."""
    status = HTTPStatus(error.status_code)
    content = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": error.code if isinstance(error, Refused) else status.name.lower(),
        "detail": error.detail,
    }
    headers = {**(error.headers or {}), "content-type": "application/problem+json"}
    return Json(content, status, headers)


def media_type_of(request: Request) -> str | None:
    """Return the media type in lower case and without parameters; None unless given once."""
    match request.headers.getlist("content-type"):
        case [value]:
            return value.partition(";")[0].strip().lower()
        case _:
            return None


async def read_body(request: Request) -> bytes:
    """Return the whole body; raise Refused if it is larger than 64 KiB."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise Refused(413, "too_large", f"a body must not be larger than {_MAX_BYTES} bytes")
    return bytes(body)


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return all values of each field, in order; raise ValueError for a malformed form."""
    fields: dict[str, list[str]] = {}
    text = (await read_body(request)).decode("ascii")
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
