"""The HTTP client that a `JWKSClient` of a command is given, which remembers what came last.

Owns: turning a KeysUnavailableError into one line that names the address. The library's errors name
no host, because they may end up in answers; here a person asks who may know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._client.http import lower_names, timed_out
from .._output import printable
from .network import Asker, trouble_from, trouble_with

if TYPE_CHECKING:
    from ...errors import KeysUnavailableError

__all__ = ["Recorder"]


class Recorder:
    """What `JWKSClient` needs of an ``httpx.Client``.

    Arguments:
        asker: whose connections, limits and trust are used; it stays the caller's.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._url = ""
        self._answer: tuple[int, dict[str, str]] | None = None

    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """A request."""
        return self._asker.client(url).build_request(method, url, **options)

    def send(self, request: Any, **options: Any) -> Any:
        """Send it, and remember where it went and what came."""
        self._url, self._answer = str(request.url), None
        with self._asker.progress(f"asking {printable(self._url)}"):
            response = self._asker.client(self._url).send(request, **options)
        self._answer = response.status_code, lower_names(response.headers)
        return response

    def told(self, error: KeysUnavailableError) -> str:
        """What happened, where, and what to try."""
        cause = error.__cause__
        trouble = None
        if error.code == "fetch_timeout" or cause is not None:
            late = error.code == "fetch_timeout" or timed_out(cause or error)
            policy = self._asker.policy
            trouble = trouble_from(self._url, cause or error, late=late, policy=policy)
        elif self._answer is not None:
            status, headers = self._answer
            trouble = trouble_with(self._url, status, headers, None)
        if trouble is not None:
            return trouble.message
        where = f"{printable(self._url)}: " if self._url else ""
        return f"{where}{error.message}; jwks-client doctor says more"
