"""``crit`` and ``b64``: headers that demand an unsupported extension (RFC 7515, 4.1.11; RFC 7797)."""

from __future__ import annotations

import zlib

import pytest
from forging import (
    EC,
    HONEST,
    RSA,
    Stand,
    assembled,
    b64,
    claims_of,
    header_of,
    made_by,
    octets_of,
    signed,
)

DEMANDS = {
    "unknown": {"crit": ["x-policy"], "x-policy": "admins only"},
    "unknown and absent": {"crit": ["x-policy"]},
    "a claim": {"crit": ["exp"], "exp": 1},
    "binding": {"crit": ["cnf"], "cnf": {"jkt": "x"}},
    "b64 true": {"crit": ["b64"], "b64": True},
    "b64 false": {"crit": ["b64"], "b64": False},
    "b64 absent": {"crit": ["b64"]},
    "b64 and unknown": {"crit": ["b64", "x-policy"], "b64": True, "x-policy": 1},
    "what is known anyway": {"crit": ["alg", "typ", "kid"]},
    "itself": {"crit": ["crit"]},
    "twice": {"crit": ["b64", "b64"], "b64": True},
    "empty": {"crit": []},
    "null": {"crit": None},
    "false": {"crit": False},
    "text": {"crit": "b64"},
    "empty text": {"crit": ""},
    "object": {"crit": {"b64": True}},
    "number": {"crit": 0},
    "list of numbers": {"crit": [1]},
    "list of null": {"crit": [None]},
    "nested": {"crit": [["b64"]]},
}


@pytest.mark.parametrize("members", DEMANDS.values(), ids=DEMANDS)
def test_crit_of_any_kind_is_refused(drive, members):
    """No extension is supported, so every ``crit`` is refused, even with a valid signature."""
    stand = Stand(drive, EC)
    stand.assert_refused(signed(EC, header_of(EC, **members)), "unsupported_critical_header")
    stand.assert_refused(
        assembled(header_of(EC, **members), claims_of(EC)), "unsupported_critical_header"
    )


@pytest.mark.parametrize("name", ["Crit", "CRIT", "crit ", " crit", "crit\0", "critical"])
def test_a_member_of_another_name_is_ignored(drive, name):
    """A member whose name only resembles ``crit`` is ignored (RFC 7515, 4)."""
    Stand(drive, EC).assert_accepted(EC.issue(headers={name: ["x-policy"]}))


@pytest.mark.parametrize(
    "b64_member", [False, None, 0, 1, "", "false", "true", [], {}, [True]], ids=repr
)
def test_any_b64_but_true_is_refused(drive, b64_member):
    """A payload that is not base64url is not a JWT (RFC 7797, section 7), so any other value is refused."""
    stand = Stand(drive, EC)
    stand.assert_refused(signed(EC, header_of(EC, b64=b64_member)), "unsupported_critical_header")


def test_b64_true_is_accepted(drive):
    """`b64: true` without crit is the default and is accepted."""
    stand = Stand(drive, EC)
    stand.assert_accepted(EC.issue(headers={"b64": True}))


@pytest.mark.parametrize("algorithm", HONEST)
def test_an_unencoded_payload_is_refused(drive, algorithm):
    """An unencoded or detached payload, or one signed in one form and sent in the other, is refused."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    sign = idp._identity.keys.signing.sign
    payload = octets_of(claims_of(idp))
    for members in ({"b64": False, "crit": ["b64"]}, {"b64": False}):
        header = b64(octets_of(header_of(idp, **members)))
        signature = b64(sign(header.encode() + b"." + payload))
        for body in ("", b64(payload), b64(b"{}")):
            stand.assert_refused(
                f"{header}.{body}.{signature}",
                "malformed_token" if body == "" else "unsupported_critical_header",
            )
        stand.assert_refused(
            header.encode() + b"." + payload + b"." + signature.encode(), "malformed_token"
        )
    plain = b64(octets_of(header_of(idp)))
    signature = b64(sign(plain.encode() + b"." + payload))
    stand.assert_refused(f"{plain}..{signature}", "malformed_token")
    stand.assert_refused(f"{plain}.{b64(payload)}.{signature}", "bad_signature")


def test_a_compressed_payload_is_not_inflated(drive):
    """``zip`` belongs to encrypted tokens: a deflated payload is not an object, whether or not it is a bomb."""
    stand = Stand(drive, RSA)
    deflate = zlib.compressobj(wbits=-15)
    bomb = deflate.compress(b'{"a":"' + b"a" * 5_000_000) + deflate.flush()
    for body in (bomb, zlib.compress(octets_of(claims_of(RSA)))):
        for members in ({"zip": "DEF"}, {}):
            token = made_by(RSA._identity.keys.signing.sign, header_of(RSA, **members), body)
            stand.assert_refused(token, "malformed_token")
    stand.assert_accepted(RSA.issue(headers={"zip": "DEF"}))
