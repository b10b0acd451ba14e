"""Merge a factory's fields and the caller's options into one `Provider`.

The rule is the same for every factory. Must not depend on: any provider.

An option replaces the factory's field, with two exceptions. The fields ``required_claims``,
``forbidden_claims``, ``claim_values`` and ``checks`` distinguish kinds of token, so there an option
adds to the factory's rules and never drops one (an entry of ``claim_values`` replaces the entry of
the same name). And a provider has one key source, so an option that names one (``jwks_url``,
``discovery_url``, ``jwks``) replaces the factory's, even if the factory names another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Unpack, cast

from .._core.provider import Provider
from ._options import CommonOptions, ProviderOptions

__all__ = ["make"]

_ADDING: Final = ("required_claims", "forbidden_claims", "claim_values", "checks")
_SOURCES: Final = ("jwks_url", "discovery_url", "jwks")


def make(options: CommonOptions, **own: Unpack[ProviderOptions]) -> Provider:
    """Return the provider with a factory's fields and the caller's options.

    Arguments:
        options: the keywords that the caller gave in addition to the factory's parameters.
        own: the factory's fields, among them ``name``, ``issuer``, ``audience`` and a key source.

    Raises `ConfigurationError` naming the field.
    """
    fields = dict[str, Any](own)
    given = dict[str, Any](options)
    if any(given.get(name) is not None for name in _SOURCES):
        fields = {name: value for name, value in fields.items() if name not in _SOURCES}
    for name, value in given.items():
        if name in _SOURCES and value is None:
            continue
        fields[name] = _added(name, fields.get(name), value) if name in _ADDING else value
    return Provider(**fields)


def _added(name: str, mine: object, more: object) -> object:
    # Values of a wrong type stay unchanged, so that Provider rejects them and names the field.
    if name == "claim_values":
        if not isinstance(more, Mapping):
            return more
        named = cast("Mapping[object, object]", more)
        return {**cast("Mapping[object, object]", mine or {}), **named}
    if isinstance(more, (str, bytes)) or not isinstance(more, Collection):
        return more
    return (*cast("Collection[object]", mine or ()), *cast("Collection[object]", more))
