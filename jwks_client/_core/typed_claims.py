"""Claims as a type of the application's: dataclass, TypedDict, msgspec or pydantic.

Owns: the conversion and its errors. May not know: how the claims were verified. msgspec and
pydantic are used where the type is theirs; a dataclass or TypedDict is filled by name, plain types
checked.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import (
    Any,
    NotRequired,
    Required,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ..errors import TokenError

T = TypeVar("T")


def convert(claims: dict[str, Any], kind: type[T]) -> T:
    """Fill ``kind`` from claims.

    Raises TokenError ``missing_claim`` or ``invalid_claim``; TypeError for any other type.
    """
    if hasattr(kind, "model_validate") or hasattr(kind, "__pydantic_validator__"):
        return _with_pydantic(claims, kind)
    if hasattr(kind, "__struct_fields__"):
        return _with_msgspec(claims, kind)
    if is_typeddict(kind):
        return cast("T", _filled(claims, *_members(kind)))
    if dataclasses.is_dataclass(kind):
        fields = [one for one in dataclasses.fields(kind) if one.init]
        hints = get_type_hints(kind)
        required = frozenset(
            one.name
            for one in fields
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        )
        return kind(**_filled(claims, {one.name: hints[one.name] for one in fields}, required))
    raise TypeError("claims_as takes a dataclass, a TypedDict, or a msgspec or pydantic type")


def _members(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The members of a TypedDict with their types, and which of them are required.

    Where annotations are text, ``__required_keys__`` has not seen Required and NotRequired.
    """
    marked = get_type_hints(kind, include_extras=True)
    origins = {name: get_origin(hint) for name, hint in marked.items()}
    required = {name for name in kind.__required_keys__ if origins[name] is not NotRequired}
    required |= {name for name, origin in origins.items() if origin is Required}
    return get_type_hints(kind), frozenset(required)


def _filled(
    claims: dict[str, Any], hints: dict[str, Any], required: frozenset[str]
) -> dict[str, Any]:
    for name in sorted(required):
        if name not in claims:
            raise TokenError("missing_claim", "the claims lack a member of the type", claim=name)
    found = {name: claims[name] for name in hints if name in claims}
    for name, value in found.items():
        if not _fits(value, hints[name]):
            raise TokenError("invalid_claim", "its value does not fit the type", claim=name)
    return found


def _fits(value: object, hint: Any) -> bool:
    """Whether a JSON value fits a type, as far as plain types, unions, lists and dicts say."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is list:
        return isinstance(value, list) and all(
            _fits(one, arguments[0]) for one in cast("list[object]", value)
        )
    if origin is dict:
        return isinstance(value, dict)
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, list, dict):
        return isinstance(value, hint)
    return True  # a type with meaning beyond JSON's: the application's own affair


def _with_pydantic(claims: dict[str, Any], kind: type[T]) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(claims)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]
        claim = str(where["loc"][0]) if where["loc"] else None
        missing = where["type"] == "missing"
    raise _misfit(claim, missing=missing)


def _with_msgspec(claims: dict[str, Any], kind: type[T]) -> T:
    msgspec: Any = sys.modules["msgspec"]  # a Struct exists, so it is imported
    try:
        return cast("T", msgspec.convert(claims, kind))
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
    raise _misfit(None, missing=missing)


def _misfit(claim: str | None, *, missing: bool) -> TokenError:
    # Raised outside the except block: an error that arose from a token's bytes has no cause or
    # context.
    return TokenError(
        "missing_claim" if missing else "invalid_claim",
        "the claims do not fit the type",
        claim=claim,
    )
