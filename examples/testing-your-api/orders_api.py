"""Orders: an API that lets its users read their orders, and those who may, place one.

    uvicorn orders_api:app

The provider is named once. Whoever makes the app hands in the client, so that a test can hand in
another; that is all the API does for its tests.
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
    """Make the app; each request but those to /health needs a token that ``client`` accepts."""
    routes = [
        Route("/health", health),
        Route("/orders", read_orders),
        Route("/orders", place_order, methods=["POST"]),
    ]
    return JWKSMiddleware(Starlette(routes=routes), client, exclude=("/health",))


async def health(request: Request) -> JSONResponse:
    """Say that the process lives."""
    return JSONResponse({"status": "up"})


async def read_orders(request: Request) -> JSONResponse:
    """Show the orders of whoever asks."""
    token = get_token(request)
    return JSONResponse({"orders_of": token.subject})


async def place_order(request: Request) -> JSONResponse:
    """Place an order, which takes a scope: the error of one who lacks it becomes a 403."""
    token = get_token(request).require("orders:write")
    return JSONResponse({"ordered_by": token.subject}, status_code=201)


app = create_app(AsyncJWKSClient(PROVIDER))
