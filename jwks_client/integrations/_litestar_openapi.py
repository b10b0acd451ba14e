"""Describe the locations of a token as security schemes of Litestar's OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from litestar.openapi.spec import SecurityScheme

from .._core.locations import Cookie, Header, Location

__all__ = ["documented"]


def documented(
    locations: Collection[Location], openid_connect_url: str | None
) -> dict[str, SecurityScheme]:
    """Return a scheme for each location, by name; OpenAPI has none for WebSockets."""
    schemes: dict[str, SecurityScheme] = {}
    for one in locations:
        match one:
            case Header(scheme=None) | Cookie():
                kind: Literal["cookie", "header"] = (
                    "cookie" if isinstance(one, Cookie) else "header"
                )
                name = f"{kind}-{re.sub(r'[^A-Za-z0-9.-]', '_', one.name)}"
                schemes[name] = SecurityScheme(
                    type="apiKey", name=one.name, security_scheme_in=kind
                )
            case Header():
                schemes["bearer"] = SecurityScheme(
                    type="http", scheme="Bearer", bearer_format="JWT"
                )
            case _:
                pass
    if openid_connect_url is not None:
        schemes["openid"] = SecurityScheme(
            type="openIdConnect", open_id_connect_url=openid_connect_url
        )
    return schemes
