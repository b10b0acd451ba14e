"""Strict parsing of a token, and the attributes of a verified token."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from typing import TypedDict

import pytest
from signed_tokens import (
    ABSENT,
    CLAIMS,
    HEADER,
    ISSUER,
    KEY,
    MARKER,
    MAX_HEADER,
    NOW,
    SIGNER,
    assert_refused,
    compact,
    octets,
    rules,
    segment,
    token,
    unverified,
    verified,
)

from jwks_client import InsufficientScopeError, TokenError
from jwks_client._core.provider import SUPPORTED_ALGORITHMS
from jwks_client._core.tokens.unverified import parse, text_of
from jwks_client._core.tokens.verified import VerifiedToken, find_signing_key

MAX_TOKEN = 16 * 1024


class Text(str):
    __slots__ = ()


class Octets(bytes):
    __slots__ = ()


def read(raw: object, max_token: int = MAX_TOKEN, max_header: int = MAX_HEADER) -> object:
    """Parse a token's bytes, as it is done before any key is looked up."""
    return parse(text_of(raw, max_token), max_header)


# Size and type


@pytest.mark.parametrize("kind", [str, Text, str.encode, lambda raw: Octets(raw.encode())])
def test_bytes_and_str_are_treated_alike(kind):
    """A token gives the same result as str or bytes, subclasses included."""
    good = token()
    assert read(kind(good)) == read(good)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        0,
        1.5,
        True,
        [],
        {},
        (),
        object(),
        bytearray(b"a.b.c"),
        memoryview(b"a.b.c"),
        ["a.b.c"],
    ],
)
def test_a_token_that_is_neither_str_nor_bytes_is_malformed(raw):
    """A token of any other type is malformed and not a TypeError."""
    assert_refused("malformed_token", text_of, raw, MAX_TOKEN)


@pytest.mark.parametrize("kind", [str, str.encode])
def test_a_token_may_be_as_long_as_the_limit(kind):
    """The limit is the longest length that is accepted, for str and bytes alike."""
    good = token()
    assert text_of(kind(good), len(good)) == good
    assert_refused("token_too_large", text_of, kind(good), len(good) - 1)


@pytest.mark.parametrize(
    "raw",
    [
        "a" * 2**20,
        b"a" * 2**20,
        "ä" * 2**20,
        b"\xff" * 2**20,
        "." * 2**20,
        "a.b.c.d." + "e" * 2**20,
    ],
    ids=["str", "bytes", "no ASCII", "no ASCII bytes", "dots", "five segments"],
)
def test_size_is_judged_before_anything_else(raw):
    """A megabyte is too large, whatever its content."""
    assert_refused("token_too_large", read, raw)


@pytest.mark.parametrize("where", [0, 40, -1])
@pytest.mark.parametrize("character", ["ä", "\udc80", "\u212a", "\uff11", "\U0001f511"])
def test_a_token_must_be_ascii(where, character):
    """One character beyond ASCII anywhere makes a token malformed, as str or as UTF-8."""
    good = token()
    bad = good[:where] + character + good[where:]
    assert_refused("malformed_token", read, bad)
    assert_refused("malformed_token", read, bad.encode("utf-8", "surrogatepass"))


def test_a_header_may_be_as_long_as_its_limit():
    """The header segment has its own limit, counted in characters."""
    long = token({"x": "x" * 1000})
    length = long.index(".")
    assert parse(long, length).header.members["x"] == "x" * 1000
    assert_refused("token_too_large", parse, long, length - 1)
    assert parse(token(big="x" * 1000), length)


# Shape


@pytest.mark.parametrize("raw", [None, 5, {}, ["a"], object()])
def test_a_token_of_another_type_names_the_type(raw):
    """A token of another type is refused with the name of its type, and never with its value."""
    error = assert_refused("malformed_token", text_of, raw, 100)
    assert error.message == f"the token must be str or bytes, got {type(raw).__name__}"


@pytest.mark.parametrize("count", [0, 1, 2, 4, 6, 7, 1000])
@pytest.mark.parametrize("content", ["", "e30"])
def test_a_signed_token_must_have_three_segments(count, content):
    """Fewer or more than three segments are malformed, whatever they hold, and the message gives the number."""
    error = assert_refused("malformed_token", read, ".".join([content] * count))
    assert "three segments" in error.message


@pytest.mark.parametrize(
    "around", ["Bearer {}", "{}\n", " {}", "{}\r\n", "\t{}", "{} x", "Bearer  x"]
)
def test_a_token_with_blanks_names_them(around):
    """A token with blanks, as read from a header or a file, is refused with a message that names them."""
    for good in (token(), "x.y.z"):
        error = assert_refused("malformed_token", read, around.format(good))
        assert 'the part after "Bearer "' in error.message


def test_three_empty_segments_are_malformed():
    """A token of three empty segments is malformed."""
    assert_refused("malformed_token", read, "..")


@pytest.mark.parametrize("raw", ["....", "e30.e30.e30.e30.e30", f"{segment('{}')}.$.$.$.$"])
def test_five_segments_are_an_encrypted_token(raw):
    """A JWE has its own code, since its issuer may be at fault rather than its bearer."""
    assert_refused("encrypted_token", read, raw)


@pytest.mark.parametrize("way", [str, lambda raw: raw.encode("utf-8", "surrogatepass")])
@pytest.mark.parametrize("character", ["\u00e9", "\u01d1", "\ud800"])
@pytest.mark.parametrize("segments", [1, 2, 3, 4, 5, 6])
def test_text_beyond_ascii_is_malformed_whatever_its_segments(way, character, segments):
    """Text and octets beyond ASCII get the same error, even with five segments (found by fuzzing)."""
    assert_refused("malformed_token", read, way(".".join(["e30"] * segments) + character))
    long = way(character + ".".join(["A" * 200] * segments))
    assert_refused("malformed_token", read, long, max_header=100)


@pytest.mark.parametrize("suffix", [".", ".e30", "..."])
def test_a_good_token_with_a_suffix_is_malformed(suffix):
    """Anything after the signature makes a token malformed."""
    assert_refused("malformed_token", read, token() + suffix)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda first, second, third: first, "malformed_token"),
        (lambda first, second, third: f"{first}.{third}", "malformed_token"),
        (lambda first, second, third: f"{first}..{third}", "malformed_token"),
        (lambda first, second, third: f"{first}.{second}", "malformed_token"),
        (lambda first, second, third: f"{first}.{second}.{third}.", "malformed_token"),
        (lambda first, second, third: f"{first}.{second}.{second}.{third}", "malformed_token"),
        (lambda first, second, third: f"{first}.{second}.{third}.{third}.", "encrypted_token"),
        (lambda first, second, third: f"{first}....{third}", "encrypted_token"),
        (lambda first, second, third: f"{first}.{second}.{third}\u00e9", "malformed_token"),
        (lambda first, second, third: f"{first}.{second}\ud800.{third}", "malformed_token"),
    ],
)
def test_a_known_header_does_not_change_the_number_of_segments(change, code):
    """After a known header segment the rest of a token is parsed as strictly as any."""
    raw = token()
    good = parse(raw, MAX_HEADER)
    known = {good.header_segment: good.header}
    assert parse(raw, MAX_HEADER, known) == good
    assert_refused(code, parse, change(*raw.split(".")), MAX_HEADER, known)


def test_the_message_names_the_unreadable_part():
    """The message names the payload or the signature as the part that cannot be decoded."""
    first, second, third = token().split(".")
    error = assert_refused("malformed_token", read, f"{first}.{second}!.{third}")
    assert "payload" in error.message
    error = assert_refused("malformed_token", read, f"{first}.{second}.{third}!")
    assert "signature" in error.message


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"payload": "e30", "protected": "e30", "signature": "e30"}),
        json.dumps({"payload": "e30", "signatures": [{"protected": "e30", "signature": "e30"}]}),
        '{"a":"' + token() + '"}',
        f'"{token()}"',
        f"Bearer {token()}",
    ],
)
def test_only_the_compact_form_is_read(raw):
    """JSON serialization, even of a good token, and a leading scheme are malformed."""
    assert_refused("malformed_token", read, raw)


UNDECODABLE = {
    "padding": lambda s: s + "=",
    "padding that would fit": lambda s: s + "=" * (-len(s) % 4 or 4),
    "plus": lambda s: "+" + s[1:],
    "slash": lambda s: "/" + s[1:],
    "blank inside": lambda s: s[:4] + " " + s[5:],
    "blank before": lambda s: " " + s,
    "blank behind": lambda s: s + " ",
    "line break": lambda s: s[:4] + "\n" + s[4:],
    "line break behind": lambda s: s + "\n",
    "tab": lambda s: s + "\t",
    "NUL": lambda s: s[:4] + "\0" + s[5:],
    "percent": lambda s: "%41" + s[3:],
    "one character too many": lambda s: s + "A" * ((1 - len(s)) % 4),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("fault", UNDECODABLE)
def test_every_segment_must_be_base64url(place, fault):
    """Padding, blanks, line breaks and characters of another alphabet are refused in every segment."""
    segments = token().split(".")
    segments[place] = UNDECODABLE[fault](segments[place])
    assert_refused("malformed_token", read, ".".join(segments))


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("tail", [1, 2])
def test_stray_bits_of_the_last_character_are_refused(place, tail):
    """Stray bits in the last character are refused, so no two texts decode to the same octets."""
    contents = [octets(HEADER, {}), octets(CLAIMS, {})]
    contents[place] += b" " * ((tail - len(contents[place])) % 3)
    segments = compact(*contents).split(".")
    assert read(".".join(segments))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = segments[place][-1]
    segments[place] = segments[place][:-1] + alphabet[alphabet.index(last) + 1]
    assert_refused("malformed_token", read, ".".join(segments))


NO_CLAIMS_OBJECT = {
    "empty": b"",
    "no JSON": b"what?",
    "half": b'{"alg":"ES256"',
    "number": b"0",
    "true": b"true",
    "null": b"null",
    "list": b"[]",
    "list of pairs": b'[["alg","ES256"]]',
    "string": b'""',
    "object in a string": json.dumps('{"alg":"ES256"}').encode(),
    "two objects": b'{"alg":"ES256"}{"alg":"ES256"}',
    "byte order mark": b'\xef\xbb\xbf{"alg":"ES256"}',
    "UTF-16": '{"alg":"ES256"}'.encode("utf-16"),
    "no UTF-8": b'{"alg":"ES256","x":"\xff"}',
    "overlong UTF-8": b'{"alg":"ES256","x":"\xc0\xaf"}',
    "surrogates in UTF-8": b'{"alg":"ES256","x":"\xed\xa0\x80"}',
    "escaped lone surrogate": b'{"alg":"ES256","x":"\\ud800"}',
    "duplicate": b'{"alg":"ES256","alg":"ES256"}',
    "duplicate by escape": b'{"alg":"ES256","al\\u0067":"ES256"}',
    "nested duplicate": b'{"alg":"ES256","x":{"y":1,"y":1}}',
    "NaN": b'{"alg":"ES256","x":NaN}',
    "Infinity": b'{"alg":"ES256","x":-Infinity}',
    "infinite by exponent": b'{"alg":"ES256","x":1e999}',
    "33 levels": b'{"alg":"ES256","x":' + b"[" * 32 + b"]" * 32 + b"}",
    "a hundred thousand levels": b"[" * 100_000,
    "65 digits": b'{"alg":"ES256","x":' + b"1" * 65 + b"}",
    "control character": b'{"alg":"ES256","x":"\n"}',
    "comment": b'{"alg":"ES256"/**/}',
    "trailing comma": b'{"alg":"ES256",}',
    "single quotes": b"{'alg':'ES256'}",
}


@pytest.mark.parametrize("fault", NO_CLAIMS_OBJECT)
@pytest.mark.parametrize("place", ["header", "payload"])
def test_header_and_payload_must_each_be_a_strict_json_object(place, fault):
    """Text that two readers could read differently is refused."""
    raw = compact(**{place: NO_CLAIMS_OBJECT[fault]})
    assert_refused("malformed_token", parse, raw, 10**6)


def test_blanks_32_levels_and_64_digits_are_accepted():
    """JSON within the limits is read: blanks, 32 levels and 64 digits."""
    payload = (
        b' \n{"x" : ' + b"[" * 31 + b"1" * 64 + b"]" * 31 + b' , "\xc3\xa4":"\\ud83d\\udd11"}\t'
    )
    claims = parse(compact(payload=payload), MAX_HEADER).claims
    assert claims["ä"] == "\U0001f511"
    assert str(claims["x"]).count("[") == 31


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_header_is_refused_and_an_empty_payload_is_not(empty):
    """A header needs alg; an empty payload is parsed, because required claims are each provider's own rule."""
    if empty == 0:
        assert_refused("malformed_token", read, compact(header=b"{}"))
    else:
        assert parse(compact(payload=b"{}"), MAX_HEADER).claims == {}


def test_a_parsed_token_keeps_its_parts():
    """A parsed token holds its own octets, and the signature covers the original segments."""
    raw = token({"cty": "x"}, sub="u1")
    first, second, third = raw.split(".")
    read_token = parse(raw, MAX_HEADER)
    assert read_token.raw == raw
    assert read_token.header.members == {**HEADER, "cty": "x"}
    assert read_token.claims == {**CLAIMS, "sub": "u1"}
    assert read_token.payload == octets(CLAIMS, {"sub": "u1"})
    assert read_token.signing_input == f"{first}.{second}".encode()
    assert segment(read_token.signature) == third
    assert (read_token.algorithm, read_token.kid, read_token.token_type) == ("ES256", "k1", "jwt")
    assert read_token.header.wanted == ("k1", "ES256")


def test_an_unverified_token_is_hidden_in_its_repr():
    """No repr shows the token, or claims of a token without a valid signature."""
    given = unverified({"kid": f"{MARKER}-kid"})
    for shown in (repr(given), repr(given.header)):
        assert MARKER not in shown
        assert token().split(".", maxsplit=1)[0] not in shown


# The header's members


@pytest.mark.parametrize("alg", [ABSENT, None, 0, True, ["ES256"], {"ES256": 1}])
def test_a_header_without_a_string_as_alg_is_malformed(alg):
    """A header whose alg is absent or not a string is malformed."""
    assert_refused("malformed_token", read, token({"alg": alg}))


@pytest.mark.parametrize(
    "alg",
    [
        *("none", "None", "NONE", "nOnE", "", " ", "none ", "null"),
        *("HS256", "HS384", "HS512", "hs256", "RS1", "RSA-OAEP", "dir", "ES", "SHA256"),
        *(
            "es256",
            "Es256",
            " ES256",
            "ES256 ",
            "ES256\0",
            "\u0415S256",
            "eddsa",
            "ED25519",
            MARKER,
        ),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_an_algorithm_that_is_not_a_supported_asymmetric_one_is_refused(alg, signed):
    """none in any spelling, HMAC, and unknown or misspelt names are refused, with or without a signature."""
    raw = token({"alg": alg})
    if not signed:
        raw = raw.rsplit(".", 1)[0] + "."
    assert_refused("algorithm_not_allowed", read, raw)


@pytest.mark.parametrize("alg", sorted(SUPPORTED_ALGORITHMS))
def test_every_supported_algorithm_is_parsed(alg):
    """Every supported algorithm is parsed; the provider decides whether it is allowed."""
    assert unverified({"alg": alg}).algorithm == alg


@pytest.mark.parametrize("kid", [None, 0, 1, True, [], ["k1"], {"k": 1}])
def test_a_kid_that_is_not_a_string_is_malformed(kid):
    """A kid of another type is an error and never counts as an absent kid."""
    assert_refused("malformed_token", read, token({"kid": kid}))


@pytest.mark.parametrize(
    ("character", "longest"), [("k", 1024), ("ä", 512), ("€", 341), ("\U0001f511", 256)]
)
def test_a_kid_has_at_most_1024_octets(character, longest):
    """The limit of a kid counts octets, not characters."""
    kid = character * longest
    padding = "k" * (1024 - len(kid.encode()))
    assert parse(token({"kid": padding + kid}), 10**6).kid == padding + kid
    assert_refused("malformed_token", parse, token({"kid": padding + "k" + kid}), 10**6)


@pytest.mark.parametrize(
    "kid", ["", "0", "K1", "../../etc/passwd", "' OR 1=1 --", "a\0b", "http://x/", "$(id)", "a.b"]
)
def test_any_other_kid_is_only_a_name(kid):
    """Any other kid is kept exactly, for a key set to contain or not."""
    assert unverified({"kid": kid}).kid == kid


def test_an_absent_kid_is_none():
    """A kid is optional (RFC 7515, section 4.1.4)."""
    assert unverified({"kid": ABSENT}).kid is None


@pytest.mark.parametrize("typ", [None, 0, True, [], ["JWT"], {"typ": "JWT"}])
def test_a_typ_that_is_not_a_string_is_malformed(typ):
    """A typ of another type is an error and never counts as an absent typ."""
    assert_refused("malformed_token", read, token({"typ": typ}))


@pytest.mark.parametrize(
    ("typ", "plain"),
    [
        (ABSENT, None),
        ("JWT", "jwt"),
        ("jwt", "jwt"),
        ("jWt", "jwt"),
        ("application/JWT", "jwt"),
        ("APPLICATION/at+JWT", "at+jwt"),
        ("", ""),
        ("application/", ""),
        (" JWT", " jwt"),
        ("text/jwt", "text/jwt"),
        ("application/application/jwt", "application/jwt"),
        ("jwtapplication/", "jwtapplication/"),
    ],
)
def test_typ_is_compared_without_case_and_application_is_optional(typ, plain):
    """One prefix application/ is optional (RFC 7515, section 4.1.9); nothing else is ignored."""
    assert unverified({"typ": typ}).token_type == plain


@pytest.mark.parametrize(
    "crit", [[], ["exp"], ["b64"], ["unknown"], ["alg"], [1], [None], None, "exp", {}, 0, False]
)
def test_crit_of_any_kind_is_refused(crit):
    """No extension is supported, so every crit is refused (RFC 7515, section 4.1.11)."""
    assert_refused("unsupported_critical_header", read, token({"crit": crit, "exp": NOW}))


@pytest.mark.parametrize("b64", [False, None, 0, 1, "true", "false", [], [True]])
def test_any_b64_but_true_is_refused(b64):
    """An unencoded payload is not a JWT (RFC 7797, section 7), with crit or without."""
    assert_refused("unsupported_critical_header", read, token({"b64": b64}))


def test_b64_true_is_accepted():
    """`b64: true` is the default and is accepted."""
    assert unverified({"b64": True}).algorithm == "ES256"


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "crit2"])
@pytest.mark.parametrize("value", [None, 0, "https://evil.test/", ["MIIB"], SIGNER.jwk()])
def test_keys_and_places_of_keys_in_the_header_are_ignored(member, value):
    """Keys and key URLs in a token's header never reach key selection."""
    for name in ("algorithm", "kid", "token_type"):
        assert getattr(unverified({member: value}), name) == getattr(unverified(), name)


# The order of verdicts


@pytest.mark.parametrize(
    ("code", "header", "payload"),
    [
        ("malformed_token", {"crit": ["x"], "alg": "none"}, b"[]"),
        ("malformed_token", {"crit": ["x"], "kid": 1}, None),
        ("malformed_token", {"crit": ["x"], "typ": 1}, None),
        ("malformed_token", {"crit": ["x"], "alg": 1}, None),
        ("unsupported_critical_header", {"crit": ["x"], "alg": "none"}, None),
        ("unsupported_critical_header", {"b64": False, "alg": "HS256"}, None),
        ("algorithm_not_allowed", {"alg": "HS256", "typ": "other"}, None),
    ],
)
def test_shape_is_judged_before_crit_and_crit_before_alg(code, header, payload):
    """Of several faults the first in this order is the verdict: shape, crit, alg."""
    assert_refused(code, read, compact(octets(HEADER, header), payload))


@pytest.mark.parametrize("header", [{"crit": ["x"]}, {"alg": "none"}])
@pytest.mark.parametrize("signature", ["=", "A", "AA=="])
def test_a_signature_that_is_not_base64url_is_a_fault_of_shape(header, signature):
    """A signature that is not base64url is refused before crit and alg, as the other segments are."""
    assert_refused("malformed_token", read, token(header).rsplit(".", 1)[0] + "." + signature)


def test_the_header_s_size_is_judged_before_its_shape():
    """A header that is too large is refused unparsed."""
    assert_refused("token_too_large", parse, f"{'=' * 11}.=.=", 10)
    assert_refused("malformed_token", parse, f"{'=' * 10}.=.=", 10)


# Signatures


def test_only_the_key_s_own_signature_is_valid():
    """Other octets under a signature, or another signature, are invalid."""
    good = unverified()
    assert find_signing_key(good, (KEY,)) is KEY
    assert find_signing_key(unverified(sub="u2")._replace(signature=good.signature), (KEY,)) is None
    assert find_signing_key(good._replace(signing_input=good.signing_input + b"A"), (KEY,)) is None


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_a_signature_with_one_bit_changed_is_invalid(bit):
    """Every bit of a signature counts."""
    good = unverified()
    changed = bytearray(good.signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert find_signing_key(good._replace(signature=bytes(changed)), (KEY,)) is None


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\0" * 63, b"\0" * 6400])
def test_a_signature_of_another_form_is_invalid(signature):
    """An empty, short, long or zero signature is invalid and causes no crash."""
    assert find_signing_key(unverified()._replace(signature=signature), (KEY,)) is None


def test_an_algorithm_that_the_key_does_not_fit_is_never_valid():
    """The key, not the header, decides for which algorithm it is used."""
    for algorithm in SUPPORTED_ALGORITHMS - KEY.algorithms:
        given = unverified()
        renamed = replace(given.header, algorithm=algorithm)
        assert find_signing_key(given._replace(header=renamed), (KEY,)) is None


@pytest.mark.parametrize("outcome", [1, "yes", True, False, [None], ValueError(), MemoryError()])
def test_only_the_engine_s_own_yes_is_a_valid_signature(outcome):
    """Any other answer of the engine, or an exception over hostile bytes, is invalid, and the next key is tried."""

    def verify(signature: bytes, signed: bytes) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    broken = replace(KEY, verifiers={"ES256": verify})
    assert find_signing_key(unverified(), (broken,)) is None
    assert find_signing_key(unverified(), (broken, KEY)) is KEY


def test_an_exception_of_a_signal_handler_refuses_no_token():
    """A soft time limit may end a verification inside the engine, and is not taken for an invalid signature."""

    class SoftTimeLimitExceeded(Exception):
        pass

    def interrupted(signature: bytes, signed: bytes) -> object:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        find_signing_key(unverified(), (replace(KEY, verifiers={"ES256": interrupted}),))


# A verified token


def test_the_attributes_of_a_verified_token():
    """Each attribute of a verified token is what the token and its key say."""
    raw = token({"x": 1}, aud=["api", "other"], scope="a b")
    facts = rules().check_claims(parse(raw, MAX_HEADER), KEY, NOW)
    seen = verified({"x": 1}, aud=["api", "other"], scope="a b")
    assert seen.claims == {**CLAIMS, "aud": ["api", "other"], "scope": "a b"}
    assert seen.header == {**HEADER, "x": 1}
    assert (seen.issuer, seen.subject) == (ISSUER, CLAIMS["sub"])
    assert (seen.audience, seen.scopes) == (("api", "other"), {"a", "b"})
    assert isinstance(seen.audience, tuple)
    assert isinstance(seen.scopes, frozenset)
    assert (seen.expires_at, seen.issued_at) == (NOW + 60, NOW)
    assert (seen.key_id, seen.algorithm, seen.provider) == ("k1", "ES256", "p")
    assert facts.raw == raw
    assert seen.raw.split(".")[:2] == raw.split(".")[:2]


def test_an_absent_claim_gives_none_or_empty():
    """An attribute without a claim is None or empty."""
    bare = verified({"kid": ABSENT}, **dict.fromkeys(CLAIMS, ABSENT))
    assert bare.claims == {}
    assert (bare.issuer, bare.subject, bare.audience, bare.scopes) == (None, None, (), frozenset())
    assert (bare.expires_at, bare.issued_at) == (None, None)
    assert bare.key_id == "k1"  # of the key that verified it


ATTRIBUTES = [
    *("claims", "header", "issuer", "subject", "audience", "scopes", "expires_at", "issued_at"),
    *("key_id", "algorithm", "provider", "raw", "_facts", "_claims", "anything"),
]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_verified_token_is_immutable(name):
    """No attribute of a verified token can be set or deleted, and the error names the attribute."""
    seen = verified()
    before = copy.copy(seen)
    with pytest.raises(AttributeError, match=name):
        setattr(seen, name, "x")
    with pytest.raises(AttributeError, match=name):
        delattr(seen, name)
    assert seen == before
    assert seen.subject == CLAIMS["sub"]


def test_claims_and_header_belong_to_their_holder():
    """Changing claims or header, nested parts too, changes nothing for other holders of that token's facts."""
    facts = rules().check_claims(unverified({"x": {"y": [1]}}), KEY, NOW)
    one, other = type(verified())(facts), type(verified())(facts)
    one.claims["private"]["nested"].append("mine")
    one.claims["sub"] = "mine"
    one.header["x"]["y"].append(2)
    del one.header["kid"]
    third = type(verified())(facts)
    for unchanged in (other, third):
        assert unchanged.claims == CLAIMS
        assert unchanged.header == {**HEADER, "x": {"y": [1]}}
        assert unchanged.subject == CLAIMS["sub"]
    assert one.claims["private"]["nested"][-1] == "mine"
    assert one.header["x"] == {"y": [1, 2]}
    assert one == other


def test_claims_are_plain_json():
    """`json.dumps` accepts claims and header, and gives what the token said."""
    seen = verified({"x": [None]}, pi=3.25, big=2**60, on=True, none=None, text="ä")
    assert type(seen.claims) is dict
    assert (
        json.loads(json.dumps(seen.claims))
        == seen.claims
        == {
            **CLAIMS,
            "pi": 3.25,
            "big": 2**60,
            "on": True,
            "none": None,
            "text": "ä",
        }
    )
    assert json.loads(json.dumps(seen.header)) == {**HEADER, "x": [None]}


def test_the_repr_shows_who_accepted_the_token_and_none_of_its_content():
    """The repr shows provider, algorithm and kid; no token, no claims, no header."""
    seen = verified({"x": MARKER}, iss=f"{MARKER}-iss", aud=f"{MARKER}-aud", scope=MARKER)
    assert repr(seen) == "<VerifiedToken provider='p' algorithm='ES256' key_id='k1'>"
    assert str(seen) == repr(seen)
    assert f"{[seen]} {(seen,)!r}".count("VerifiedToken") == 2


def test_the_shared_facts_hide_token_and_payload():
    """The facts behind a token may appear in another repr, and hide token, header and payload."""
    facts = rules().check_claims(
        unverified({"x": MARKER}, private=MARKER, sub="u1", jti="j"), KEY, NOW
    )
    assert MARKER not in repr(facts)
    assert facts.raw not in repr(facts)


def test_tokens_are_equal_by_content_and_provider():
    """Tokens are equal by header, claims and provider, whatever their signature."""
    raw = token()
    resigned = token()
    assert raw != resigned  # ECDSA uses a random number for each signature
    one, same = (
        rules().check_claims(parse(text, MAX_HEADER), KEY, NOW) for text in (raw, resigned)
    )
    kind = type(verified())
    assert kind(one) == kind(same)
    assert hash(kind(one)) == hash(kind(same))
    assert len({kind(one), kind(same)}) == 1
    elsewhere = rules(name="q").check_claims(parse(raw, MAX_HEADER), KEY, NOW)
    others = [kind(elsewhere), verified(sub="u2"), verified({"x": 1}), raw, None]
    assert all(kind(one) != other for other in others)
    assert hash(kind(elsewhere)) != hash(kind(one))
    assert hash(verified(sub="u2")) != hash(kind(one))


def test_equality_with_another_type_is_left_to_that_type():
    """A stand-in that claims to equal everything is equal to a token."""

    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    assert verified() == Anything()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_without_the_token(protocol):
    """An unpickled token is equal and as immutable; the raw token is not pickled."""
    seen = verified({"x": [1]}, scope="a")
    dumped = pickle.dumps(seen, protocol)
    signature = seen.raw.rsplit(".", 1)[1]
    assert seen.raw.encode() not in dumped
    assert signature.encode() not in dumped
    back = pickle.loads(dumped)
    assert back == seen
    assert back.raw == ""
    assert seen.raw
    names = [name for name in ATTRIBUTES if name not in ("raw", "anything") and name[0] != "_"]
    assert [getattr(back, name) for name in names] == [getattr(seen, name) for name in names]
    with pytest.raises(AttributeError):
        back.subject = "x"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_has_its_own_claims(duplicate):
    """A copy is equal, keeps the raw token, and shares no dict."""
    seen = verified({"x": [1]})
    other = duplicate(seen)
    other.claims["sub"] = "mine"
    other.header["x"].append(2)
    assert seen.claims["sub"] == CLAIMS["sub"]
    assert seen.header["x"] == [1]
    assert other == seen
    assert other.raw == seen.raw


def test_a_deep_copy_of_a_container_copies_its_tokens():
    """Containers of tokens can be deep-copied."""
    held = {"token": verified()}
    other = copy.deepcopy(held)
    assert other == held
    assert other["token"] is not held["token"]


# Scopes


@pytest.mark.parametrize(
    ("scopes", "any_of"),
    [
        ((), ()),
        (("a",), ()),
        (("a", "b"), ()),
        ((), ("a",)),
        ((), ("x", "b")),
        ((), ["x", "b"]),
        ((), {"a"}),
        ((), "a"),
        (("a",), ("x", "b")),
    ],
)
def test_a_token_with_the_scopes_is_returned(scopes, any_of):
    """`require` returns the token if it has all positional scopes and one of ``any_of``; without arguments it always does."""
    seen = verified(scope="a b")
    assert seen.require(*scopes, any_of=any_of) is seen


@pytest.mark.parametrize(
    ("scopes", "any_of", "required"),
    [
        (("x",), (), ("x",)),
        (("b", "x", "a"), (), ("a", "b", "x")),
        (("A",), (), ("A",)),
        (("a b",), (), ("a b",)),
        (("",), (), ("",)),
        ((), ("x",), ("x",)),
        ((), ("y", "x"), ("x", "y")),
        ((), "ab", ("ab",)),
        (("a",), ("x", "y"), ("x", "y")),
        (("x",), ("a",), ("x",)),
    ],
)
def test_a_token_without_the_scopes_is_refused_with_403(scopes, any_of, required):
    """The error names the required scopes and never the token's own."""
    with pytest.raises(InsufficientScopeError) as caught:
        verified(scope=f"a b {MARKER}").require(*scopes, any_of=any_of)
    error = caught.value
    assert (error.code, error.http_status) == ("insufficient_scope", 403)
    assert error.required == required
    assert MARKER not in f"{error} {error!r}"


def test_a_token_without_any_scope_fails_where_one_is_wanted():
    """A token without scopes fails where a scope is required."""
    for options in ({"any_of": ("a",)}, {"any_of": "a"}):
        with pytest.raises(InsufficientScopeError):
            verified().require(**options)
    with pytest.raises(InsufficientScopeError):
        verified().require("a")


def test_parsed_claims_are_handed_out_once():
    """The first reader of the claims gets the parsed object; later readers get fresh copies."""
    seen = verified()
    claims = {"sub": "u1"}
    own = VerifiedToken(seen._facts, claims)
    assert own.claims is claims
    claims["sub"] = "u2"
    assert seen.claims["sub"] != "u2"
    assert copy.copy(own).claims == seen.claims


def test_a_watcher_learns_which_claims_did_not_fit():
    """Claims that do not fit a type are passed to the watcher as a demand of the handler, and to no other token's."""
    from jwks_client._core.tokens.verified import watch

    class Recorded(list):
        note = list.append

    class Wanted(TypedDict):
        sub: int

    token, found = VerifiedToken(verified()._facts), Recorded()
    watch(token, found)
    for one in (verified(), token):
        with pytest.raises(TokenError) as caught:
            one.claims_as(Wanted)
        assert caught.value._misfit is True
    assert found == [caught.value]


def test_a_watcher_gets_the_refusals_of_its_own_token_only():
    """Integrations see the refusals of `token.require` without the token holding them itself."""
    from jwks_client._core.tokens.verified import watch

    watched, other = VerifiedToken(verified()._facts), verified()

    class Recorded(list):
        note = list.append

    found = Recorded()
    watch(watched, found)
    raised = []
    for one in (watched, other):
        for scopes, any_of in ((("orders:write",), ()), ((), ("orders:write", "admin"))):
            with pytest.raises(InsufficientScopeError) as caught:
                one.require(*scopes, any_of=any_of)
            raised.append(caught.value)
    assert found == raised[:2]
