"""Describe `JWKSAuthentication` in the OpenAPI document of drf-spectacular.

`drf` imports this module if drf-spectacular is in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from .._client.access import locations_of
from .._core.locations import Cookie, Header
from ._django_setup import client_from_settings, options_from_settings

__all__ = ["JWKSScheme"]


class JWKSScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """One security scheme for each header and cookie that may carry a token."""

    target_class = "jwks_client.integrations.drf.JWKSAuthentication"
    match_subclasses = True

    @property
    def name(self) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the names of the schemes."""
        return [name for name, _ in _schemes()]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002 (the framework's)
        """Return the schemes, in the order of their names."""
        return [scheme for _, scheme in _schemes()]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:  # noqa: ARG002 (the framework's)
        """Return the schemes as alternatives."""
        return [{name: []} for name, _ in _schemes()]


def _schemes() -> Iterator[tuple[str, dict[str, str]]]:
    for one in options_from_settings().get("locations") or locations_of(client_from_settings()):
        match one:
            case Header(scheme=None) | Cookie():
                kind = "cookie" if isinstance(one, Cookie) else "header"
                named = re.sub(r"[^A-Za-z0-9.-]", "_", one.name)
                yield f"{kind}-{named}", {"type": "apiKey", "in": kind, "name": one.name}
            case Header():
                yield "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            case _:
                pass  # for WebSocket handshakes only
