"""Proposed for tests/attacks/test_hostile_key_sets.py once the library refuses such keys; red today."""

from __future__ import annotations

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


def test_a_key_of_small_order_verifies_nothing(drive):
    """R = 1 and S = 0 is a signature by it for one token in at most eight, made by anybody: it is not used."""
    signature = (1).to_bytes(32, "little") + bytes(32)
    for point in ON_25519:
        weak = {"kty": "OKP", "crv": "Ed25519", "kid": "weak", "x": b64(point)}
        stand = Stand(drive, ED, jwks=document(weak, entry_of(ED)))
        header = header_of(ED, kid="weak")
        tokens = [assembled(header, claims_of(ED, sub="admin", n=n), signature) for n in range(64)]
        stand.refuses_all(tokens, "unknown_key")
        assert [one.code for one in drive.keys().unusable] == ["weak_key"]
