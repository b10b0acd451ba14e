"""Invalid signatures: cut, changed, borrowed, or made of numbers that the mathematics must not accept."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from forging import (
    EC,
    ED,
    HONEST,
    RSA,
    Stand,
    assembled,
    claims_of,
    document,
    entry_of,
    header_of,
    honest_token,
    key_of,
    made_by,
    octets_of,
    own_key,
    parts_of,
)

from jwks_client.testing import FakeProvider

P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group
L = 2**252 + 27742317777372353535851937790883648493  # the order of Ed25519's group


@pytest.mark.parametrize("algorithm", HONEST)
def test_a_changed_signature_is_refused(drive, algorithm):
    """A signature with one bit flipped, cut, doubled, reversed, or taken from another good token is refused."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    header, payload, signature = parts_of(honest_token(idp))
    size = len(signature)
    others = [
        bytes(octet ^ (bit if place == at else 0) for at, octet in enumerate(signature))
        for place in {0, 1, size // 2 - 1, size // 2, size - 2, size - 1}
        for bit in (1, 2, 16, 128)
    ]
    others += [signature[:-1], signature[1:], signature[: size // 2], signature[:1], b""]
    others += [signature + b"\0", b"\0" + signature, signature * 2, signature[::-1]]
    others += [signature[size // 2 :] + signature[: size // 2], hashlib.sha256(signature).digest()]
    others += [parts_of(honest_token(idp))[2], parts_of(honest_token(HONEST["ES256"]))[2]]
    others += [bytes(size), b"\xff" * size, b"\1".rjust(size, b"\0")]
    stand.assert_all_refused([assembled(header, payload, one) for one in others], "bad_signature")
    stand.assert_refused(honest_token(idp)[:-1], "malformed_token")  # does not fill whole octets
    stand.assert_accepted(assembled(header, payload, signature))


@pytest.mark.parametrize("algorithm", HONEST)
def test_changed_claims_are_refused(drive, algorithm):
    """A change of any octet of header or payload is refused, and so is another token's header or payload."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    one, other = honest_token(idp).split("."), honest_token(idp, sub="admin").split(".")
    stand.assert_refused(".".join([one[0], other[1], one[2]]), "bad_signature")
    stand.assert_refused(".".join([one[0], one[1], other[2]]), "bad_signature")
    header, payload, signature = parts_of(".".join(one))
    for members in ({"x": 1}, {"typ": "at+jwt"}, {"kid": idp.kid}):
        changed = octets_of({**json.loads(header), **members}) + (b" " if "kid" in members else b"")
        stand.assert_refused(assembled(changed, payload, signature), "bad_signature")
    for changed in (
        payload + b" ",
        payload.replace(b"api", b"api", 1) + b"\n",
        payload[:-1] + b" }",
    ):
        stand.assert_refused(assembled(header, changed, signature), "bad_signature")


# ECDSA (RFC 7518, 3.4).


def raw_ecdsa(der):
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_psychic_signatures_are_refused(drive):
    """r and s of 0, 1, the order, or beyond it are refused: some verifiers divided by zero for these."""
    stand = Stand(drive, EC)
    edge = [0, 1, 2, ORDER - 1, ORDER, ORDER + 1, P256 - 1, P256, 2**255, 2**256 - 1]
    tokens = [
        assembled(header_of(EC), claims_of(EC), r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        for r in edge
        for s in edge
    ]
    stand.assert_all_refused(tokens, "bad_signature")


def test_an_ecdsa_signature_must_be_two_numbers_of_full_width(drive):
    """DER, extra or missing zeros, numbers out of range, or swapped numbers are refused."""
    stand = Stand(drive, EC)
    header, payload, signature = parts_of(honest_token(EC))
    r, s = (int.from_bytes(one, "big") for one in (signature[:32], signature[32:]))
    der = encode_dss_signature(r, s)
    forms = [der, der.rjust(64, b"\0"), der[:64], der + b"\0", b"\x30" + der]
    forms += [
        r.to_bytes(33, "big") + s.to_bytes(33, "big"),
        r.to_bytes(66, "big") + s.to_bytes(66, "big"),
    ]
    forms += [signature[32:] + signature[:32], b"\4" + signature, signature + b"\0", signature[:-1]]
    forms += [signature[:32] + bytes(zeros) + signature[32:] for zeros in (1, 2, 32)]
    forms += [(r + ORDER).to_bytes(33, "big") + s.to_bytes(32, "big")]
    forms += [f"{r},{s}".encode(), f"{r:064x}{s:064x}".encode(), b"", b"\0"]
    stand.assert_all_refused([assembled(header, payload, one) for one in forms], "bad_signature")


def test_another_curve_s_signature_is_refused(drive):
    """A signature by ES384, ES512 or ES256K is refused under the name ES256 and under its own, and so are swapped keys."""
    curves = {name: own_key(name, name) for name in ("ES384", "ES512", "ES256K")}
    entries = [entry_of(EC), *(key.jwk() for key in curves.values())]
    every = ("ES256", "ES384", "ES512", "ES256K")
    stand = Stand(drive, EC, jwks=document(*entries), algorithms=every)
    for name, key in curves.items():
        honest = made_by(key.sign, header_of(EC, alg=name, kid=name), claims_of(EC))
        stand.assert_accepted(honest)
        for other in every:
            if other != name:
                token = made_by(key.sign, header_of(EC, alg=other, kid=name), claims_of(EC))
                stand.assert_refused(token, "algorithm_not_allowed")
        stand.assert_refused(made_by(key.sign, header_of(EC), claims_of(EC)), "bad_signature")
        stand.assert_refused(
            made_by(key.sign, header_of(EC, kid=...), claims_of(EC)), "bad_signature"
        )


# EdDSA (RFC 8032, 5.1.7).

SMALL_ORDER = {
    "identity": 1,
    "order 2": 2**255 - 20,
    "order 4": 0,
    "order 4, negative": 2**255,
    "order 8": int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    ),
    "order 8, other": int.from_bytes(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
    ),
    "p, for 0": 2**255 - 19,
    "p + 1, for 1": 2**255 - 18,
}


def test_an_eddsa_signature_has_only_one_form(drive):
    """S plus the group's order satisfies the same equation and is refused; so is an R of small order."""
    stand = Stand(drive, ED)
    header, payload, signature = parts_of(honest_token(ED))
    s = int.from_bytes(signature[32:], "little")
    forms = [signature[:32] + (s + times * L).to_bytes(32, "little") for times in range(1, 15)]
    forms += [signature[:32] + (L - s).to_bytes(32, "little"), signature[:32] + bytes(32)]
    for point in SMALL_ORDER.values():
        encoded = point.to_bytes(32, "little")
        forms += [encoded + bytes(32), encoded + signature[32:], encoded + L.to_bytes(32, "little")]
    forms += [bytes(64), b"\1" + bytes(63), b"\xff" * 64, signature[:63], signature + b"\0", b""]
    stand.assert_all_refused([assembled(header, payload, one) for one in forms], "bad_signature")


def test_eddsa_with_a_hash_or_a_context_is_refused(drive):
    """Signatures of Ed25519ph and Ed25519ctx are refused: signing a digest differs from signing a message."""
    stand = Stand(drive, ED)
    sign = ED._identity.keys.signing.sign
    for prepare in (
        lambda message: hashlib.sha512(message).digest(),
        lambda message: b"SigEd25519 no Ed25519 collisions\1\0" + hashlib.sha512(message).digest(),
        lambda message: b"SigEd25519 no Ed25519 collisions\0\0" + message,
    ):
        token = made_by(lambda message: sign(prepare(message)), header_of(ED), claims_of(ED))  # noqa: B023 (used at once)
        stand.assert_refused(token, "bad_signature")


OTHER_HASHES = [
    hashes.SHA1(),  # noqa: S303 (as the attacker would)
    hashes.SHA224(),
    hashes.SHA384(),
    hashes.SHA512(),
    hashes.SHA3_256(),
]


@pytest.mark.parametrize("digest", OTHER_HASHES, ids=lambda one: one.name)
def test_another_hash_is_refused(drive, digest):
    """RS256 and ES256 require SHA-256; a valid signature over another digest is refused."""
    sign = lambda message: key_of(RSA).sign(message, padding.PKCS1v15(), digest)
    Stand(drive, RSA).assert_refused(made_by(sign, header_of(RSA), claims_of(RSA)), "bad_signature")
    sign = lambda message: raw_ecdsa(key_of(EC).sign(message, ec.ECDSA(digest)))
    Stand(drive, EC).assert_refused(made_by(sign, header_of(EC), claims_of(EC)), "bad_signature")


@pytest.mark.parametrize("algorithm", HONEST)
def test_a_key_of_another_provider_is_not_accepted(drive, algorithm):
    """A valid signature by another provider's key is refused, even with equal kid and claims."""
    stand = Stand(drive, HONEST[algorithm])
    forger = FakeProvider(HONEST[algorithm].issuer, algorithm=algorithm, clock=RSA.clock)
    assert forger.kid == HONEST[algorithm].kid
    stand.assert_refused(forger.issue(), "bad_signature")
    stand.assert_refused(forger.issue(headers={"kid": None}), "bad_signature")
