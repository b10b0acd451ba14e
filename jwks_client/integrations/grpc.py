"""gRPC: interceptors for servers of `grpc.aio` and `grpc`.

    server = grpc.aio.server(
        interceptors=[
            AsyncAuthInterceptor(
                AsyncJWKSClient(providers.stytch("project-live-…")),
                scopes={"/shop.Orders/Cancel": "orders:write"},
                exclude=["/grpc.health.v1.Health/*"],
            )
        ]
    )

`current_token`, `requires` and ``token.require`` work inside methods. Must not depend on: what a
call requires, how a refusal is sent (`_grpc_rules`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Unpack

try:
    import grpc
    import grpc.aio
except ImportError as error:
    raise ImportError('gRPC is not installed: pip install "jwks-client-sdk[grpc]"') from error

from .. import VerifiedToken
from ..protocols import AsyncVerifier, Verifier
from ._grpc_handlers import behavior_of, in_tasks, in_threads, is_async
from ._grpc_rules import Call, CallSettings, Rules

__all__ = ["AsyncAuthInterceptor", "AuthInterceptor"]


class AsyncAuthInterceptor(grpc.aio.ServerInterceptor):
    """Admits calls with a valid token to the methods of a `grpc.aio` server.

    The status of a refusal is UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE. Its details are
    the error's ``code``, and its trailing metadata contains the challenge (``www-authenticate``)
    and ``retry-after``. A refusal that a method raises is answered in the same way.

    Arguments:
        client: an `AsyncJWKSClient`.
        settings: ``scopes``, which maps ``"/package.Service/Method"`` (``"/package.Service/*"`` for
            all other methods of a service) to scopes or to a `Requirement`; ``exclude`` and
            ``optional``, which name methods in the same way; ``locations`` (headers), ``realm`` and
            ``resource_metadata``, as in `JWKSMiddleware`.

    Raises ConfigurationError naming the setting.
    """

    def __init__(self, client: AsyncVerifier, **settings: Unpack[CallSettings]) -> None:
        self._rules = Rules(client, asynchronous=True, settings=settings)

    async def intercept_service(
        self, continuation: Callable[..., Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Return the handler of a call, wrapped so that it checks the credentials first."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or self._rules.excludes(method):
            return handler
        if is_async(behavior_of(handler)):
            return in_tasks(handler, method, self._rules, self._admit)
        loop = asyncio.get_running_loop()

        def admit(call: Call) -> VerifiedToken | None:  # grpc.aio runs it in a thread
            return asyncio.run_coroutine_threadsafe(self._admit(call), loop).result()

        return in_threads(handler, method, self._rules, admit)

    async def _admit(self, call: Call) -> VerifiedToken | None:
        raw = self._rules.read(call)
        return self._rules.check(call, None if raw is None else await self._rules.verify(raw))


class AuthInterceptor(grpc.ServerInterceptor):
    """The counterpart of `AsyncAuthInterceptor` for a server of `grpc`, with a `JWKSClient`."""

    def __init__(self, client: Verifier, **settings: Unpack[CallSettings]) -> None:
        self._rules = Rules(client, asynchronous=False, settings=settings)

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        """Return the handler of a call, wrapped so that it checks the credentials first."""
        method = handler_call_details.method
        handler = continuation(handler_call_details)
        if handler is None or self._rules.excludes(method):
            return handler
        return in_threads(handler, method, self._rules, self._admit)

    def _admit(self, call: Call) -> VerifiedToken | None:
        raw = self._rules.read(call)
        return self._rules.check(call, None if raw is None else self._rules.verify(raw))
