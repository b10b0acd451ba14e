"""Key sets whose keys must verify nothing: for encryption, weak, broken, private, of another kind."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from forging import (
    EC,
    ED,
    MALLORY,
    RSA,
    Stand,
    b64,
    claims_of,
    document,
    entry_of,
    header_of,
    made_by,
    number,
    own_key,
    rsa_key,
    unb64,
)

from jwks_client import KeysUnavailableError
from jwks_client.testing._keys.signing_key import SigningKey

ODD = {name: own_key(name, "odd") for name in ("RS256", "ES256", "Ed25519")}


def assert_unusable_beside(drive, idp, entry, token, *, reason=None):
    """Assert that an entry verifies nothing and does not affect the honest key next to it, in either position."""
    for entries in ((entry, entry_of(idp)), (entry_of(idp), entry)):
        stand = Stand(drive, idp, jwks=document(*entries))
        stand.assert_all_refused([token], "unknown_key")
        (unusable,) = stand.drive.keys().unusable
        assert reason is None or unusable.code == reason
    return stand


def truly(idp, key, **members):
    """Return a token with a valid signature by the key of an odd entry."""
    return made_by(key.sign, header_of(idp, kid=key.kid, **members), claims_of(idp, sub="admin"))


NOT_FOR_SIGNATURES = {
    "use enc": {"use": "enc"},
    "use tls": {"use": "tls"},
    "use blank": {"use": " "},
    "use SIG": {"use": "SIG"},
    "use list": {"use": ["sig"]},
    "use zero": {"use": 0},
    "use true": {"use": True},
    "ops encrypt": {"key_ops": ["encrypt"]},
    "ops wrapKey": {"key_ops": ["wrapKey", "unwrapKey"]},
    "ops sign": {"key_ops": ["sign"]},
    "ops deriveKey": {"key_ops": ["deriveKey", "deriveBits"]},
    "ops blank": {"key_ops": [""]},
    "ops text": {"key_ops": "verify"},
    "ops false": {"key_ops": False},
    "ops Verify": {"key_ops": ["Verify"]},
    "ops with a number": {"key_ops": ["verify", 1]},
    "ops twice": {"key_ops": ["verify", "verify"]},
    "ops object": {"key_ops": {"verify": True}},
    "enc and verify": {"use": "enc", "key_ops": ["verify"]},
    "sig and encrypt": {"use": "sig", "key_ops": ["encrypt"]},
    "alg RSA-OAEP": {"alg": "RSA-OAEP"},
    "alg ECDH-ES": {"alg": "ECDH-ES"},
    "alg of another kind": {"alg": "HS256"},
    "alg blank": {"alg": " "},
    "alg list": {"alg": ["ES256"]},
}


FINE = [
    *({}, {"use": ...}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"alg": ...}),
    # Serializers write absent members so. An empty use does not name another use, an empty list of
    # operations does not name another operation, and an empty alg does not name another algorithm.
    *({"use": ""}, {"use": None}, {"key_ops": []}, {"key_ops": None}, {"alg": None}, {"alg": ""}),
    # An empty private member holds no secret: a reader of the set cannot sign with it.
    *({"d": None}, {"d": ""}, {"oth": []}, {"k": None}, {"priv": ""}),
]


@pytest.mark.parametrize("members", FINE, ids=repr)
@pytest.mark.parametrize("algorithm", ODD)
def test_a_key_for_signatures_verifies_them(drive, algorithm, members):
    """A key for signatures verifies, so the refusals below are due to their own fault."""
    idp, key = {"RS256": RSA, "ES256": EC, "Ed25519": ED}[algorithm], ODD[algorithm]
    entry = {name: value for name, value in {**key.jwk(), **members}.items() if value is not ...}
    Stand(drive, idp, jwks=document(entry_of(idp), entry)).assert_accepted(truly(idp, key))


@pytest.mark.parametrize("members", NOT_FOR_SIGNATURES.values(), ids=NOT_FOR_SIGNATURES)
@pytest.mark.parametrize("algorithm", ODD)
def test_a_key_for_another_use_verifies_nothing(drive, algorithm, members):
    """A key for encryption, or one that does not plainly state verification, is not used."""
    idp, key = {"RS256": RSA, "ES256": EC, "Ed25519": ED}[algorithm], ODD[algorithm]
    assert_unusable_beside(drive, idp, {**key.jwk(), **members}, truly(idp, key))


def rsa_jwk(n, e, **members):
    size = max((n.bit_length() + 7) // 8, 1)
    exponent = e.to_bytes(max((e.bit_length() + 7) // 8, 1), "big")
    return {
        "kty": "RSA",
        "kid": "odd",
        "n": b64(n.to_bytes(size, "big")),
        "e": b64(exponent),
        **members,
    }


@pytest.mark.parametrize("bits", [512, 768, 1024, 2040, 2047])
def test_a_short_rsa_key_is_refused(drive, bits):
    """An RSA key under 2048 bits verifies nothing, even if the signature is valid."""
    if bits < 1024:  # cryptography can no longer generate such a key
        entry = rsa_jwk(2**bits - 1, 65537)
        assert_unusable_beside(drive, RSA, entry, truly(RSA, ODD["RS256"]), reason="weak_key")
        return
    key = rsa_key(bits)
    assert_unusable_beside(drive, RSA, key.jwk(), truly(RSA, key), reason="weak_key")
    padded = {**key.jwk(), "n": b64(b"\0" * 64 + unb64(key.jwk()["n"]))}
    assert_unusable_beside(drive, RSA, padded, truly(RSA, key), reason="weak_key")


def test_a_huge_rsa_key_is_refused(drive):
    """An RSA key over 8192 bits is not used, because a verification would cost too much."""
    for bits in (8193, 16_384, 100_000):
        assert_unusable_beside(drive, RSA, rsa_jwk(2**bits - 1, 65537), truly(RSA, ODD["RS256"]))


@pytest.mark.parametrize("e", [0, 1, 2, 4, 65536, 2**32, 2**32 + 1, 2**64 + 1, 2**2047 + 1])
def test_an_unsafe_rsa_exponent_is_refused(drive, e):
    """With e = 1 the padded digest is its own signature; even and huge exponents are refused too."""
    n = number(ODD["RS256"].jwk()["n"])
    assert_unusable_beside(drive, RSA, rsa_jwk(n, e), truly(RSA, ODD["RS256"]))


def test_a_signature_for_an_exponent_of_1_is_refused(drive):
    """A signature that was made without a key, for an exponent of 1, is refused."""
    n = number(ODD["RS256"].jwk()["n"])
    info = bytes.fromhex("3031300d060960864801650304020105000420")

    def sign(message):
        tail = b"\0" + info + hashlib.sha256(message).digest()
        return b"\0\1" + b"\xff" * (254 - len(tail)) + tail

    token = made_by(sign, header_of(RSA, kid="odd"), claims_of(RSA, sub="admin"))
    assert_unusable_beside(drive, RSA, rsa_jwk(n, 1), token, reason="weak_key")


BROKEN_RSA = {
    "no n": {"n": ...},
    "no e": {"e": ...},
    "n empty": {"n": ""},
    "e empty": {"e": ""},
    "n number": {"n": 5},
    "e number": {"e": 65537},
    "n not base64": {"n": "!!!"},
    "n decimal": {"n": str(number(ODD["RS256"].jwk()["n"]))},
    "n list": {"n": [1]},
    "n null": {"n": None},
    "n zero": {"n": b64(bytes(256))},
    "kty EC": {"kty": "EC"},
    "kty oct": {"kty": "oct"},
    "kty rsa": {"kty": "rsa"},
    "kty list": {"kty": ["RSA"]},
    "kty null": {"kty": None},
    "no kty": {"kty": ...},
}


@pytest.mark.parametrize("members", BROKEN_RSA.values(), ids=BROKEN_RSA)
def test_a_broken_rsa_entry_verifies_nothing(drive, members):
    """A broken RSA entry verifies nothing and raises nothing."""
    entry = {n: v for n, v in {**ODD["RS256"].jwk(), **members}.items() if v is not ...}
    assert_unusable_beside(drive, RSA, entry, truly(RSA, ODD["RS256"]))


X, Y = (ODD["ES256"].jwk()[one] for one in ("x", "y"))
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


def coordinate(value):
    return b64(value.to_bytes(32, "big"))


BROKEN_EC = {
    "off the curve": {"y": X},
    "infinity": {"x": coordinate(0), "y": coordinate(0)},
    "y changed": {"y": coordinate(number(Y) ^ 1)},
    "x beyond the field": {"x": coordinate(2**256 - 1)},
    "x of p": {"x": coordinate(PRIME), "y": Y},
    "no x": {"x": ...},
    "no y": {"y": ...},
    "y empty": {"y": ""},
    "x too long": {"x": b64(b"\1" + unb64(X))},
    "x twice": {"x": b64(unb64(X) * 2)},
    "other curve": {"crv": "P-384"},
    "Koblitz": {"crv": "secp256k1"},
    "Ed25519": {"crv": "Ed25519"},
    "old name": {"crv": "P-256K"},
    "small": {"crv": "P-192"},
    "lower case": {"crv": "p-256"},
    "no curve": {"crv": ...},
    "curve list": {"crv": ["P-256"]},
    "custom curve": {"crv": {"p": 23, "a": 1, "b": 1}},
    "alg of another curve": {"alg": "ES384"},
    "kty OKP": {"kty": "OKP"},
}


@pytest.mark.parametrize("members", BROKEN_EC.values(), ids=BROKEN_EC)
def test_an_invalid_point_verifies_nothing(drive, members):
    """A point off its curve, beyond the field, or on another curve is not used, and nothing is raised."""
    entry = {n: v for n, v in {**ODD["ES256"].jwk(), **members}.items() if v is not ...}
    assert_unusable_beside(drive, EC, entry, truly(EC, ODD["ES256"]))


BROKEN_OKP = {
    "X25519": {"crv": "X25519"},
    "X448": {"crv": "X448"},
    "Ed448": {"crv": "Ed448"},
    "too short": {"x": b64(b"\1" * 31)},
    "too long": {"x": b64(b"\1" * 33)},
    "empty": {"x": ""},
    "no x": {"x": ...},
    "lower case": {"crv": "ed25519"},
    "kty EC": {"kty": "EC"},
    "alg of another kind": {"alg": "ES256"},
}


@pytest.mark.parametrize("members", BROKEN_OKP.values(), ids=BROKEN_OKP)
def test_a_curve_that_cannot_sign_verifies_nothing(drive, members):
    """X25519 is for key agreement, and an Ed25519 key must have 32 octets."""
    entry = {n: v for n, v in {**ODD["Ed25519"].jwk(), **members}.items() if v is not ...}
    assert_unusable_beside(drive, ED, entry, truly(ED, ODD["Ed25519"]))


PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]


@pytest.mark.parametrize("member", PRIVATE)
def test_a_published_private_key_verifies_nothing(drive, member):
    """Any reader of the set could sign with a published private key, so it is not used, and the secret is not shown."""
    secret = b64(b"the-secret-that-was-published")
    for name, idp in {"RS256": RSA, "ES256": EC, "Ed25519": ED}.items():
        entry = {**ODD[name].jwk(), member: secret}
        stand = assert_unusable_beside(
            drive, idp, entry, truly(idp, ODD[name]), reason="private_key"
        )
        token = truly(idp, ODD[name])
        reported = f"{stand.drive.keys().unusable!r}{stand.events!r}{stand.drive.explain(token)}"
        assert secret not in reported


@pytest.mark.parametrize(
    "curve", [ec.SECP384R1, ec.SECP521R1, ec.SECP256K1], ids=lambda one: one.name
)
def test_a_key_of_another_curve_under_a_token_s_kid_does_not_fit(drive, curve):
    """The set's key decides the algorithm, so a token for ES256 does not fit a key of another curve under its kid."""
    name = {"secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}[curve.name]
    key = SigningKey("odd", name, ec.generate_private_key(curve()))
    entry = {n: v for n, v in key.jwk().items() if n != "alg"}
    stand = Stand(drive, EC, jwks=document(entry_of(EC), entry))
    stand.assert_refused(truly(EC, key), "algorithm_not_allowed")
    stand.assert_refused(truly(EC, key, alg=name), "algorithm_not_allowed")


USELESS = {
    "empty": [],
    "null": [None],
    "number": [1],
    "text": ["x"],
    "list": [[]],
    "object": [{}],
    "oct": [{"kty": "oct", "k": ""}],
    "kid": [{"kid": "key-1"}],
    "RSA": [{"kty": "RSA"}],
    "none": [{"kty": "none", "alg": "none"}],
    "for encryption": [{**MALLORY["ES256"].jwk(), "use": "enc"}],
}


@pytest.mark.parametrize("entries", USELESS.values(), ids=USELESS)
def test_a_set_without_a_usable_key_is_a_failed_fetch(drive, idp, entries):
    """A set without a usable key replaces nothing: cached keys stay, and a cold client raises KeysUnavailableError."""
    drive.client(idp)
    good = idp.issue()
    idp.fail(json.dumps({"keys": entries}).encode())
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(good)
    assert caught.value.code == "bad_key_set"
    idp.recover()
    drive.refresh()
    assert drive.verify(good).subject == "u1"
    idp.fail(json.dumps({"keys": entries}).encode())
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    assert drive.verify(good).subject == "u1"


def test_two_keys_of_one_kid_are_both_tried(drive):
    """Two keys share a kid: a signature by either is valid, and by any third key is not."""
    twin = own_key("ES256", "key-1")
    stand = Stand(drive, EC, jwks=document(twin.jwk(), entry_of(EC)))
    stand.assert_accepted(made_by(twin.sign, header_of(EC), claims_of(EC)))
    stand.assert_refused(
        made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC)), "bad_signature"
    )
    enc = {**twin.jwk(), "use": "enc"}
    only = Stand(drive, EC, jwks=document(enc, entry_of(EC)))
    only.assert_refused(made_by(twin.sign, header_of(EC), claims_of(EC)), "bad_signature")
