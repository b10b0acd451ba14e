"""Requests to the development provider without a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx

from jwks_client.cli._serve.app import DevelopmentProvider, development_app

BASE_URL = "http://127.0.0.1:8400"


class Asker:
    """A sender of requests to one provider, with the arguments of httpx.

    Attributes:
        idp: the provider.
        app: the whole app around it.
    """

    def __init__(self, *, beyond_loopback: bool = False, base_url: str = BASE_URL, **options: Any):
        self.idp = DevelopmentProvider(base_url, **{"algorithm": "ES256", **options})
        self.app = development_app(self.idp, beyond_loopback=beyond_loopback)
        self._base_url = base_url

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as http:
                return await http.request(method, path, **options)

        return asyncio.run(asked())


def part(token: str, number: int) -> dict[str, Any]:
    """Return the header (0) or the claims (1) of a token, unverified."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[number] + "=="))
