"""Claims as a type of the application."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import msgspec
import postponed
import pydantic
import pydantic.dataclasses
import pytest
from signed_tokens import ABSENT, CLAIMS, MARKER, NOW, assert_refused, verified

from jwks_client import TokenError


@dataclasses.dataclass
class User:
    sub: str
    exp: int
    org: str | None = None
    roles: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    sub: str


class Typed(TypedDict):
    sub: str
    exp: int
    org: NotRequired[str | None]
    roles: NotRequired[list[str]]


class Struct(msgspec.Struct):
    sub: str
    exp: int
    org: str | None = None
    roles: list[str] = []


class Model(pydantic.BaseModel):
    sub: str
    exp: int
    org: str | None = None
    roles: list[str] = []


@pydantic.dataclasses.dataclass
class Checked:
    sub: str
    exp: int
    org: str | None = None
    roles: list[str] = dataclasses.field(default_factory=list)


KINDS = [User, Typed, Struct, Model, Checked]


def member(filled, name):
    return filled[name] if isinstance(filled, dict) else getattr(filled, name)


@pytest.mark.parametrize("kind", KINDS)
def test_claims_become_a_value_of_the_type(kind):
    """A dataclass, a TypedDict, and types of msgspec and pydantic are filled by name."""
    filled = verified(sub="u1", org="o1", roles=["a"]).claims_as(kind)
    assert isinstance(filled, dict if kind is Typed else kind)
    got = [member(filled, name) for name in ("sub", "exp", "org", "roles")]
    assert got == ["u1", NOW + 60, "o1", ["a"]]


@pytest.mark.parametrize("kind", [User, Struct, Model, Checked])
def test_an_absent_claim_gives_the_default(kind):
    """A member with a default may be absent from the claims, and defaults are not shared."""
    filled = verified().claims_as(kind)
    assert (filled.org, filled.roles) == (None, [])
    filled.roles.append("mine")
    assert verified().claims_as(kind).roles == []


def test_a_typed_dict_has_only_the_claims_of_the_token():
    """An optional key is absent when its claim is; unknown claims are left out."""
    assert verified(sub="u1").claims_as(Typed) == {"sub": "u1", "exp": NOW + 60}
    assert "private" in CLAIMS


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_member_is_a_missing_claim(kind):
    """A missing member is a TokenError without cause or context."""
    error = assert_refused("missing_claim", verified(exp=ABSENT).claims_as, kind)
    assert error.claim == "exp"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("claims", "name"),
    [({"org": 1}, "org"), ({"roles": MARKER}, "roles"), ({"roles": ["a", 1]}, "roles")],
)
def test_a_member_of_another_type_is_an_invalid_claim(kind, claims, name):
    """A member of another type is a TokenError that names the claim and never shows its value."""
    error = assert_refused("invalid_claim", verified(**claims).claims_as, kind)
    assert error.claim == name


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_belongs_to_the_caller(kind):
    """Changing the value, nested parts too, changes neither the token nor later values."""
    seen = verified(roles=["a"])
    member(seen.claims_as(kind), "roles").append("mine")
    assert seen.claims["roles"] == ["a"]
    assert member(seen.claims_as(kind), "roles") == ["a"]
    seen.claims["sub"] = "mine"
    assert member(seen.claims_as(kind), "sub") == CLAIMS["sub"]


def test_frozen_slotted_keyword_only_dataclasses_are_filled():
    """A frozen, slotted or keyword-only dataclass is filled like any other."""
    assert verified(sub="u1").claims_as(Frozen) == Frozen(sub="u1")


def test_a_dataclass_gets_only_the_arguments_of_its_init():
    """A field outside ``__init__`` is left to the class, whatever claim has its name."""

    @dataclasses.dataclass
    class Counted:
        sub: str
        jti: int = dataclasses.field(init=False, default=7)
        exp: int = dataclasses.field(default=0, init=False)

    assert verified(sub="u1").claims_as(Counted) == Counted("u1")


def test_annotations_may_be_text():
    """`from __future__ import annotations` in the application's module changes nothing."""
    assert verified(sub="u1").claims_as(postponed.Postponed) == postponed.Postponed("u1")
    assert verified(sub="u1", org="o").claims_as(postponed.Account) == {"sub": "u1", "org": "o"}
    assert_refused("invalid_claim", verified(org=1).claims_as, postponed.Postponed)
    assert_refused("missing_claim", verified(sub=ABSENT).claims_as, postponed.Account)


@pytest.mark.parametrize("kind", [postponed.Account, postponed.Loose])
def test_required_and_not_required_count_where_annotations_are_text(kind):
    """Required and NotRequired count in a TypedDict whose annotations are text, although Python itself misses them."""
    assert verified(sub="u1").claims_as(kind) == {"sub": "u1"}
    error = assert_refused("missing_claim", verified(sub=ABSENT).claims_as, kind)
    assert error.claim == "sub"


def one_of(hint):
    return dataclasses.make_dataclass("One", [("x", hint)])


@pytest.mark.parametrize(
    ("hint", "value", "fits"),
    [
        (str, "x", True),
        (str, 1, False),
        (str, None, False),
        (int, 1, True),
        (int, True, False),
        (int, 1.0, False),
        (int, "1", False),
        (float, 1.5, True),
        (float, 1, True),
        (float, True, False),
        (float, "1.5", False),
        (bool, False, True),
        (bool, 0, False),
        (bool, None, False),
        (None, None, True),
        (None, False, False),
        (type(None), None, True),
        (list, [1, "x"], True),
        (list, {}, False),
        (list, "x", False),
        (dict, {"a": 1}, True),
        (dict, [], False),
        (list[str], [], True),
        (list[str], ["a", "b"], True),
        (list[str], ["a", 1], False),
        (list[str], "ab", False),
        (list[str], {"a": 1}, False),
        (list[list[int]], [[1], []], True),
        (list[list[int]], [[1], [True]], False),
        (list[None], [None], True),
        (list[None], [0], False),
        (dict[str, int], {"a": 1}, True),
        (dict[str, int], [], False),
        (str | None, None, True),
        (str | None, "x", True),
        (str | None, 1, False),
        (Union[str, list[str]], ["a"], True),  # noqa: UP007 (as older code writes it)
        (Union[str, list[str]], [1], False),  # noqa: UP007
        (Optional[int], None, True),  # noqa: UP045
        (Optional[int], "1", False),  # noqa: UP045
        (Annotated[str, "note"], "x", True),
        (Annotated[str, "note"], 1, False),
        (Any, object, True),
        (object, 1, True),
    ],
)
def test_plain_types_are_checked_as_json_has_them(hint, value, fits):
    """True is not a number, a whole number is a float, and a list is checked by its members."""
    given = verified(x=1 if value is object else value)
    if fits:
        assert given.claims_as(one_of(hint)).x == given.claims["x"]
    else:
        error = assert_refused("invalid_claim", given.claims_as, one_of(hint))
        assert error.claim == "x"


Name = NewType("Name", str)


@pytest.mark.parametrize(
    ("hint", "value", "read"),
    [
        (Literal["a", 1], "a", "a"),
        (Literal["a", 1], 1, 1),
        (Literal["a", 1], True, None),
        (Literal["a", 1], "b", None),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[str, ...], ["a", 1], None),
        (tuple[str, int], ["a", 1], ("a", 1)),
        (tuple[str, int], ["a"], None),
        (tuple, ["a", 1], ("a", 1)),
        (set[str], ["a", "a"], {"a"}),
        (frozenset[str], ["a"], frozenset({"a"})),
        (set, [["a"]], None),
        (Sequence[str], ["a"], ["a"]),
        (Sequence[str], "a", None),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (dict[str, int], {"a": "x"}, None),
        (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
        (Name, "x", "x"),
        (Name, 1, None),
        (list[Name | None], ["x", None], ["x", None]),
        (Frozen, {"sub": "u", "more": 1}, Frozen(sub="u")),
        (Frozen, "u", None),
        (list[Frozen], [{"sub": "u"}], [Frozen(sub="u")]),
        (dict[str, Frozen], {"a": {"sub": "u"}}, {"a": Frozen(sub="u")}),
        (Frozen | None, {"sub": 1}, None),
        (Typed, {"sub": "u", "exp": 1, "x": 2}, {"sub": "u", "exp": 1}),
    ],
)
def test_nested_members_are_checked_by_their_types(hint, value, read):
    """Nested types are checked at any depth; a mismatch is an invalid claim."""
    given = verified(x=value)
    if read is None:
        error = assert_refused("invalid_claim", given.claims_as, one_of(hint))
        assert error.claim == "x"
    else:
        found = given.claims_as(one_of(hint)).x
        assert found == read
        assert type(found) is type(read)


def test_a_missing_nested_member_is_a_missing_claim():
    """A missing nested member is reported as its top-level claim."""
    error = assert_refused("missing_claim", verified(x={"more": 1}).claims_as, one_of(Frozen))
    assert error.claim == "x"


def test_models_of_other_libraries_are_filled_inside_a_dataclass():
    """A member whose type belongs to another library is read by that library."""
    filled = verified(x={"sub": "u", "exp": 1}).claims_as(one_of(Model)).x
    assert filled == Model(sub="u", exp=1)
    filled = verified(x=[{"sub": "u", "exp": 1}]).claims_as(one_of(list[Struct])).x
    assert filled == [Struct(sub="u", exp=1)]
    for kind in (Model, Struct):
        error = assert_refused(
            "invalid_claim", verified(x={"sub": 1, "exp": 1}).claims_as, one_of(kind)
        )
        assert error.claim == "x"


@pytest.mark.parametrize(
    "hint", [dt.date, uuid.UUID, bytes, list[complex], dict[int, str], TypeVar("V")]
)
def test_a_type_that_json_cannot_express_is_refused(hint):
    """A type that JSON cannot express is a TypeError at once, so no unconverted value gets through."""
    value = {"1": "x"} if hint == dict[int, str] else ["x"] if hint == list[complex] else "x"
    with pytest.raises((TypeError, TokenError)) as caught:
        verified(x=value).claims_as(one_of(hint))
    if hint != dict[int, str]:
        assert "pydantic" in str(caught.value)


def test_a_value_that_the_class_refuses_is_an_invalid_claim():
    """A ValueError of ``__post_init__`` is an invalid claim, without its message; other errors are bugs and propagate."""

    @dataclasses.dataclass
    class Careful:
        sub: str

        def __post_init__(self):
            if self.sub == "u1":
                raise ValueError(self.sub)
            if self.sub == "bug":
                raise KeyError(self.sub)

    error = assert_refused("invalid_claim", verified(sub="u1").claims_as, Careful)
    assert error.claim is None
    assert "u1" not in str(error)
    with pytest.raises(KeyError):
        verified(sub="bug").claims_as(Careful)


@pytest.mark.parametrize("kind", [int, dict, str, object, list[str], None])
def test_another_kind_of_type_is_a_mistake_of_the_caller(kind):
    """An unsupported type is a TypeError, because it says nothing about the token."""
    with pytest.raises(TypeError, match="must be a dataclass"):
        verified().claims_as(kind)


def test_a_check_of_the_whole_model_names_no_claim():
    """If pydantic blames no member, no claim is named, and pydantic's message is not shown."""

    class Strict(pydantic.BaseModel):
        sub: str

        @pydantic.model_validator(mode="after")
        def never(self):
            raise ValueError(self.sub)

    error = assert_refused("invalid_claim", verified().claims_as, Strict)

    assert error.claim is None


class ShortModel(pydantic.BaseModel):
    sub: Annotated[str, pydantic.Field(max_length=1)]


@pydantic.dataclasses.dataclass
class ShortChecked:
    sub: Annotated[str, pydantic.Field(max_length=1)]


class ShortStruct(msgspec.Struct):
    sub: Annotated[str, msgspec.Meta(max_length=1)]


@pytest.mark.parametrize("kind", [ShortModel, ShortChecked, ShortStruct])
def test_constraints_of_a_type_s_library_are_checked(kind):
    """A constraint of pydantic or msgspec counts, and its error becomes a TokenError."""
    assert verified(sub="u").claims_as(kind).sub == "u"
    assert_refused("invalid_claim", verified(sub="u1").claims_as, kind)


def test_nested_models_are_filled_as_their_library_does():
    """An error in a nested member names the top-level claim."""

    class Inner(pydantic.BaseModel):
        nested: list[str]

    class Outer(pydantic.BaseModel):
        private: Inner

    assert verified().claims_as(Outer).private.nested == CLAIMS["private"]["nested"]
    error = assert_refused("invalid_claim", verified(private={"nested": 1}).claims_as, Outer)
    assert error.claim == "private"
    error = assert_refused("missing_claim", verified(private={}).claims_as, Outer)
    assert error.claim == "private"
