"""Attacks on keys from published advisories, each as it would be tried here.

Each function stands for one class of mistake; `test_past_cves` maps advisories to functions. Each makes a `Stand`, or a client,
where an honest token is accepted before and after.
"""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
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
    hmac_signed,
    key_of,
    made_by,
    number,
    own_key,
    rsa_key,
    signed,
)

from jwks_client import TokenError
from jwks_client.testing._keys.certificates import self_signed

HMACS = ("HS256", "HS384", "HS512")
PEM, DER, SPKI = Encoding.PEM, Encoding.DER, PublicFormat.SubjectPublicKeyInfo


def assert_no_hmac_accepted(drive, idp, *secrets):
    """Assert that no HMAC with any of these secrets is accepted, whatever its ``kid``."""
    stand = Stand(drive, idp)
    for members in ({}, {"kid": "unknown"}, {"kid": ...}, {"kid": ""}):
        headers = [header_of(idp, alg=name, **members) for name in HMACS]
        tokens = [hmac_signed(one, header, claims_of(idp)) for one in secrets for header in headers]
        stand.assert_all_refused(tokens, "algorithm_not_allowed")


def pkcs1_pem_as_secret(drive):
    """Try a ``BEGIN RSA PUBLIC KEY`` PEM as the secret."""
    text = key_of(RSA).public_key().public_bytes(PEM, PublicFormat.PKCS1)
    assert_no_hmac_accepted(drive, RSA, text, text.strip())


def ssh_keys_as_secret(drive):
    """Try ``ssh-ed25519``, ``ecdsa-sha2-nistp256`` and ``ssh-rsa`` as the secret."""
    for idp in (ED, EC, RSA):
        text = key_of(idp).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        assert_no_hmac_accepted(drive, idp, text, text + b"\n", text + b" user@host")


def any_public_key_as_secret(drive):
    """Try PEM, certificate and members of each kind of key as the secret."""
    for idp in (ED, EC, RSA):
        jwk = idp.jwks()["keys"][0]
        assert_no_hmac_accepted(
            drive, idp, key_of(idp).public_key().public_bytes(PEM, SPKI), jwk["kid"].encode()
        )
    assert_no_hmac_accepted(drive, RSA, base64.encodebytes(self_signed(key_of(RSA))))


def altered_pem_as_secret(drive):
    """Try the same PEM with other line ends, blanks or words around it."""
    text = key_of(RSA).public_key().public_bytes(PEM, SPKI)
    pkcs1 = key_of(RSA).public_key().public_bytes(PEM, PublicFormat.PKCS1)
    for one in (text, pkcs1):
        altered = [
            one.replace(b"\n", b"\r\n"),
            one.replace(b"\n", b"\r"),
            one.replace(b"\n", b" \n"),
        ]
        altered += [
            b" " + one,
            b"\n" + one,
            b"\t" + one,
            b"\xef\xbb\xbf" + one,
            b"Bag Attributes\n" + one,
        ]
        altered += [b"x" + one, b"#\n" + one, one + b" ", one.replace(b"-----\n", b"----- \n")]
        assert_no_hmac_accepted(drive, RSA, *altered)


def der_as_secret(drive):
    """Try binary encodings, which a guard that looks for text does not see."""
    for idp in (RSA, EC, ED):
        assert_no_hmac_accepted(drive, idp, key_of(idp).public_key().public_bytes(DER, SPKI))
    assert_no_hmac_accepted(
        drive,
        RSA,
        key_of(RSA).public_key().public_bytes(DER, PublicFormat.PKCS1),
        self_signed(key_of(RSA)),
    )


def jwk_as_secret(drive):
    """Try the JWK's JSON, plain, with a byte order mark, or inside a set or a list."""
    jwk = EC.jwks()["keys"][0]
    texts = [
        json.dumps(one, separators=way)
        for one in (jwk, EC.jwks(), [jwk], {"jwk": jwk})
        for way in (None, (",", ":"))
    ]
    octets = [text.encode() for text in texts]
    octets += [b"\xef\xbb\xbf" + one for one in octets] + [texts[0].encode("utf-16")]
    assert_no_hmac_accepted(drive, EC, *octets)


def empty_secret(drive):
    """Try an HMAC with an empty secret, and a set whose ``oct`` entry has an empty ``k``."""
    assert_no_hmac_accepted(drive, EC, b"", b"\0", b" ", b"null", b"None", b"undefined")
    for entry in (
        {"kty": "oct", "kid": "o", "k": ""},
        {"kty": "oct", "kid": "o"},
        {"kty": "oct", "kid": "o", "k": "", "alg": "HS256"},
    ):
        stand = Stand(drive, EC, jwks=document(entry, entry_of(EC)))
        token = hmac_signed(b"", {"alg": "HS256", "kid": "o"}, claims_of(EC))
        stand.assert_refused(token, "algorithm_not_allowed")
        stand.assert_refused(signed(EC, header_of(EC, kid="o")), "unknown_key")


def mixed_keys_by_kid(drive):
    """Try a set with an asymmetric and a symmetric key: the kid selects one, the ``alg`` the other."""
    shared = {"kty": "oct", "kid": "shared", "k": b64(b"secret"), "alg": "HS256"}
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA), shared))
    text = key_of(RSA).public_key().public_bytes(PEM, SPKI)
    for secret, kid in (
        (text, RSA.kid),
        (b"secret", "shared"),
        (b"secret", RSA.kid),
        (text, "shared"),
    ):
        token = hmac_signed(secret, {"alg": "HS256", "kid": kid}, claims_of(RSA))
        stand.assert_refused(token, "algorithm_not_allowed")


def key_in_the_header(drive):
    """Try ``jwk``: the token brings the key that signed it."""
    for name, idp in (("RS256", RSA), ("ES256", EC), ("Ed25519", ED)):
        stand, key = Stand(drive, idp), MALLORY[name]
        for members, code in (
            ({}, "bad_signature"),
            ({"kid": ...}, "bad_signature"),
            ({"kid": "x"}, "unknown_key"),
        ):
            header = header_of(idp, jwk=key.jwk(), **members)
            stand.assert_refused(made_by(key.sign, header, claims_of(idp)), code)


def key_s_algorithm_beside_the_list(drive):
    """Try a key in the set whose algorithm is not allowed, under an allowed name."""
    other = own_key("ES256", "other")
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA), other.jwk()))
    for alg in ("RS256", "ES256"):
        token = made_by(other.sign, header_of(RSA, alg=alg, kid="other"), claims_of(RSA))
        stand.assert_refused(token, "algorithm_not_allowed")
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key("other")
    assert caught.value.code == "algorithm_not_allowed"


def key_without_algorithm(drive):
    """Try an entry without alg: only allowed algorithms that fit the key are tried, whatever the header says."""
    for idp in (RSA, EC, ED):
        stand = Stand(drive, idp, jwks=document(entry_of(idp, alg=...)))
        secrets = (
            key_of(idp).public_key().public_bytes(PEM, SPKI),
            json.dumps(entry_of(idp, alg=...)).encode(),
        )
        for alg in HMACS:
            tokens = [hmac_signed(one, header_of(idp, alg=alg), claims_of(idp)) for one in secrets]
            stand.assert_all_refused(tokens, "algorithm_not_allowed")


def key_of_another_type(drive):
    """Try signatures by a key whose type is not the algorithm's."""
    every = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
    for idp in (RSA, EC, ED):
        stand = Stand(drive, idp, algorithms=every)
        others = [one for one in every if one[:2] != idp.algorithm[:2] and one[:2] != "PS"]
        stand.assert_all_refused(
            [signed(idp, header_of(idp, alg=one)) for one in others], "algorithm_not_allowed"
        )
    dsa = {"kty": "DSA", "kid": "dsa", "alg": "RS256", "p": "AA", "q": "AA", "g": "AA", "y": "AA"}
    Stand(drive, RSA, jwks=document(dsa, entry_of(RSA))).assert_refused(
        signed(RSA, header_of(RSA, kid="dsa")), "unknown_key"
    )


def short_keys(drive):
    """Try an RSA key of 1024 bits."""
    weak = rsa_key(1024)
    stand = Stand(drive, RSA, jwks=document(weak.jwk(), entry_of(RSA)))
    stand.assert_refused(
        made_by(weak.sign, header_of(RSA, kid="odd"), claims_of(RSA)), "unknown_key"
    )


def one_bad_key_in_the_set(drive):
    """Try an entry that cannot be built, in any position: the other entries stay usable."""
    for bad in (
        {"n": "", "e": "AQAB"},
        {"n": "!!", "e": "AQAB"},
        {"n": "AQAB", "e": "AA"},
        {"n": [1], "e": {}},
        {},
    ):
        entry = {"kty": "RSA", "kid": "bad", **bad}
        for entries in (
            (entry, entry_of(RSA)),
            (entry_of(RSA), entry),
            (entry, None, entry_of(RSA), "x", 1),
        ):
            stand = Stand(drive, RSA, jwks=document(*entries))
            stand.assert_refused(signed(RSA, header_of(RSA, kid="bad")), "unknown_key")


def private_key_of_another(drive):
    """Try an entry whose ``d`` does not belong to its ``x``: it is not a key for either."""
    mine, theirs = own_key("Ed25519", "both"), own_key("Ed25519", "both")
    entry = {**mine.jwk(), "d": b64(theirs.private.private_bytes_raw())}
    stand = Stand(drive, ED, jwks=document(entry, entry_of(ED)))
    for key in (mine, theirs):
        stand.assert_refused(
            made_by(key.sign, header_of(ED, kid="both"), claims_of(ED)), "unknown_key"
        )


def point_off_the_curve(drive):
    """Try x and y that satisfy no equation."""
    odd = entry_of(EC, kid="odd", y=entry_of(EC)["x"])
    stand = Stand(drive, EC, jwks=document(odd, entry_of(EC)))
    stand.assert_refused(signed(EC, header_of(EC, kid="odd")), "unknown_key")
    assert number(odd["x"]) == number(odd["y"])


def key_of_another_kid(drive):
    """Try a valid signature by a key of the set that the kid does not name."""
    second = own_key("ES256", "second")
    stand = Stand(drive, EC, jwks=document(entry_of(EC), second.jwk()))
    stand.assert_accepted(made_by(second.sign, header_of(EC, kid="second"), claims_of(EC)))
    stand.assert_refused(made_by(second.sign, header_of(EC), claims_of(EC)), "bad_signature")
    stand.assert_refused(signed(EC, header_of(EC, kid="second")), "bad_signature")
