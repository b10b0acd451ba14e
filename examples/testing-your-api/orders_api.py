"""Orders: an API whose users can read their orders, and place one if they have the scope.

    uvicorn orders_api:app

The provider is named once. `create_app` receives the client as an argument, so that a test can pass
another client. The API needs nothing else for its tests.
"""

from __future__ import annotations

from jwks_client import AsyncJWKSClient, providers
from jwks_client.asgi import JWKSMiddleware, get_token
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PROVIDER = providers.auth0("acme.eu.auth0.com", audience="https://orders.example.com")


def create_app(client: AsyncJWKSClient) -> JWKSMiddleware:
    """Return the app; every path except /health needs a token that ``client`` accepts."""
    routes = [
        Route("/health", health),
        Route("/orders", read_orders),
        Route("/orders", place_order, methods=["POST"]),
    ]
    return JWKSMiddleware(Starlette(routes=routes), client, exclude=("/health",))


async def health(request: Request) -> JSONResponse:
    """Answer a liveness probe."""
    return JSONResponse({"status": "up"})


async def read_orders(request: Request) -> JSONResponse:
    """Show the caller's orders."""
    token = get_token(request)
    assert token is not None  # the middleware has verified it
    return JSONResponse({"orders_of": token.subject})


async def place_order(request: Request) -> JSONResponse:
    """Place an order, which requires a scope; without it, the error becomes a 403."""
    token = get_token(request)
    assert token is not None
    token.require("orders:write")
    return JSONResponse({"ordered_by": token.subject}, status_code=201)


app = create_app(AsyncJWKSClient(PROVIDER))
