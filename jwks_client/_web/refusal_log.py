"""Log refused requests: at most one record for each refusal, in every configuration.

Must not depend on: servers, frameworks, answers.

A flood is limited to a burst of ten records, then one per second. The next record says how many
were omitted. If a setting is the likely cause, the record says what to do.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable
from typing import Final

from .._core.credentials.request import UnverifiedRequest
from ..events import FloodLimit, RequestRefused
from .preflight import is_preflight

__all__ = ["RefusalLog"]

_log = logging.getLogger("jwks_client.requests")
_PREFLIGHT: Final = (
    "a CORS preflight was refused, because it carries no credentials: put the CORS middleware "
    "outside JWKSMiddleware, so that it answers preflights first (further ones are logged at INFO)"
)
_CROSS_SITE: Final = (
    "if the request came from a page of yours, name its origin in trusted_origins; if a proxy "
    "runs in front of the server, let the server trust its forwarded headers (uvicorn: "
    "--proxy-headers and --forwarded-allow-ips), or it sees the wrong scheme and host"
)
_preflights = itertools.count()  # refused in this process; next() is atomic


class RefusalLog:
    """Writes refusals to the logger ``jwks_client.requests``.

    Arguments:
        monotonic: returns monotonic seconds, for the limit.
    """

    __slots__ = ("_limit",)

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._limit = FloodLimit(monotonic)

    def write(
        self,
        event: RequestRefused,
        request: UnverifiedRequest,
        *,
        problem: str | None = None,
        raised: BaseException | None = None,
    ) -> None:
        """Log one refusal.

        Arguments:
            event: the refusal.
            request: the request that was refused.
            problem: what went wrong in the application's ``on_error``, if anything.
            raised: the exception that ``on_error`` raised.
        """
        level, hint = logging.INFO, problem
        suppressed: int | None = None
        if problem is not None:
            level = logging.ERROR
        elif event.code == "cross_site_cookie":
            hint = _CROSS_SITE
        elif (
            event.code == "missing_credentials" and is_preflight(request) and next(_preflights) == 0
        ):
            level, hint, suppressed = logging.WARNING, _PREFLIGHT, 0
        if not _log.isEnabledFor(level):
            return
        if suppressed is None:
            suppressed = self._limit.take()
            if suppressed is None:
                return
        fields = {"event": "RequestRefused", **dataclasses.asdict(event), "suppressed": suppressed}
        text = " ".join(f"{name}={value!r}" for name, value in list(fields.items())[1:-1])
        left_out = f" ({suppressed} more were left out)" if suppressed else ""
        _log.log(
            level,
            "RequestRefused %s%s%s",
            text,
            left_out,
            "" if hint is None else f": {hint}",
            extra={f"jwks_{name}": value for name, value in fields.items()},
            exc_info=raised,
        )
