"""Convert claims to a type of the application: dataclass, TypedDict, msgspec or pydantic.

Must not depend on: how the claims were verified. msgspec and pydantic convert their own types. A
dataclass or TypedDict is filled by name, and its members, nested ones too, are read as JSON types
(RFC 8259). JSON has no dates or enumerations, so these need msgspec or pydantic: returning them
unconverted would contradict the type.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import re
import sys
import types
from collections.abc import Callable
from typing import (
    Any,
    Final,
    Literal,
    NewType,
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

from ...errors import TokenError

T = TypeVar("T")

# The types that a JSON list, or a JSON object, may become.
_FROM_LIST: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    **dict.fromkeys(
        (collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable), list
    ),
}
_FROM_OBJECT: Final = frozenset({dict, collections.abc.Mapping})
# msgspec names a member only in its message: Expected `str`, got `int` - at `$.org`.
_MSGSPEC_PATH: Final = re.compile(r"at `\$\.([^.\[`]+)")
_MSGSPEC_MISSING: Final = re.compile("missing required field `([^`]+)`")


class _Misfit(Exception):
    """Claims that do not fit a type, or a value that does not."""

    def __init__(self, message: str, *, claim: str | None = None, missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.claim = claim
        self.missing = missing


def convert(claims: dict[str, Any], kind: type[T]) -> T:
    """Fill ``kind`` from claims.

    Raises TokenError ``missing_claim`` or ``invalid_claim``; TypeError for any other type.
    """
    if not _has_members(kind):
        raise TypeError(
            f"kind must be a dataclass, a TypedDict, or a msgspec or pydantic type, got {kind!r}"
        )
    try:
        return cast("T", _made(claims, kind))
    except _Misfit as raised:
        misfit = raised
    # Outside the except block: an error that a token's bytes caused has no cause or context.
    raise TokenError(
        "missing_claim" if misfit.missing else "invalid_claim", misfit.message, claim=misfit.claim
    )


def _is_pydantic(kind: Any) -> bool:
    return hasattr(kind, "model_validate") or hasattr(kind, "__pydantic_validator__")


def _has_members(kind: Any) -> bool:
    return (
        _is_pydantic(kind)
        or hasattr(kind, "__struct_fields__")
        or is_typeddict(kind)
        or dataclasses.is_dataclass(kind)
    )


def _made(members: dict[str, Any], kind: Any) -> Any:
    if _is_pydantic(kind):
        return _with_pydantic(members, kind)
    if hasattr(kind, "__struct_fields__"):
        return _with_msgspec(members, kind)
    if is_typeddict(kind):
        return _filled(members, *_members(kind))
    fields = [one for one in dataclasses.fields(kind) if one.init]
    hints = get_type_hints(kind)
    required = frozenset(
        one.name
        for one in fields
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    )
    filled = _filled(members, {one.name: hints[one.name] for one in fields}, required)
    try:
        return kind(**filled)
    except ValueError:  # raised by its own __post_init__
        raise _Misfit("the claims do not fit the type") from None


def _members(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the members of a TypedDict with their types, and the names of the required ones.

    If annotations are strings, ``__required_keys__`` ignores Required and NotRequired.
    """
    marked = get_type_hints(kind, include_extras=True)
    origins = {name: get_origin(hint) for name, hint in marked.items()}
    required = {name for name in kind.__required_keys__ if origins[name] is not NotRequired}
    required |= {name for name, origin in origins.items() if origin is Required}
    return get_type_hints(kind), frozenset(required)


def _filled(
    members: dict[str, Any], hints: dict[str, Any], required: frozenset[str]
) -> dict[str, Any]:
    for name in sorted(required):
        if name not in members:
            raise _Misfit(f"{name!r} is missing", claim=name, missing=True)
    found: dict[str, Any] = {}
    for name, hint in hints.items():
        if name in members:
            try:
                found[name] = _read(members[name], hint)
            except _Misfit as misfit:
                misfit.claim = name  # the outermost member is the claim
                raise
    return found


def _read(value: Any, hint: Any) -> Any:
    """Return a JSON value converted to a type.

    Raises `_Misfit`; TypeError for a type that JSON cannot express.
    """
    hint = _plain(hint)
    if hint is Any or hint is object:
        return value
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return _read_as_one(value, arguments)
    if origin is Literal:
        fits = any(type(one) is type(value) and one == value for one in arguments)
        return value if fits else _refuse()
    if _is_listed(origin, _FROM_LIST):
        return _read_list(value, origin, arguments)
    if _is_listed(origin, _FROM_OBJECT):
        return _read_object(value, arguments)
    if _has_members(hint):
        return _made(value, hint) if isinstance(value, dict) else _refuse()
    return _read_scalar(value, hint)


def _plain(hint: Any) -> Any:
    """Return the type behind type aliases and NewType."""
    while isinstance(hint, NewType) or type(hint).__name__ == "TypeAliasType":
        hint = hint.__supertype__ if isinstance(hint, NewType) else hint.__value__
    return hint


def _is_listed(origin: Any, among: collections.abc.Collection[Any]) -> bool:
    return isinstance(origin, collections.abc.Hashable) and origin in among


def _refuse() -> Any:
    raise _Misfit("the value does not fit the type")


def _read_as_one(value: Any, kinds: tuple[Any, ...]) -> Any:
    for kind in kinds:
        try:
            return _read(value, kind)
        except _Misfit:
            continue
    return _refuse()


def _read_list(value: Any, origin: Any, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, list):
        return _refuse()
    several: list[Any] = value
    if origin is tuple and arguments and arguments[-1] is not ...:
        if len(arguments) != len(several):
            return _refuse()
        kinds = arguments
    else:
        kinds = (arguments[0] if arguments else Any,) * len(several)
    read = [_read(one, kind) for one, kind in zip(several, kinds, strict=True)]
    try:
        return _FROM_LIST[origin](read)
    except TypeError:  # a set of lists
        return _refuse()


def _read_object(value: Any, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, dict):
        return _refuse()
    key, kind = arguments or (str, Any)
    members: dict[str, Any] = value
    return {_read(name, key): _read(one, kind) for name, one in members.items()}


def _read_scalar(value: Any, hint: Any) -> Any:
    if hint is None or hint is type(None):
        fits = value is None
    elif hint is float:
        fits = type(value) in (int, float)
    elif hint in (int, str, bool):
        fits = type(value) is hint
    else:
        raise TypeError(
            f"claims_as cannot read a claim as {hint!r}; a pydantic or msgspec type can"
        )
    return value if fits else _refuse()


def _with_pydantic(members: dict[str, Any], kind: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(members)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]
        claim = str(where["loc"][0]) if where["loc"] else None
        missing = where["type"] == "missing"
    raise _Misfit("the claims do not fit the type", claim=claim, missing=missing)


def _with_msgspec(members: dict[str, Any], kind: Any) -> Any:
    msgspec: Any = sys.modules["msgspec"]  # imported already, because a Struct exists
    try:
        return msgspec.convert(members, kind)
    except msgspec.ValidationError as error:
        said = str(error)
    lacks = _MSGSPEC_MISSING.search(said)
    named = _MSGSPEC_PATH.search(said) or lacks
    claim = None if named is None else named[1]
    raise _Misfit("the claims do not fit the type", claim=claim, missing=lacks is not None)
