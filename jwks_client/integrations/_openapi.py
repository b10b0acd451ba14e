"""OpenAPI security schemes for the locations of a token (OpenAPI 3.1).

Schemes are documentation only; they have no effect at run time. Must not depend on: frameworks.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, TypeAlias

from .._core.locations import Cookie, Header, Location

__all__ = ["SchemeObject", "scheme_objects"]

# The members of a security scheme object.
SchemeObject: TypeAlias = dict[str, Any]


def scheme_objects(
    locations: Collection[Location], openid_connect_url: str | None = None
) -> dict[str, SchemeObject]:
    """Return the schemes of the locations by name; OpenAPI cannot describe those of WebSockets."""
    found: dict[str, SchemeObject] = {}
    for one in locations:
        match one:
            case Header(scheme=None) | Cookie():
                kind = "cookie" if isinstance(one, Cookie) else "header"
                name = f"{kind}-{re.sub(r'[^A-Za-z0-9.-]', '_', one.name)}"
                found[name] = {"type": "apiKey", "in": kind, "name": one.name}
            case Header():
                found["bearer"] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            case _:
                pass
    if openid_connect_url is not None:
        found["openid"] = {"type": "openIdConnect", "openIdConnectUrl": openid_connect_url}
    return found
