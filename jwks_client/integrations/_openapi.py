"""OpenAPI security schemes for the locations of a token (OpenAPI 3.1).

Schemes are documentation only; they have no effect at run time. Must not depend on: tokens.
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
    """A security scheme that has no effect outside the document."""

    def __init__(self, name: str, model: models.SecurityBase) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        return None


def schemes(
    locations: Collection[Location], openid_connect_url: str | None, prefix: str
) -> Iterator[Scheme]:
    """Return the schemes of the locations; OpenAPI cannot describe WebSockets."""
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
