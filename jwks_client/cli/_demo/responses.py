"""JSON responses and problems (RFC 9457) over plain ASGI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..._web.asgi_scope import Send

__all__ = ["answer", "answer_problem", "header_values"]


def header_values(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    """Return all values of a header; ``name`` must be in lower case, as in ASGI."""
    encoded = name.encode("ascii")
    return [value.decode("latin-1") for key, value in headers if key == encoded]


async def answer(
    send: Send,
    content: Mapping[str, object],
    *,
    status: int = 200,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a whole JSON response that no cache stores."""
    body = json.dumps(content).encode("ascii")
    named = {
        "content-type": media_type,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **(headers or {}),
    }
    encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(
    send: Send,
    status: int,
    code: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a problem (RFC 9457) with a stable ``code`` for programs and a ``detail`` for people."""
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
    }
    if detail is not None:
        problem["detail"] = detail
    await answer(
        send, problem, status=status, media_type="application/problem+json", headers=headers
    )
