"""Describe the locations of a token as security schemes of Litestar's OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from litestar.openapi.spec import SecurityScheme

from .._core.locations import Location
from ._openapi import scheme_objects

__all__ = ["documented"]

# Litestar's names of the members that it renames.
_FIELDS: Final = {
    "in": "security_scheme_in",
    "bearerFormat": "bearer_format",
    "openIdConnectUrl": "open_id_connect_url",
}


def documented(
    locations: Collection[Location], openid_connect_url: str | None
) -> dict[str, SecurityScheme]:
    """Return a scheme for each location, by name; OpenAPI has none for WebSockets."""
    found: dict[str, SecurityScheme] = {}
    for name, scheme in scheme_objects(locations, openid_connect_url).items():
        fields = {_FIELDS.get(member, member): value for member, value in scheme.items()}
        if name == "bearer":
            fields["scheme"] = "Bearer"  # Litestar's own spelling
        found[name] = SecurityScheme(**fields)
    return found
