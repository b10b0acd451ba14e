"""Octets and JSON: a token's text has exactly one meaning, and a provider's oddities in a key are harmless."""

from __future__ import annotations

import json
import string
import sys
from unittest.mock import patch

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keys import to_text
from quick_readers import BY_ORJSON, reading

from jwks_client._core import encoding
from jwks_client._core.encoding import (
    Repeated,
    read_again,
    to_base64url,
    tolerant_json,
    tolerant_octets,
)

ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").encode()
BOM = b"\xef\xbb\xbf"


def read_segments(payload: bytes, signature: bytes):
    """Read two segments with the extra `fast` and without; both must agree."""
    found = []
    for quickly in (True, False):
        with reading(quickly=quickly):
            found.append(encoding.read_segments(payload, signature))
    assert repr(found[0]) == repr(found[1])  # distinguishes 1, 1.0 and true
    return found[0]


def decode_segment(segment: bytes) -> bytes | None:
    """Decode a segment alone and in a token, in either place; all ways must agree."""
    octets = encoding.decode_segment(segment)
    claims = None if octets is None else encoding.strict_object(octets)
    assert read_segments(segment, b"AA") == (octets, claims, b"\0")
    assert read_segments(b"e30", segment) == (b"{}", {}, octets)
    return octets


def strict_object(raw: bytes) -> dict[str, object] | None:
    """Read an object alone and as the payload of a token; both ways must agree."""
    value = encoding.strict_object(raw)
    payload, claims, signature = read_segments(to_base64url(raw).encode(), b"AA")
    assert (payload, repr(claims), signature) == (raw, repr(value), b"\0")
    for quickly in (True, False) if value is not None else ():
        with reading(quickly=quickly):
            assert repr(read_again(raw)) == repr(value)
    return value


def decoded_bit_by_bit(segment: bytes) -> bytes | None:
    """Decode base64url as RFC 4648 defines it, bit by bit; written for this test only."""
    if any(octet not in ALPHABET for octet in segment):
        return None
    bits = "".join(f"{ALPHABET.index(octet):06b}" for octet in segment)
    whole, spare = len(bits) // 8, bits[len(bits) // 8 * 8 :]
    if len(spare) >= 6 or "1" in spare:
        return None
    return bytes(int(bits[8 * at : 8 * at + 8], 2) for at in range(whole))


class TestSegments:
    """`decode_segment` (RFC 7515, section 2)."""

    @pytest.mark.parametrize(
        ("segment", "octets"),
        [
            (b"", b""),
            (b"Zg", b"f"),
            (b"Zm9vYmE", b"fooba"),
            (b"Zm9v", b"foo"),
            (b"Zm9vYg", b"foob"),
            (b"-_-_", b"\xfb\xff\xbf"),
            (b"____", b"\xff\xff\xff"),
            (b"AA", b"\0"),
        ],
    )
    def test_canonical_base64url_is_read(self, segment, octets):
        """The vectors of RFC 4648, section 10, without padding, and both characters of the URL alphabet are decoded."""
        assert decode_segment(segment) == octets

    @pytest.mark.parametrize("length", [1, 5, 9])
    def test_an_impossible_length_is_refused(self, length):
        """A segment whose last group is a single character is refused: it carries less than one octet."""
        assert decode_segment(b"A" * length) is None

    @pytest.mark.parametrize("segment", [b"AA", b"AAA", b"AAAA", b"AAAAAA"])
    def test_each_octet_outside_the_alphabet_is_refused_in_every_position(self, segment):
        """Blanks, line breaks, padding, the standard alphabet, NUL and everything above ASCII are refused in every position."""
        for octet in set(range(256)) - set(ALPHABET):
            for at in range(len(segment) + 1):
                inside = segment[:at] + bytes([octet]) + segment[at:]
                instead = segment[:at] + bytes([octet]) + segment[at + 1 :]
                assert decode_segment(inside) is None
                assert decode_segment(instead) is None

    @pytest.mark.parametrize("before", [b"", b"AAAA"])
    @pytest.mark.parametrize(("start", "accepted"), [(b"A", 4), (b"AA", 16)])
    def test_stray_bits_of_the_last_character_are_refused(self, before, start, accepted):
        """A last character is accepted only if its spare bits are zero, so each value has one text."""
        read = [
            segment
            for segment in (before + start + bytes([last]) for last in ALPHABET)
            if decode_segment(segment) is not None
        ]
        assert len(read) == accepted
        assert all(to_text(decode_segment(segment)).encode() == segment for segment in read)

    @pytest.mark.parametrize(
        "segment",
        [
            b"Zg==",
            b"Zg=",
            b"Zg===",
            b"Zm8=",
            b"Zm9v=",
            b"Zm9v====",
            b"=",
            b"====",
            b"=Zm9",
            b"Zg==Zg",
        ],
    )
    def test_padding_is_refused(self, segment):
        """A compact token has no padding, so right and wrong padding are refused."""
        assert decode_segment(segment) is None

    def test_each_octet_outside_the_alphabet_is_refused_in_a_long_segment(self):
        """A decoder that takes many characters at once still sees each of them, in every position of its stride."""
        segment = b"A_-z" * 48
        with reading(quickly=True):
            for octet in set(range(256)) - set(ALPHABET):
                for at in range(len(segment)):
                    wrong = segment[:at] + bytes([octet]) + segment[at + 1 :]
                    assert encoding.read_segments(b"e30", wrong)[2] is None
            assert encoding.read_segments(b"e30", segment)[2] == decoded_bit_by_bit(segment)

    @settings(deadline=None)
    @given(
        st.one_of(
            st.binary(max_size=40),
            st.lists(st.sampled_from(ALPHABET), min_size=100, max_size=400).map(bytes),
            st.lists(st.sampled_from(ALPHABET), max_size=40).map(bytes),
            st.lists(st.sampled_from(ALPHABET + b"+/=\n "), max_size=12).map(bytes),
        )
    )
    def test_it_agrees_with_an_independent_reader(self, segment):
        """Any octets are accepted or refused, and decoded, as the RFC's own definition says."""
        assert decode_segment(segment) == decoded_bit_by_bit(segment)

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_an_encoded_string_decodes_to_itself(self, octets):
        """Every octet string has one text, which decodes to that octet string."""
        assert to_base64url(octets) == to_text(octets)
        assert decode_segment(to_base64url(octets).encode()) == octets


def holding(value: str) -> bytes:
    """Return an object that holds this JSON text."""
    return ('{"a":' + value + "}").encode()


class TestStrictObjects:
    """`strict_object` (RFC 7515, section 5.2; RFC 8725, section 2.6)."""

    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (b"{}", {}),
            (b' \t\r\n{ "a" : 1 } \t\r\n', {"a": 1}),
            (
                b'{"a":[true,false,null,"x",-0,1.5,2E3,{"a":[]}]}',
                {"a": [True, False, None, "x", 0, 1.5, 2000.0, {"a": []}]},
            ),
            ('{"ä€😀":"\x7f\ufeff"}'.encode(), {"ä€😀": "\x7f\ufeff"}),
            (rb'{"\u0061":"\"\\\/\b\f\n\r\t"}', {"a": '"\\/\b\f\n\r\t'}),
            (b'{"a":1e308,"b":1e-999}', {"a": 1e308, "b": 0.0}),
        ],
    )
    def test_an_object_is_read(self, raw, value):
        """A JSON object is read with all its values."""
        assert strict_object(raw) == value

    @pytest.mark.parametrize(
        "raw",
        [b"[]", b"[{}]", b'"{}"', b"0", b"1.5", b"true", b"null", b"", b" ", b"\0"],
    )
    def test_anything_but_an_object_is_refused(self, raw):
        """Header and payload must be objects; every other JSON value is refused."""
        assert strict_object(raw) is None

    @pytest.mark.parametrize(
        "raw",
        [
            b"{",
            b"}",
            b"{}}",
            b"{}{}",
            b"{},",
            b"{}\0",
            b'{"a"}',
            b'{"a":}',
            b'{"a":1,}',
            b'{,"a":1}',
            b'{"a":[1,]}',
            b"{'a':1}",
            b"{a:1}",
            b"{1:1}",
            b'{"a":1}//',
            b'{"a":/**/1}',
            b'{"a":01}',
            b'{"a":+1}',
            b'{"a":.5}',
            b'{"a":1.}',
            b'{"a":1e}',
            b'{"a":0x1}',
            b'{"a":1_0}',
            b'{"a":--1}',
            '{"a":\uff11}'.encode(),
            b'{"a":True}',
            b'{"a":undefined}',
            b'{"a":"\n"}',
            b'{"a":"\0"}',
            b'{"a":"\\x41"}',
            b'{"a":"\\u12"}',
            b'{"a":"\\u+123"}',
            b'{"a":"',
            b'{"a":"\\',
            b"\v{}",
            b"\f{}",
            "\u00a0{}".encode(),
            "{}\u2028".encode(),
        ],
    )
    def test_invalid_json_is_refused(self, raw):
        """Text beyond RFC 8259 is refused, even where other readers accept it."""
        assert strict_object(raw) is None

    @pytest.mark.parametrize(
        "raw",
        [
            BOM + b"{}",
            "{}".encode("utf-16"),
            "{}".encode("utf-16-le"),
            "{}".encode("utf-32-be"),
            b'{"a":"\xff"}',
            b'{"a":"\x80"}',
            b'{"a":"\xc3"}',
            b'{"a":"\xc0\xaf"}',
            b'{"a":"\xed\xa0\x80"}',
            b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}',
            b'{"a":"\xf4\x90\x80\x80"}',
            b'{"\xe4":1}',
        ],
    )
    def test_anything_but_plain_utf8_is_refused(self, raw):
        """A byte order mark, another encoding, and overlong, cut or surrogate sequences are refused."""
        assert strict_object(raw) is None

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a":1,"a":1}',
            b'{"a":1,"b":2,"a":3}',
            rb'{"a":1,"\u0061":2}',
            b'{"":1,"":2}',
            b'{"b":{"a":1,"a":2}}',
            b'{"b":[[{"a":1,"a":2}]]}',
        ],
    )
    def test_a_repeated_member_is_refused_at_any_level(self, raw):
        """A repeated member is refused, because readers differ on which of the two counts."""
        assert strict_object(raw) is None

    def test_the_same_name_in_two_objects_is_accepted(self):
        """Member names must be unique per object only, compared exactly."""
        raw = '{"a":{"a":[{"a":1},{"a":2}]},"A":1,"\u00e4":1,"a\u0308":2}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize(
        "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1E+400", "9" * 60 + "e999"]
    )
    @pytest.mark.parametrize("place", ["%s", "[%s]", '{"b":[1,%s]}'])
    def test_a_number_that_is_not_finite_is_refused_at_any_level(self, number, place):
        """NaN and Infinity are not JSON, and a huge exponent does not bring them back."""
        assert strict_object(holding(place % number)) is None

    @pytest.mark.parametrize(
        "text",
        [
            r"\ud800",
            r"\uDBFF",
            r"\udc00",
            r"\udfff",
            r"\ude00\ud83d",
            r"\ud83d\ud83d\ude00",
            r"\ud83d\ude00\ude00",
            r"\ud83d \ude00",
            r"\ud83d\\ude00",
            r"\\\ud83d",
        ],
    )
    @pytest.mark.parametrize("place", ['{"a":"%s"}', '{"%s":1}', '{"a":[{"b":"x%sx"}]}'])
    def test_a_lone_surrogate_is_refused_in_names_and_values(self, text, place):
        """A lone surrogate is refused: it has no UTF-8 form, and readers replace it differently."""
        assert strict_object((place % text).encode()) is None

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            (r"\ud83d\ude00", "😀"),
            (r"\uD83D\uDE00", "😀"),
            (r"\ud83d\ude00\ud83d\ude00", "😀😀"),
            (r"\\ud800", r"\ud800"),
            (r"\ue000\ud7ff", "\ue000\ud7ff"),
        ],
    )
    def test_a_whole_pair_is_one_character(self, text, value):
        """A surrogate pair, and text that only looks like an escape, are read."""
        assert strict_object(f'{{"a":"{text}","{text}":1}}'.encode()) == {"a": value, value: 1}

    @pytest.mark.parametrize(
        ("opening", "innermost", "closing"),
        [
            ('{"a":', "{}", "}"),
            ("[", "[]", "]"),
            ("[", "1", "]"),
            ('{"a":', '"x"', "}"),
            ('[{"a":', "1", "}]"),
            ('{"[[[":["}}}",', "1", "]}"),
        ],
    )
    def test_32_levels_are_read_and_33_are_not(self, opening, innermost, closing):
        """At most 32 levels are read, the outermost object counted, objects and lists in any mixture."""
        each = sum(opening.replace('"[[["', "").count(bracket) for bracket in "[{")
        last = innermost in {"{}", "[]"}
        times, rest = divmod(31 - last, each)
        inside = opening * times + "[" * rest + innermost + "]" * rest + closing * times
        raw = holding(inside)
        assert strict_object(raw) == json.loads(raw)
        assert strict_object(holding(f"[{inside}]")) is None

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100,
            "{" * 100,
            "[{" * 100,
            r"\"" + "[" * 100,
            "[" * 100 + r"\\",
            r"\\\"" + "[" * 99,
        ],
    )
    def test_brackets_in_strings_are_not_levels(self, text):
        """Brackets inside strings do not count as levels, however a string spells its quotes."""
        raw = f'{{"{text}":"{text}","b":[{{"a":"{text}"}}]}}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize("text", ["]" * 100, "}" * 100, r"\"]]" * 50, r"\\]]" * 50])
    def test_closing_brackets_in_strings_hide_no_levels(self, text):
        """Closing brackets in a string cannot make the depth after it look smaller."""
        assert strict_object(holding(f'["{text}",{"[" * 31}1{"]" * 31}]')) is None
        assert strict_object(holding(f'["{text}",{"[" * 30}1{"]" * 30}]')) is not None

    def test_siblings_are_not_levels(self):
        """Many brackets in a row are not deep, and do not hide the depth next to them."""
        wide = "[]," * 100 + '{"b":[]}'
        raw = holding(f"[{wide}]")
        assert strict_object(raw) == json.loads(raw)
        assert strict_object(holding(f"[{wide},{'[' * 30}{']' * 30}]")) is not None
        assert strict_object(holding(f"[{wide},{'[' * 31}{']' * 31}]")) is None

    @pytest.mark.parametrize(
        ("number", "digits"),
        [
            ("1{}", 1),
            ("-1{}", 1),
            ("0.{}", 1),
            ("-1.{}e5", 2),
            ("1.5e-{}", 2),
            ("1E+0{}", 2),
            ("{}.5e01", 3),
        ],
    )
    @pytest.mark.parametrize("place", ["%s", "[%s]", "[0,%s ]", '{"b":%s}', '["%s",%s]'])
    def test_64_digits_are_read_and_65_are_not(self, number, digits, place):
        """A number has at most 64 digits, fraction and exponent included; signs and dots do not count."""
        fill = "1" if "e-" not in number and "E" not in number else "0"
        for count, read in ((64, True), (65, False)):
            text = number.format(fill * (count - digits))
            raw = holding(place.replace("%s", text))
            assert strict_object(raw) == (json.loads(raw) if read else None)

    @pytest.mark.parametrize(
        "text",
        [
            "9" * 65,
            "9" * 5000,
            r"\"" + "9" * 100,
            "9" * 100 + r"\\",
            "1.5e-" * 30,
            r"\\\"" + "0" * 90,
        ],
    )
    def test_digits_in_strings_do_not_count(self, text):
        """Digits in a string do not count, as name, as value, or next to a number of 64 digits."""
        raw = f'{{"{text}":"{text}","b":{"9" * 64}}}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize("text", ["9" * 65, r"\"" + "9" * 65, "9" * 65 + r"\\"])
    def test_digits_in_strings_hide_no_long_number(self, text):
        """A number next to a string of digits is still counted."""
        assert strict_object(f'{{"{text}":"{text}","b":{"9" * 65}}}'.encode()) is None

    def test_adjacent_numbers_are_counted_apart(self):
        """Digits are counted per number, so adjacent numbers do not add up."""
        raw = holding("[" + "1234567," * 100 + "1]")
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize(
        "raw",
        [
            b"[" * 200_000,
            b'{"a":' * 50_000,
            b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"a":' + b"9" * 100_000 + b"}",
            b'{"a":' + b"9." * 50_000 + b"}",
            b'"' * 200_001,
            b"[" * 40 + b'"' + b"\\" * 200_001,
            b"[" * 40 + b'"\\' * 100_000,
            b"9" * 70 + b'"' + b'\\"' * 100_000,
            b'{"' + b"[" * 100_000,
        ],
        ids=range(10),
    )
    def test_a_hostile_text_is_refused_without_a_crash(self, raw):
        """No depth, length or quoting makes the reader crash or rescan a place over and over."""
        assert strict_object(raw) is None


class TestOrjson:
    """The part that orjson does (docs/decisions.md, 22). Every test above runs with it and without."""

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"iss":"https://idp.test/","aud":["a","b"],"exp":1700000000,"admin":false,"n":null}',
            b'{"iat":1700000000.25,"realm_access":{"roles":["a",{"deep":[]}]}}',
            '{"name":"\u00e4\U0001f600","quoted":"a\\"b\\\\c\\n"}'.encode(),
            b'{"most":18446744073709551615,"least":-9223372036854775808,"small":-0.0}',
            b'{"a":[' + b"[]," * 200 + b'[],"]"]}',
        ],
    )
    def test_what_issuers_usually_write_is_read_by_orjson(self, raw):
        """JSON without blanks and needless escapes is read by orjson, with the same result."""
        assert repr(BY_ORJSON(raw)) == repr(strict_object(raw)) == repr(json.loads(raw))

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a": 1}',
            b'{"a":1}\n',
            rb'{"a":"\u0061"}',
            rb'{"a":"\/"}',
            b'{"a":1e3}',
            b'{"a":1.50}',
            b'{"a":18446744073709551616}',
            b'{"a":-9223372036854775809}',
            b'{"a":0.1000000000000000055511151231257827}',
        ],
    )
    def test_unusual_json_is_left_to_the_strict_reader(self, raw):
        """Blanks, escapes, exponents and large numbers are valid, but orjson does not read them here."""
        assert BY_ORJSON(raw) is None
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a":1,"a":1}',
            b'{"a":1,"b":2,"a":3}',
            b'{"b":[{"a":1,"a":1}]}',
            rb'{"a":1,"\u0061":1}',
            b'{"":{},"":{}}',
        ],
    )
    def test_a_repeated_member_is_noticed_although_orjson_accepts_it(self, raw):
        """orjson accepts a repeated member, but its output is shorter than the input, so the result is discarded."""
        assert isinstance(orjson.loads(raw), dict)
        assert BY_ORJSON(raw) is None

    def test_orjson_never_reads_more_brackets_than_the_level_limit(self):
        """orjson never gets text with more brackets than the level limit, so its own depth limit does not matter."""
        with patch.object(orjson, "loads") as loads, patch.object(orjson, "dumps"):
            reader = encoding.object_by_orjson()
            assert reader(holding("[" * 32 + "]" * 32)) is None
            loads.assert_not_called()
            reader(holding("[" * 31 + "]" * 31))
            loads.assert_called_once()

    def test_neither_orjson_nor_pybase64_is_needed(self):
        """If orjson or pybase64 is not installed, the quick reader does not exist."""
        with patch.dict(sys.modules, {"orjson": None, "pybase64": None}):
            assert encoding.object_by_orjson() is None
            assert encoding.octets_by_pybase64() is None


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**64) + 1, 10**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
# Fragments of JSON in any order: nearly every combination is wrong, each in its own way.
JSON_PIECES = st.lists(
    st.sampled_from(
        [
            *(
                '{"a":',
                '"b"',
                ",",
                ":",
                "}",
                "{",
                "[",
                "]",
                '"',
                "\\",
                "\\u",
                "d800",
                "dc00",
                " ",
                "\0",
            ),
            *(
                "1",
                "-",
                "0",
                ".",
                "e",
                "E",
                "+",
                "9" * 64,
                "NaN",
                "Infinity",
                "true",
                "null",
                "\ufeff",
            ),
            *("[" * 31, "]" * 31, "ä", '{"a":1}'),
        ]
    ),
    max_size=14,
)


def as_written(members: list[tuple[str, object]]) -> bytes:
    """Return an object of these members in this order, without blanks."""
    write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return (
        "{" + ",".join(f"{write(name)}:{write(value)}" for name, value in members) + "}"
    ).encode()


def levels_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(levels_of, value.values()), default=0)
        case list():
            return 1 + max(map(levels_of, value), default=0)
        case _:
            return 0


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), JSON_VALUES, max_size=5),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_every_good_object_is_read(value, ascii_only, separators):
    """Any object within the limits is read back, whatever its escapes and spacing."""
    raw = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert strict_object(raw) == (value if levels_of(value) <= 32 else None)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=60),
        JSON_PIECES.map(lambda pieces: "".join(pieces).encode()),
        JSON_PIECES.map(lambda pieces: ('{"a":' + "".join(pieces) + "}").encode()),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        # As orjson would write it, but with one member repeated.
        st.lists(st.tuples(st.text(max_size=1), JSON_VALUES)).map(as_written),
    )
)
@example(b'{"a":NaN}')
@example(b'{"a":"\\ud800"}')
def test_no_octets_make_it_raise_and_it_agrees_with_json(raw):
    """Any octets are accepted or refused without another exception, and an accepted value is the plain JSON value."""
    value = strict_object(raw)
    if value is not None:
        assert type(value) is dict
        assert value == json.loads(raw)
        assert levels_of(value) <= 32
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


class TestTolerantJson:
    """`tolerant_json`: how a provider's documents are read."""

    @pytest.mark.parametrize("mark", [b"", BOM])
    def test_any_value_is_read_with_or_without_a_byte_order_mark(self, mark):
        """A leading byte order mark is accepted; the caller checks what kind of value it is."""
        for raw in (b'{"a":[1]}', b"[]", b'"x"', b"null", b" 5 "):
            assert tolerant_json(mark + raw) == json.loads(raw)

    def test_objects_with_repeated_members_are_marked_wherever_they_are(self):
        """Each object reports its own repeated members, so its neighbours stay usable."""
        read = tolerant_json(b'{"k":[{"a":1,"a":2},{"a":1},{"b":{"c":1,"c":1}}]}')
        assert not isinstance(read, Repeated)
        assert [isinstance(one, Repeated) for one in read["k"]] == [True, False, False]
        assert isinstance(read["k"][2]["b"], Repeated)
        assert isinstance(tolerant_json(b'{"a":1,"\\u0061":1}'), Repeated)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"<!doctype html><title>Sign in</title>",
            b"{",
            b'{"a":1}x',
            b"\xff\xfe{\x00}\x00",
            "{}".encode("utf-16-le"),
            b'{"a":"\xe4"}',
            BOM + BOM + b"{}",
            pytest.param(b"[" * 512 * 1024, id="512 KiB of ["),
            pytest.param(b'{"a":' * 100_000, id="deep objects"),
        ],
    )
    def test_invalid_json_is_a_value_error_and_nothing_else(self, raw):
        """HTML, another encoding and any depth raise a ValueError and nothing else."""
        with pytest.raises(ValueError):
            tolerant_json(raw)

    def test_a_number_of_any_length_does_not_spoil_the_document(self):
        """A number too long for Python's int is one odd member and does not spoil the document."""
        assert tolerant_json(b'{"a":' + b"9" * 5000 + b',"b":1}')["b"] == 1


class TestTolerantOctets:
    """`tolerant_octets`: how the members of a JWK are read."""

    @pytest.mark.parametrize(
        ("value", "octets"),
        [
            ("Zm9vYg", b"foob"),
            ("Zm9vYg==", b"foob"),
            ("Zm9vYg=", b"foob"),
            ("Zm9vYg====", b"foob"),
            ("Zm9v", b"foo"),
            ("-_-_", b"\xfb\xff\xbf"),
            ("+/+/", b"\xfb\xff\xbf"),
            ("+_-/", b"\xfb\xff\xbf"),
            ("AQAB", b"\1\0\1"),
            ("AA", b"\0"),
            ("Zh", b"f"),
        ],
    )
    def test_both_alphabets_padded_or_not_are_read(self, value, octets):
        """Padding, right or wrong, and the standard alphabet are accepted: real providers serve them."""
        assert tolerant_octets(value, 4) == octets

    def test_every_character_counts_in_every_position(self):
        """Only padding is stripped; every other character counts."""
        for octet in ALPHABET:
            segment = bytes([octet, 65, 65, octet])
            assert tolerant_octets(segment.decode(), 3) == decoded_bit_by_bit(segment)

    @pytest.mark.parametrize(
        "value",
        [
            *(
                "",
                "=",
                "====",
                "A",
                "AAAAA",
                "Zg==Zg==",
                "=Zg",
                "Zm 9v",
                "Zm9v\n",
                " Zm9v",
                "Zm9v\0",
            ),
            *(
                "Zm9*",
                "Zm9.",
                "é",
                "Zm9v\u2212",
                "\uff21\uff21",
                None,
                65537,
                b"AQAB",
                ["AQAB"],
                True,
            ),
        ],
    )
    def test_anything_else_is_refused(self, value):
        """An empty value, a non-string or invalid base64 is refused without a crash."""
        assert tolerant_octets(value, 100) is None

    def test_a_value_of_the_longest_length_is_read(self):
        """Up to ``longest`` octets are read, not one more, and a huge text is not even decoded."""
        assert tolerant_octets(to_text(bytes(4)), 4) == bytes(4)
        assert tolerant_octets(to_text(bytes(5)), 4) is None
        assert tolerant_octets("A" * 1_000_000, 4) is None
        assert tolerant_octets("Zg" + "=" * 1_000_000, 4) is None

    @settings(deadline=None)
    @given(st.text(max_size=20) | st.binary(max_size=20).map(to_text))
    def test_canonical_text_is_read_as_in_a_token(self, value):
        """The tolerant reader never decodes a canonical text differently from the strict reader."""
        strict = decode_segment(value.encode("utf-8", "surrogatepass"))
        if strict:
            assert tolerant_octets(value, 100) == strict
        else:
            tolerant_octets(value, 100)


@pytest.mark.parametrize(("octets", "text"), [(b"", ""), (b"f", "Zg"), (b"\xfb\xff", "-_8")])
def test_base64url_is_written_without_padding(octets, text):
    """Encoded text is canonical base64url: no padding, the URL alphabet."""
    assert to_base64url(octets) == text
