"""Describe the locations of a token in FastAPI's OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection

from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security.base import SecurityBase

from .._core.locations import Location
from ._openapi import SchemeObject, scheme_objects

__all__ = ["schemes"]


class Scheme(SecurityBase):
    """A dependency that has no effect outside the document."""

    def __init__(self, name: str, scheme: SchemeObject) -> None:
        self.scheme_name = name
        self.model = SecurityModel(**scheme)

    async def __call__(self) -> None:
        return None


def schemes(
    locations: Collection[Location], openid_connect_url: str | None, prefix: str
) -> list[Scheme]:
    """Return a dependency for each scheme, whose name begins with ``prefix``."""
    named = scheme_objects(locations, openid_connect_url)
    return [Scheme(prefix + name, scheme) for name, scheme in named.items()]
