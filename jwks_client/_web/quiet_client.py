"""Wrap a client for a guard, so that a refusal is logged once.

Must not depend on: requests, frameworks, what a guard logs.

Otherwise a client with a `LoggingListener` would log a refusal up to three times: the client's
event, the guard's event, and the guard's own record. Only the last one names the request.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from .._client.access import emit, is_asynchronous
from ..events import Event, logged_elsewhere
from ..protocols import AsyncVerifier, Verifier

__all__ = ["quiet"]

ClientT = TypeVar("ClientT", bound=Verifier | AsyncVerifier)


def quiet(client: ClientT) -> ClientT:
    """Return the client, wrapped if it has listeners, so that `LoggingListener` skips refusals."""
    if not getattr(client, "_listeners", ()):
        return client
    view = _AsyncView if is_asynchronous(client) else _View
    return cast("ClientT", view(client))


class _View:
    __slots__ = ("_client",)

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _emit(self, event: Event) -> None:
        with logged_elsewhere():
            emit(self._client, event)

    def verify(self, token: str, **more: Any) -> Any:
        with logged_elsewhere():
            return self._client.verify(token, **more)


class _AsyncView(_View):
    __slots__ = ()

    async def verify(self, token: str, **more: Any) -> Any:
        with logged_elsewhere():
            return await self._client.verify(token, **more)
