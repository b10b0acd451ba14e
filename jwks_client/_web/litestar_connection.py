"""Recognize the connections of Litestar, and answer them in its own type.

Litestar is only imported when a response is needed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .._core.credentials.answers import Answer

if TYPE_CHECKING:
    from litestar import Response

__all__ = ["is_litestar", "litestar_response"]


def is_litestar(connection: object) -> bool:
    """Return whether an object is a request or a WebSocket of Litestar."""
    module: Any = sys.modules.get("litestar.connection")
    return module is not None and isinstance(connection, module.ASGIConnection)


def litestar_response(answer: Answer) -> Response[bytes]:
    """Return an answer as a response of Litestar."""
    from litestar import Response

    headers = dict(answer.text_headers)
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=headers.pop("content-type", None),
        headers=headers,
    )
