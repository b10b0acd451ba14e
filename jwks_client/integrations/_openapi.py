"""What FastAPI's document says of where a token may stand (OpenAPI 3.1, security schemes).

Owns: a scheme for each place. May not know: tokens; a scheme does nothing when a request comes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from fastapi.openapi import models
from fastapi.security.base import SecurityBase

from .._core.locations import Cookie, Header, Location

__all__ = ["Scheme", "schemes"]


class Scheme(SecurityBase):
    """A security scheme: in the document, and nothing at run time."""

    def __init__(self, name: str, model: models.SecurityBase) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        return None


def schemes(
    locations: Collection[Location], openid_connect_url: str | None, prefix: str
) -> Iterator[Scheme]:
    """What the document says of where a token may stand; it knows no WebSockets."""
    for one in locations:
        match one:
            case Header(scheme=None) | Cookie():
                kind = "cookie" if isinstance(one, Cookie) else "header"
                members: dict[str, Any] = {"in": kind, "name": one.name}
                called = re.sub(r"[^A-Za-z0-9.-]", "_", one.name)
                yield Scheme(f"{prefix}{kind}-{called}", models.APIKey(**members))
            case Header():
                yield Scheme(f"{prefix}bearer", models.HTTPBearer(bearerFormat="JWT"))
            case _:
                pass
    if openid_connect_url is not None:
        model = models.OpenIdConnect(openIdConnectUrl=openid_connect_url)
        yield Scheme(f"{prefix}openid", model)
