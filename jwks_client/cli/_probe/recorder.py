"""An HTTP client for a `JWKSClient` that remembers the last request and response.

`Recorder.describe` turns a KeysUnavailableError into one line that also says what to try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._client.http import lower_names, timed_out
from .._output import printable, waiting
from .prober import Prober
from .trouble import trouble_from_error, trouble_from_response

if TYPE_CHECKING:
    from ...errors import KeysUnavailableError

__all__ = ["Recorder"]


class Recorder:
    """The part of ``httpx.Client`` that a `JWKSClient` needs.

    Arguments:
        prober: provides the connections, limits and trust; its owner closes it.
    """

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._url = ""
        self._response: tuple[int, dict[str, str]] | None = None

    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """Build a request."""
        return self._prober.http.build_request(method, url, **options)

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request, and remember its URL and the response."""
        self._url, self._response = str(request.url), None
        with waiting(f"fetching {printable(self._url)}"):
            response = self._prober.http.send(request, **options)
        self._response = response.status_code, lower_names(response.headers)
        return response

    def describe(self, error: KeysUnavailableError) -> str:
        """Return one line that says what happened, where, and what to try."""
        cause = error.__cause__
        trouble = None
        if error.code == "fetch_timeout" or cause is not None:
            late = error.code == "fetch_timeout" or timed_out(cause or error)
            policy = self._prober.policy
            trouble = trouble_from_error(self._url, cause or error, late=late, policy=policy)
        elif self._response is not None:
            status, headers = self._response
            trouble = trouble_from_response(self._url, status, headers, None)
        if trouble is not None:
            return trouble.message
        where = f"{printable(self._url)}: " if self._url else ""
        return f"{where}{error.message}; jwks-client doctor explains more"
