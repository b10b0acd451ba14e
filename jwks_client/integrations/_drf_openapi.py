"""Describe `JWKSAuthentication` in the OpenAPI document of drf-spectacular.

`drf` imports this module if drf-spectacular is in use.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from .._client.access import locations_of
from ._django_setup import client_from_settings, options_from_settings
from ._openapi import SchemeObject, scheme_objects

__all__ = ["JWKSScheme"]


class JWKSScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """One security scheme for each header and cookie that may carry a token."""

    target_class = "jwks_client.integrations.drf.JWKSAuthentication"
    match_subclasses = True

    @property
    def name(self) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the names of the schemes."""
        return list(_schemes())

    def get_security_definition(self, auto_schema: Any) -> list[SchemeObject]:  # noqa: ARG002 (the framework's)
        """Return the schemes, in the order of their names."""
        return list(_schemes().values())

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:  # noqa: ARG002 (the framework's)
        """Return the schemes as alternatives."""
        return [{name: []} for name in _schemes()]


def _schemes() -> dict[str, SchemeObject]:
    return scheme_objects(
        options_from_settings().get("locations") or locations_of(client_from_settings())
    )
