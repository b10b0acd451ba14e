"""Octets and JSON: one text has one meaning in a token, and a provider's oddities cost nothing in a key."""

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
    """Two segments, with the extra `fast` and without: they must say the same."""
    found = []
    for quickly in (True, False):
        with reading(quickly=quickly):
            found.append(encoding.read_segments(payload, signature))
    assert repr(found[0]) == repr(found[1])  # which tells 1, 1.0 and true apart
    return found[0]


def decode_segment(segment: bytes) -> bytes | None:
    """A segment by itself and in a token, in either place: the ways of reading it must agree."""
    octets = encoding.decode_segment(segment)
    claims = None if octets is None else encoding.strict_object(octets)
    assert read_segments(segment, b"AA") == (octets, claims, b"\0")
    assert read_segments(b"e30", segment) == (b"{}", {}, octets)
    return octets


def strict_object(raw: bytes) -> dict[str, object] | None:
    """An object by itself and as the payload of a token: the two ways of reading it must agree."""
    value = encoding.strict_object(raw)
    payload, claims, signature = read_segments(to_base64url(raw).encode(), b"AA")
    assert (payload, repr(claims), signature) == (raw, repr(value), b"\0")
    for quickly in (True, False) if value is not None else ():
        with reading(quickly=quickly):
            assert repr(read_again(raw)) == repr(value)
    return value


def decoded_bit_by_bit(segment: bytes) -> bytes | None:
    """Base64url as RFC 4648 defines it, written for this test alone: bits in, octets out."""
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
        """The vectors of RFC 4648, section 10, without padding, and both characters of the URL alphabet."""
        assert decode_segment(segment) == octets

    @pytest.mark.parametrize("length", [1, 5, 9])
    def test_a_length_that_no_octets_give_is_refused(self, length):
        """A single character left over carries less than one octet."""
        assert decode_segment(b"A" * length) is None

    @pytest.mark.parametrize("segment", [b"AA", b"AAA", b"AAAA", b"AAAAAA"])
    def test_each_octet_outside_the_alphabet_is_refused_wherever_it_stands(self, segment):
        """Blanks, line breaks, padding, the standard alphabet, NUL and all above ASCII are refused."""
        for octet in set(range(256)) - set(ALPHABET):
            for at in range(len(segment) + 1):
                inside = segment[:at] + bytes([octet]) + segment[at:]
                instead = segment[:at] + bytes([octet]) + segment[at + 1 :]
                assert decode_segment(inside) is None
                assert decode_segment(instead) is None

    @pytest.mark.parametrize("before", [b"", b"AAAA"])
    @pytest.mark.parametrize(("start", "accepted"), [(b"A", 4), (b"AA", 16)])
    def test_stray_bits_of_the_last_character_are_refused(self, before, start, accepted):
        """Of all last characters only those whose spare bits are zero are read: one text for one value."""
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
        """A compact token has no padding, right or wrong."""
        assert decode_segment(segment) is None

    def test_each_octet_outside_the_alphabet_is_refused_in_a_long_segment(self):
        """A decoder that takes many characters at once sees each of them: no place in its stride is blind."""
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
        """What is read, and as what, is what the RFC's own definition says of any octets."""
        assert decode_segment(segment) == decoded_bit_by_bit(segment)

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_it_reads_what_is_written(self, octets):
        """Every octet string has one text, which is read as that octet string."""
        assert to_base64url(octets) == to_text(octets)
        assert decode_segment(to_base64url(octets).encode()) == octets


def holding(value: str) -> bytes:
    """An object that holds this JSON text."""
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
        """JSON objects are read as what they say."""
        assert strict_object(raw) == value

    @pytest.mark.parametrize(
        "raw",
        [b"[]", b"[{}]", b'"{}"', b"0", b"1.5", b"true", b"null", b"", b" ", b"\0"],
    )
    def test_what_is_no_object_is_refused(self, raw):
        """Header and payload are objects, and no other JSON value serves."""
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
    def test_what_is_no_json_is_refused(self, raw):
        """Nothing beyond RFC 8259 is read, whatever other readers make of it."""
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
    def test_what_is_not_plain_utf8_is_refused(self, raw):
        """No byte order mark, no other encoding, no overlong, cut or surrogate sequence."""
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
    def test_a_member_that_stands_twice_is_refused_at_any_level(self, raw):
        """Readers differ on which of two members counts, so a token with two has no meaning."""
        assert strict_object(raw) is None

    def test_one_name_in_two_objects_is_no_repeat(self):
        """Names are unique per object, compared exactly."""
        raw = '{"a":{"a":[{"a":1},{"a":2}]},"A":1,"\u00e4":1,"a\u0308":2}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize(
        "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1E+400", "9" * 60 + "e999"]
    )
    @pytest.mark.parametrize("place", ["%s", "[%s]", '{"b":[1,%s]}'])
    def test_what_is_not_finite_is_refused_at_any_level(self, number, place):
        """NaN and Infinity are no JSON, and an exponent is no way around that."""
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
        """Half a pair is no character: it has no UTF-8 form, and readers replace it differently."""
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
        """Pairs and what only looks like an escape are read."""
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
        """At most 32 levels, the outermost object counted, in whatever mixture."""
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
    def test_brackets_in_strings_are_no_levels(self, text):
        """Only structure counts, however a string spells its quotes."""
        raw = f'{{"{text}":"{text}","b":[{{"a":"{text}"}}]}}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize("text", ["]" * 100, "}" * 100, r"\"]]" * 50, r"\\]]" * 50])
    def test_closing_brackets_in_strings_hide_no_levels(self, text):
        """A string cannot make the depth after it look smaller than it is."""
        assert strict_object(holding(f'["{text}",{"[" * 31}1{"]" * 31}]')) is None
        assert strict_object(holding(f'["{text}",{"[" * 30}1{"]" * 30}]')) is not None

    def test_siblings_are_no_levels(self):
        """Many brackets side by side are wide, not deep, and take nothing from the depth beside them."""
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
        """All digits of a number count, of its fraction and exponent too; signs and dots do not."""
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
        """A string of digits is a string, as name and as value, and beside a number of 64 digits."""
        raw = f'{{"{text}":"{text}","b":{"9" * 64}}}'.encode()
        assert strict_object(raw) == json.loads(raw)

    @pytest.mark.parametrize("text", ["9" * 65, r"\"" + "9" * 65, "9" * 65 + r"\\"])
    def test_digits_in_strings_hide_no_long_number(self, text):
        """A number beside a string of digits is counted all the same."""
        assert strict_object(f'{{"{text}":"{text}","b":{"9" * 65}}}'.encode()) is None

    def test_numbers_side_by_side_are_not_one(self):
        """Digits are counted per number."""
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
        """No depth, length or quoting makes the reader raise or try a place over and over."""
        assert strict_object(raw) is None


class TestOrjson:
    """What is left to orjson (docs/decisions.md, 22). Every test above goes both ways, too."""

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"iss":"https://idp.test/","aud":["a","b"],"exp":1700000000,"admin":false,"n":null}',
            b'{"iat":1700000000.25,"realm_access":{"roles":["a",{"deep":[]}]}}',
            '{"name":"\u00e4\U0001f600","quoted":"a\\"b\\\\c\\n"}'.encode(),
            b'{"most":18446744073709551615,"least":-9223372036854775808,"small":-0.0}',
        ],
    )
    def test_what_issuers_write_is_read_by_it(self, raw):
        """JSON without blanks and needless escapes takes the quick way, and says the same."""
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
            b'{"a":[' + b"[]," * 32 + b"[]]}",
        ],
    )
    def test_what_it_would_write_otherwise_is_left_to_the_strict_reader(self, raw):
        """Blanks, escapes, exponents, large numbers and many brackets are no fault, and not orjson's to read."""
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
    def test_a_member_that_stands_twice_is_seen_although_orjson_says_nothing(self, raw):
        """It reads such an object, and then writes it shorter: so it is not believed."""
        assert isinstance(orjson.loads(raw), dict)
        assert BY_ORJSON(raw) is None

    def test_it_is_not_asked_about_more_brackets_than_levels_are_read(self):
        """However they are spread: how deep it goes does not depend on orjson's own limit."""
        with patch.object(orjson, "loads") as loads, patch.object(orjson, "dumps"):
            reader = encoding.object_by_orjson()
            assert reader(holding("[" * 32 + "]" * 32)) is None
            loads.assert_not_called()
            reader(holding("[" * 31 + "]" * 31))
            loads.assert_called_once()

    def test_neither_it_nor_pybase64_is_needed(self):
        """Where one is not installed, there is no such reader."""
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
# Texts of the pieces that JSON is made of, in any order: nearly all wrong, each in a way of its own.
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
    """An object of these members in this order, without blanks."""
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
    """What a JSON writer wrote of an object within the limits is read back, however it is escaped and spaced."""
    raw = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert strict_object(raw) == (value if levels_of(value) <= 32 else None)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=60),
        JSON_PIECES.map(lambda pieces: "".join(pieces).encode()),
        JSON_PIECES.map(lambda pieces: ('{"a":' + "".join(pieces) + "}").encode()),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        # As orjson would write it, and one member more than once.
        st.lists(st.tuples(st.text(max_size=1), JSON_VALUES)).map(as_written),
    )
)
@example(b'{"a":NaN}')
@example(b'{"a":"\\ud800"}')
def test_no_octets_make_it_raise_and_it_agrees_with_json(raw):
    """Any octets are answered, and an answer is the plain JSON value: stricter, never different."""
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
        """A byte order mark in front is no error; what the value should be, others say."""
        for raw in (b'{"a":[1]}', b"[]", b'"x"', b"null", b" 5 "):
            assert tolerant_json(mark + raw) == json.loads(raw)

    def test_objects_with_repeated_members_are_marked_wherever_they_stand(self):
        """Each object tells by itself whether a member stands twice, so that its neighbours stay usable."""
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
    def test_what_is_no_json_is_a_value_error_and_nothing_else(self, raw):
        """HTML, another encoding and any depth end in one kind of error."""
        with pytest.raises(ValueError):
            tolerant_json(raw)

    def test_a_number_of_any_length_costs_nobody_else(self):
        """A number longer than Python turns into an int is one odd member, no end of the document."""
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
        """Padding, right or wrong, and the standard alphabet are what real providers serve."""
        assert tolerant_octets(value, 4) == octets

    def test_every_character_counts_wherever_it_stands(self):
        """Only padding is taken off."""
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
    def test_all_else_is_refused(self, value):
        """What is empty, no string or no base64 is no key material, and no crash."""
        assert tolerant_octets(value, 100) is None

    def test_the_longest_is_within(self):
        """Up to ``longest`` octets are read, not one more, and a huge text is not even decoded."""
        assert tolerant_octets(to_text(bytes(4)), 4) == bytes(4)
        assert tolerant_octets(to_text(bytes(5)), 4) is None
        assert tolerant_octets("A" * 1_000_000, 4) is None
        assert tolerant_octets("Zg" + "=" * 1_000_000, 4) is None

    @settings(deadline=None)
    @given(st.text(max_size=20) | st.binary(max_size=20).map(to_text))
    def test_what_a_token_may_hold_a_key_may(self, value):
        """Tolerant reading never reads a canonical text differently from strict reading."""
        strict = decode_segment(value.encode("utf-8", "surrogatepass"))
        if strict:
            assert tolerant_octets(value, 100) == strict
        else:
            tolerant_octets(value, 100)


@pytest.mark.parametrize(("octets", "text"), [(b"", ""), (b"f", "Zg"), (b"\xfb\xff", "-_8")])
def test_base64url_is_written_without_padding(octets, text):
    """What is written is canonical base64url: no padding, the URL alphabet."""
    assert to_base64url(octets) == text
