"""Keys for which anybody can sign: points of small order on Edwards curves (RFC 8032, section 7)."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from forging import ED, Stand, assembled, b64, claims_of, document, entry_of, header_of

P25519 = 2**255 - 19
EIGHTH = (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)
SIGN = 1 << 255
ON_25519 = [
    y.to_bytes(32, "little") for y in (1, P25519 - 1, 0, SIGN, 1 | SIGN, P25519, P25519 + 1)
]
ON_25519 += [bytes.fromhex(one) for one in EIGHTH]
ON_25519 += [
    (int.from_bytes(bytes.fromhex(one), "little") | SIGN).to_bytes(32, "little") for one in EIGHTH
]

P448 = 2**448 - 2**224 - 1
SIGN_448 = 1 << 455
ON_448 = [
    (y | sign).to_bytes(57, "little")
    for y in (0, 1, P448 - 1, P448, P448 + 1)
    for sign in (0, SIGN_448)
]
ORDER_448 = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885


def signature_by_a_point_of_order_4() -> bytes:
    """Return R and S of a private key that is unrelated to the forged one: S B = R is true, and k A is 1."""
    private = Ed448PrivateKey.generate()
    secret = bytearray(hashlib.shake_256(private.private_bytes_raw()).digest(114)[:57])
    secret[0] &= 252
    secret[55] |= 128
    secret[56] = 0
    s = int.from_bytes(secret, "little") % ORDER_448
    return private.public_key().public_bytes_raw() + s.to_bytes(57, "little")


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed448"])
def test_a_key_of_small_order_on_the_other_curve_verifies_nothing(drive, algorithm):
    """On Ed448 one signature would be valid for every token, and EdDSA alone reaches such a key; it is not used."""
    signature = signature_by_a_point_of_order_4()
    for point in ON_448:
        weak = {"kty": "OKP", "crv": "Ed448", "kid": "weak", "x": b64(point)}
        stand = Stand(
            drive,
            ED,
            jwks=document(weak, entry_of(ED)),
            algorithms=(ED.algorithm, "EdDSA", "Ed448"),
        )
        header = header_of(ED, kid="weak", alg=algorithm)
        tokens = [assembled(header, claims_of(ED, sub="admin", n=n), signature) for n in range(8)]
        stand.assert_all_refused(tokens, "unknown_key")
        assert [one.code for one in drive.keys().unusable] == ["weak_key"]


def test_a_key_of_small_order_verifies_nothing(drive):
    """Anybody can sign one token in at most eight with R = 1 and S = 0 for such a key; it is not used."""
    signature = (1).to_bytes(32, "little") + bytes(32)
    for point in ON_25519:
        weak = {"kty": "OKP", "crv": "Ed25519", "kid": "weak", "x": b64(point)}
        stand = Stand(drive, ED, jwks=document(weak, entry_of(ED)))
        header = header_of(ED, kid="weak")
        tokens = [assembled(header, claims_of(ED, sub="admin", n=n), signature) for n in range(64)]
        stand.assert_all_refused(tokens, "unknown_key")
        assert [one.code for one in drive.keys().unusable] == ["weak_key"]
