"""Texts that two readers read differently: repeated members, odd encodings, depth (RFC 8725, 2.6)."""

from __future__ import annotations

import json

import pytest
from forging import (
    EC,
    ISSUER,
    NOW,
    Stand,
    claims_of,
    document,
    entry_of,
    header_of,
    made_by,
    octets_of,
    own_key,
    signed,
)

from jwks_client import KeysUnavailableError

CLAIMS = octets_of(claims_of(EC))
HEADER = octets_of(header_of(EC))


def before(octets, more):
    """Return an object with extra members in front."""
    return b"{" + more + b"," + octets[1:]


def behind(octets, more):
    return octets[:-1] + b"," + more + b"}"


@pytest.mark.parametrize("place", [before, behind])
@pytest.mark.parametrize(
    "more",
    [b'"alg":"none"', b'"alg":"ES256"', b'"kid":"evil"', b'"typ":"x"', b'"\\u0061lg":"none"'],
)
def test_a_header_with_a_repeated_member_is_refused(drive, place, more):
    """A repeated header member is refused, first or last, with the same or another value, escaped or not."""
    Stand(drive, EC).assert_refused(signed(EC, place(HEADER, more)), "malformed_token")


@pytest.mark.parametrize("place", [before, behind])
@pytest.mark.parametrize(
    "more",
    [
        *(b'"sub":"admin"', b'"exp":9999999999', b'"aud":"api"', b'"iss":"https://issuer.test"'),
        *(b'"s\\u0075b":"admin"', b'"a":1,"a":1', b'"a":{"b":1,"b":2}', b'"a":[{"b":1,"b":1}]'),
        *(b'"a":{"":0,"":0}', b'"a":{"b":{"c":{"d":1,"d":2}}}'),
    ],
)
def test_claims_with_a_repeated_member_are_refused(drive, place, more):
    """A repeated claim is refused at the top and at any depth."""
    Stand(drive, EC).assert_refused(signed(EC, payload=place(CLAIMS, more)), "malformed_token")


def test_names_that_look_alike_are_different(drive):
    """Members are compared exactly: ``Exp`` is not ``exp``, and neither hides the other."""
    stand = Stand(drive, EC)
    for name in ("Exp", "EXP", "exp ", "exp\0", "\u0435xp", "ex\u200bp"):
        stand.assert_accepted(signed(EC, payload=claims_of(EC, **{name: 1})))
        stand.assert_refused(
            signed(EC, payload=claims_of(EC, exp=..., **{name: NOW + 60})), "missing_claim", "exp"
        )


NOT_JSON = {
    "nothing": b"",
    "byte order mark": b"\xef\xbb\xbf%s",
    "UTF-16": None,
    "Latin-1": b'{"a":"\xe4",' + CLAIMS[1:],
    "overlong": b'{"a":"\xc0\xaf",' + CLAIMS[1:],
    "surrogate octets": b'{"a":"\xed\xa0\x80",' + CLAIMS[1:],
    "lone surrogate": b'{"a":"\\ud800",' + CLAIMS[1:],
    "lone surrogate as name": b'{"\\udfff":1,' + CLAIMS[1:],
    "surrogates, wrong way round": b'{"a":"\\udc00\\ud800",' + CLAIMS[1:],
    "two objects": CLAIMS + CLAIMS,
    "more behind": CLAIMS + b" x",
    "NUL behind": CLAIMS + b"\0",
    "comma behind": CLAIMS[:-1] + b",}",
    "comment": b"/* */" + CLAIMS,
    "comment line": CLAIMS + b"//",
    "single quotes": CLAIMS.replace(b'"', b"'"),
    "no quotes": b"{iss:1}",
    "cut": CLAIMS[:-1],
    "control character": b'{"a":"\n",' + CLAIMS[1:],
    "bad escape": b'{"a":"\\x41",' + CLAIMS[1:],
    "form feed": b"\x0c" + CLAIMS,
    "no-break space": "\u00a0".encode() + CLAIMS,
    "XSSI prefix": b")]}'\n" + CLAIMS,
    "JSONP": b"f(" + CLAIMS + b")",
    "YAML": b"iss: https://issuer.test",
    "NaN": b'{"a":NaN,' + CLAIMS[1:],
}
NOT_JSON["byte order mark"] = b"\xef\xbb\xbf" + CLAIMS
NOT_JSON["UTF-16"] = CLAIMS.decode().encode("utf-16")


@pytest.mark.parametrize("octets", NOT_JSON.values(), ids=NOT_JSON)
def test_anything_but_plain_json_is_refused(drive, octets):
    """A text that is not plain JSON is refused as payload and as header, although the key signed it."""
    stand = Stand(drive, EC)
    stand.assert_refused(signed(EC, payload=octets), "malformed_token")
    stand.assert_refused(signed(EC, header=octets.replace(CLAIMS, HEADER)), "malformed_token")


@pytest.mark.parametrize("levels", [33, 100, 1_000, 6_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["[", "{"])
def test_nesting_beyond_32_levels_is_refused(drive, levels, opening, closing):
    """Levels are counted in header and payload, closed or not, so deep nesting raises no recursion error."""
    depth = min(levels, 2_000) if len(opening) > 1 else levels
    inner = depth - 1
    deep = opening * inner + b"1" + closing * inner
    stand = Stand(drive, EC)
    stand.assert_refused(signed(EC, payload=before(CLAIMS, b'"a":' + deep)), "malformed_token")
    stand.assert_refused(signed(EC, payload=opening * depth), "malformed_token")
    header = before(HEADER, b'"a":' + deep)
    small = len(header) < 3000
    stand.assert_refused(
        signed(EC, header=header), "malformed_token" if small else "token_too_large"
    )


def test_32_levels_are_read(drive):
    """32 levels are read, and brackets in a text do not count."""
    stand = Stand(drive, EC)
    stand.assert_accepted(signed(EC, payload=before(CLAIMS, b'"a":' + b"[" * 31 + b"]" * 31)))
    stand.assert_accepted(signed(EC, payload=claims_of(EC, a="[" * 500, b="{" * 500)))


def twice(entry, more):
    """Return a key set of one entry with a repeated member, and a good entry."""
    return f'{{"keys":[{json.dumps(entry)[:-1]},{more}}},{json.dumps(entry_of(EC))}]}}'.encode()


@pytest.mark.parametrize(
    "more",
    ['"kid":"other"', '"x":"AA"', '"use":"enc"', '"alg":"ES256"', '"kty":"oct"'],
)
def test_a_key_with_a_repeated_member_verifies_nothing(drive, more):
    """An entry with a repeated member verifies nothing under either value, and the good key next to it stays usable."""
    key = own_key("ES256", "odd")
    EC.fail(twice(key.jwk(), more))
    stand = Stand(drive, EC)
    for kid in ("odd", "other"):
        token = made_by(key.sign, header_of(EC, kid=kid), claims_of(EC))
        stand.assert_refused(token, "unknown_key")


@pytest.mark.parametrize(
    "body",
    [
        b'{"keys":[],"keys":%s}',
        b'{"keys":%s,"keys":[]}',
        b'{"keys":%s,"keys":%s}',
        b'{"a":1,"a":1,"keys":%s}',
        b'{"k\\u0065ys":[],"keys":%s}',
    ],
)
def test_a_key_set_with_a_repeated_member_is_a_failed_fetch(drive, idp, body):
    """A set with a repeated `keys` member is a failed fetch, and the cached set stays."""
    drive.client(idp)
    good = json.dumps(idp.jwks()["keys"]).encode()
    idp.fail(body.replace(b"%s", good))
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(idp.issue())
    assert caught.value.code == "bad_key_set"
    idp.recover()
    drive.refresh()
    token = idp.issue()
    assert drive.verify(token).issuer == ISSUER
    idp.fail(body.replace(b"%s", json.dumps(document(own_key("RS256").jwk())["keys"]).encode()))
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    assert drive.verify(token).issuer == ISSUER
