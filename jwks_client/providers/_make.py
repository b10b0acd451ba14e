"""Merge a factory's own fields and the caller's options into one `Provider`.

The rule is the same for every factory. Must not depend on: any provider.

An option replaces the factory's field, with two exceptions. The fields ``required_claims``,
``forbidden_claims``, ``claim_values`` and ``checks`` tell kinds of token apart: there an option
adds, so that one more rule of the caller never drops the factory's own (an entry of
``claim_values`` replaces the one of its name). And there is one key source: an option that brings
one (``jwks_url``, ``discovery_url``, ``jwks``) takes the place of the factory's.
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
    """One provider of a factory's own fields and the caller's options.

    Arguments:
        options: what the caller gave beside the factory's parameters.
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
    # What is of the wrong type is left as it is, for Provider to refuse by the field's name.
    if name == "claim_values":
        if not isinstance(more, Mapping):
            return more
        named = cast("Mapping[object, object]", more)
        return {**cast("Mapping[object, object]", mine or {}), **named}
    if isinstance(more, (str, bytes)) or not isinstance(more, Collection):
        return more
    return (*cast("Collection[object]", mine or ()), *cast("Collection[object]", more))
