"""The keywords that factories accept in addition to their own parameters, for type checkers.

Must not depend on: any provider, or how options are merged (`_make.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypedDict

from .._core.locations import Location
from .._core.provider import Check, IssuerTemplate, RequestHeaders, ScopeClaim
from .._core.unchecked import Unchecked


# The unpacked keywords must not repeat a factory's own parameter (PEP 692), so the options form a
# chain: each class adds a field that is a parameter of some other factories.
class CommonOptions(TypedDict, total=False):
    """Fields of `Provider` that are not a parameter of any factory."""

    name: str
    discovery_url: str | None
    jwks: Mapping[str, Any] | str | bytes | None
    token_types: Collection[str | None]
    required_claims: Collection[str]
    claim_values: Mapping[str, Any]
    forbidden_claims: Collection[str]
    leeway: float
    require_expiry: bool
    bound_tokens: Literal["refuse", "checked_elsewhere"]
    checks: Collection[Check]
    locations: Collection[Location]
    scope_claim: ScopeClaim | None
    required_at_start: bool
    headers: RequestHeaders | None
    allow_http: bool
    store_scope: str | None


class OptionsExceptMaxAge(CommonOptions, total=False):
    """Options of a factory with max_age as its own parameter."""

    jwks_url: str | None
    algorithms: Collection[str]
    issuer: str | tuple[str, ...] | IssuerTemplate | Unchecked
    audience: str | tuple[str, ...] | Unchecked


class OptionsExceptUrl(CommonOptions, total=False):
    """Options of a factory with the URL, issuer, audience and algorithms as its own parameters."""

    max_age: float | None


class OptionsExceptAlgorithms(OptionsExceptUrl, total=False):
    """Options of a factory with issuer, audience and algorithms as its own parameters."""

    jwks_url: str | None


class OptionsExceptIssuer(OptionsExceptAlgorithms, total=False):
    """Options of a factory with issuer and audience as its own parameters."""

    algorithms: Collection[str]


class OptionsExceptAudience(OptionsExceptIssuer, total=False):
    """Options of a factory with the audience as its own parameter."""

    issuer: str | tuple[str, ...] | IssuerTemplate | Unchecked


class ProviderOptions(OptionsExceptAudience, total=False):
    """Any field of `Provider`."""

    audience: str | tuple[str, ...] | Unchecked
