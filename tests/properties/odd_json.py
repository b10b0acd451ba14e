"""Generated odd JSON, as values and as text, and settings that make each run the same."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import seed, settings
from hypothesis import strategies as st

from jwks_client.testing import FakeClock

NOW = 1_700_000_000
CLOCK = FakeClock(NOW)


def steady(examples: int, *which: object) -> Callable[[Any], Any]:
    """Run this number of examples, the same in each run, however long they take.

    Arguments:
        which: the parameters of the test: other parameters get other examples.
    """
    chosen = settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    number = zlib.crc32(repr(which).encode())
    return lambda test: seed(number)(chosen(test))


def weighted(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return one of these, as likely as it is listed often: `st.one_of` counts equal ones once."""
    return st.sampled_from(strategies).flatmap(lambda one: one)


texts = st.text(max_size=8) | st.sampled_from(["", "\0", "é", "\u2028", "😀", '"', "\\"])
numbers = (
    st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(NOW - 100, NOW + 100)
    | st.sampled_from([0, -0.0, 1, True, 1e308, 253402300799, 253402300800, 10**63])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)

# Texts that `json.dumps` does not write: values that readers read differently, or refuse.
odd_texts = st.sampled_from(
    [
        *(
            "NaN",
            "-Infinity",
            "1e999",
            "1E400",
            "-0",
            "01",
            "1.",
            ".5",
            "0x1",
            "'a'",
            "",
            "{",
            "[[",
        ),
        *('"\\ud800"', '"\\u0000"', '"\\x"', "9" * 65, "1" + "0" * 63, "1e5", "1.0", "\ufeff1"),
        *("[" * 31 + "]" * 31, "[" * 40 + "]" * 40, '{"a":1,"a":2}', '{"a":1,"\\u0061":2}'),
    ]
)


# Plausible content of a claim in a mistaken or hostile token.
likely_texts = st.sampled_from(
    [
        *(
            "null",
            "null",
            "null",
            "true",
            "false",
            "0",
            "5",
            "-1",
            "1700000000.5",
            "{}",
            "[]",
            "[null]",
            '""',
        ),
        *('"x"', '"1"', '["x"]', '["exp"]', '["api",5]', '["x","api"]', '"https://a.test"'),
    ]
)


def as_text(value: Any) -> str:
    return json.dumps(value)


@st.composite
def members_as_text(draw: Any, usual: dict[str, Any], also: tuple[str, ...] = ()) -> str:
    """Return the text of an object with the usual members, few of them missing, odd or repeated."""
    pairs = [(name, as_text(value)) for name, value in usual.items()]
    names = st.sampled_from([*usual, *usual, *also])
    for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
        name = draw(weighted(names, names, names, texts))
        content = draw(weighted(likely_texts, likely_texts, values.map(as_text), odd_texts))
        place = draw(st.integers(0, len(pairs)))
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"])):
            case "replace" if any(known == name for known, _ in pairs):
                pairs = [(known, content if known == name else old) for known, old in pairs]
            case "remove":
                pairs = [pair for pair in pairs if pair[0] != name]
            case _:
                pairs.insert(place, (name, content))
    blank = draw(st.sampled_from(["", "", "", " ", "\n\t"]))
    inside = f",{blank}".join(f"{as_text(name)}:{blank}{content}" for name, content in pairs)
    return f"{blank}{{{inside}}}{blank}"
