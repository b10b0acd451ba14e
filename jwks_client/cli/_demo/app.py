"""The API of the demo: a Starlette app, and the code that protects it.

``GET /orders`` requires a token with the scope ``orders:read``; ``GET /health`` is public. Run as
``python -m jwks_client.cli._demo.app ISSUER [LIFETIME]``; it prints its base URL first. LIFETIME is
the lifetime of keys in seconds; a short one saves the demo from waiting.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from time import perf_counter_ns
from typing import TYPE_CHECKING

import click
from starlette.applications import Starlette
from starlette.routing import Route

from ... import AsyncJWKSClient, CachePolicy, JWKSError, providers
from ..._web.starlette_handlers import response_of
from ...events import Event
from ...integrations import Guard, UnverifiedRequest
from .._serve.answers import Json
from .._serve.server import base_url_of, listen, run
from . import AUDIENCE, SCOPE

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def demo_api(issuer: str, lifetime: float | None = None) -> Starlette:
    """Return the API.

    `JWKSMiddleware` would protect it in one line; with a `Guard`, it can measure the verification.

    Arguments:
        issuer: the URL of the accepted issuer.
        lifetime: the lifetime of keys in seconds; None for the default.
    """
    events: Counter[str] = Counter()

    def count(event: Event) -> None:
        events[type(event).__name__] += 1

    policy = CachePolicy()
    if lifetime is not None:
        policy = CachePolicy(
            ttl=lifetime, min_ttl=lifetime, max_ttl=lifetime, failure_backoff=(0.5, 1)
        )
    provider = providers.oidc(issuer, audience=AUDIENCE, algorithms=("RS256",))
    client = AsyncJWKSClient(provider, cache=policy, listeners=[count])
    guard = Guard(client, asynchronous=True)

    async def orders(request: Request) -> Response:
        unverified = UnverifiedRequest.of(request.scope)
        try:
            raw = guard.read(unverified)
            assert raw is not None  # noqa: S101 (no request may be anonymous)
            began = perf_counter_ns()
            token = await client.verify(raw)
            millis = (perf_counter_ns() - began) / 1_000_000
            token.require(SCOPE)
        except JWKSError as error:
            return response_of(guard.refuse(error, unverified, request.url.path))
        content = {
            "subject": token.subject,
            "kid": token.key_id,
            "keys": client.health()[provider.name].state,
        }
        return Json(content, headers={"server-timing": f"verify;dur={millis:.4f}"})

    async def health(_: Request) -> Response:
        return Json({"keys": asdict(client.health()[provider.name]), "events": dict(events)})

    @asynccontextmanager
    async def live(_: Starlette) -> AsyncGenerator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/orders", orders), Route("/health", health)], lifespan=live)


def main() -> None:
    """Serve the API until a signal, or until standard input ends."""
    issuer, *lifetime = sys.argv[1:]
    with listen(0) as listener:
        app = demo_api(issuer, float(lifetime[0]) if lifetime else None)
        base_url = base_url_of(listener)
        run(app, listener, announce=lambda: click.echo(base_url), until_stdin_ends=True)


if __name__ == "__main__":
    main()
