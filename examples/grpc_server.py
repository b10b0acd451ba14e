"""Protect a gRPC server: an interceptor for all methods, scopes for some of them.

Shows methods for probes that need no token, a method for every authenticated caller, one that
requires a scope, and a stream. The messages are JSON, so that the example needs no generated code;
the interceptor never reads them.

    pip install "jwks-client-sdk[grpc]"
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/grpc_server.py

Settings: OIDC_ISSUER, OIDC_AUDIENCE and PORT (0: any free one). As it stands it works with the
provider that ``jwks-client serve`` runs on this machine. The token comes in the metadata of each
call, as ``authorization: Bearer …``.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from jwks_client import AsyncJWKSClient, KeysUnavailableError, providers
from jwks_client.asgi import current_token
from jwks_client.integrations.grpc import AsyncAuthInterceptor


def caller() -> str | None:
    """Return the caller's subject."""
    token = current_token()
    return None if token is None else token.subject


async def load(client: AsyncJWKSClient) -> None:
    """Load the keys, and retry until they are loaded: the provider may be down at startup."""
    while not client.ready:
        try:
            await client.warm_up()
        except KeysUnavailableError as error:
            print(f"keys not loaded yet: {error}", file=sys.stderr)
            await asyncio.sleep(error.retry_after or 1)


async def check(_request: Any, _context: Any) -> dict[str, Any]:
    """Answer a liveness probe: the method is excluded."""
    return {"status": "SERVING"}


async def who_am_i(_request: Any, _context: Any) -> dict[str, Any]:
    """Answer every caller with a valid token."""
    return {"sub": caller()}


async def cancel(request: Any, _context: Any) -> dict[str, Any]:
    """Cancel an order, for callers with the scope ``orders:write``."""
    return {"cancelled": request["order"], "by": caller()}


async def watch(_request: Any, _context: Any) -> AsyncIterator[dict[str, Any]]:
    """Send the caller's orders as they arrive."""
    for number in (1, 2):
        yield {"order": number, "of": caller()}


def make_server(client: AsyncJWKSClient) -> grpc.aio.Server:
    """Return the server, not yet started."""

    async def ready(_request: Any, _context: Any) -> dict[str, Any]:
        """Answer a readiness probe: not serving until the keys are loaded."""
        return {"status": "SERVING" if client.ready else "NOT_SERVING"}

    as_json: dict[str, Any] = {
        "request_deserializer": json.loads,
        "response_serializer": lambda message: json.dumps(message).encode(),
    }
    orders = grpc.method_handlers_generic_handler(
        "shop.Orders",
        {
            "Check": grpc.unary_unary_rpc_method_handler(check, **as_json),
            "Ready": grpc.unary_unary_rpc_method_handler(ready, **as_json),
            "WhoAmI": grpc.unary_unary_rpc_method_handler(who_am_i, **as_json),
            "Cancel": grpc.unary_unary_rpc_method_handler(cancel, **as_json),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, **as_json),
        },
    )
    protect = AsyncAuthInterceptor(
        client,
        scopes={"/shop.Orders/Cancel": "orders:write"},
        exclude=["/shop.Orders/Check", "/shop.Orders/Ready"],
    )
    return grpc.aio.server(handlers=[orders], interceptors=[protect])


async def serve() -> None:
    """Serve on loopback until the task is cancelled."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    async with AsyncJWKSClient(provider) as client:
        server = make_server(client)
        port = server.add_insecure_port(f"127.0.0.1:{os.environ.get('PORT', '50051')}")
        await server.start()
        loading = asyncio.create_task(load(client))
        print(f"gRPC is running on http://127.0.0.1:{port}", file=sys.stderr, flush=True)
        try:
            await server.wait_for_termination()
        finally:
            loading.cancel()
            await server.stop(1)


def main() -> int:
    """Serve until Ctrl-C."""
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
