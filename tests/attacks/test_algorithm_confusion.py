"""The token chooses its algorithm: a public key as an HMAC secret, ``none``, or another name for the same key."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forging import (
    EC,
    ED,
    HONEST,
    NOW,
    PSS,
    RSA,
    Stand,
    assembled,
    b64,
    claims_of,
    document,
    entry_of,
    header_of,
    hmac_signed,
    honest_token,
    key_of,
    made_by,
    number,
    octets_of,
    parts_of,
    signed,
    unb64,
)

from jwks_client import ConfigurationError, Provider, providers
from jwks_client.testing import FakeProvider
from jwks_client.testing._keys.certificates import self_signed

HMACS = ("HS256", "HS384", "HS512")


def texts_of(text):
    """Return the variants of a text after its way through files, forms and editors."""
    return {
        "with its last line break": text if text.endswith(b"\n") else text + b"\n",
        "without it": text.rstrip(b"\n"),
        "with CRLF": text.replace(b"\n", b"\r\n"),
        "with CR": text.replace(b"\n", b"\r"),
        "with a blank in front": b" " + text,
        "with a line in front": b"\n" + text,
        "with blanks behind lines": text.replace(b"\n", b" \n"),
        "with a byte order mark": b"\xef\xbb\xbf" + text,
        "with words in front": b"key: " + text,
        "with a NUL behind": text + b"\0",
        "in UTF-16": text.decode().encode("utf-16"),
        "in base64": base64.b64encode(text),
    }


def encodings_of(idp):
    """Return every usual encoding of the provider's public key, by name."""
    public = key_of(idp).public_key()
    jwk = idp.jwks()["keys"][-1]
    is_rsa = "n" in jwk
    forms = {"PEM, SPKI": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)}
    forms["DER, SPKI"] = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    forms["OpenSSH"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    if is_rsa:
        forms["PEM, PKCS1"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        forms["DER, PKCS1"] = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        der = self_signed(key_of(idp))
        forms["certificate, DER"] = der
        body = base64.encodebytes(der)
        forms["certificate, PEM"] = (
            b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
        )
        forms["n in decimal"] = str(number(jwk["n"])).encode()
        forms["n in hex"] = f"{number(jwk['n']):x}".encode()
        forms["n with a zero octet"] = b"\0" + unb64(jwk["n"])
    elif "y" in jwk:
        point = unb64(jwk["x"]) + unb64(jwk["y"])
        forms["x and y"] = point
        forms["point"] = b"\x04" + point
        forms["point, compressed"] = bytes([2 + (point[-1] & 1)]) + unb64(jwk["x"])
    for member in sorted({"n", "e", "x", "y"} & set(jwk)):
        forms[f"{member}, text"] = jwk[member].encode()
        forms[f"{member}, octets"] = unb64(jwk[member])
    needed = {
        name: value for name, value in jwk.items() if name in {"kty", "crv", "n", "e", "x", "y"}
    }
    for name, value in {
        "JWK": jwk,
        "members": needed,
        "JWKS": document(jwk),
        "list": [jwk],
    }.items():
        forms[f"{name}, as Python writes it"] = json.dumps(value).encode()
        forms[f"{name}, compact"] = json.dumps(value, separators=(",", ":")).encode()
        forms[f"{name}, sorted"] = json.dumps(value, sort_keys=True).encode()
        forms[f"{name}, thumbprint's"] = json.dumps(
            value, sort_keys=True, separators=(",", ":")
        ).encode()
        forms[f"{name}, indented"] = json.dumps(value, indent=2).encode()
    for name in ("PEM, SPKI", "PEM, PKCS1", "certificate, PEM", "JWK, compact"):
        if name in forms:
            forms |= {f"{name}, {how}": text for how, text in texts_of(forms[name]).items()}
    forms["kid"] = jwk["kid"].encode()
    forms["nothing"] = b""
    forms["one blank"] = b" "
    return forms


@pytest.mark.parametrize("algorithm", HONEST)
def test_a_public_key_is_never_an_hmac_secret(drive, algorithm):
    """A token signed as HS256, HS384 or HS512 with the public key, in any encoding, is refused."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    secrets = encodings_of(idp)
    assert len(secrets) > 40
    payload = claims_of(idp, admin=True)
    stand.assert_all_refused(
        [
            hmac_signed(secret, header_of(idp, alg=name), payload)
            for secret in secrets.values()
            for name in HMACS
        ],
        "algorithm_not_allowed",
    )
    for secret in (
        secrets["PEM, SPKI"],
        secrets["JWK, compact"],
    ):  # the name stays, the method is removed
        token = hmac_signed(secret, {"alg": "HS256"}, claims_of(idp))
        _, payload, signature = parts_of(token)
        stand.assert_refused(assembled(header_of(idp), payload, signature), "bad_signature")


@pytest.mark.parametrize("name", [*HMACS, "none", "None", "HS256 ", "hs256", "dir", "A128KW", ""])
def test_a_provider_cannot_allow_an_algorithm_that_is_not_asymmetric(name):
    """A provider whose ``algorithms`` name a symmetric or unknown one is refused at once."""
    fields = {
        "name": "p",
        "issuer": providers.UNCHECKED,
        "audience": providers.UNCHECKED,
        "jwks": EC.jwks(),
    }
    assert Provider(**fields, algorithms=["ES256"])
    with pytest.raises(ConfigurationError) as caught:
        Provider(**fields, algorithms=["ES256", name])
    assert caught.value.field == "algorithms"


NONES = [
    *("none", "None", "NONE", "nOnE", "nonE", "NonE"),
    *("", " ", "none ", " none", "\tnone", "none\n", "none\0", "\0", "no ne"),
    *("n\u043ene", "no\u217fe", "\uff4e\uff4f\uff4e\uff45", "n\u00f6ne", "non\u0435", "none\u200b"),
    *("null", "undefined", "plain", "HS256", "RS", "ES256,none", "ES256 none"),
]


@pytest.mark.parametrize("signed_too", [False, True], ids=["unsigned", "signed"])
def test_none_in_any_spelling_is_refused(drive, signed_too):
    """Case, blanks, look-alikes and an empty name do not make ``none`` an algorithm, whatever the signature."""
    stand = Stand(drive, EC)
    payload = claims_of(EC, sub="admin")
    for alg in NONES:
        header = header_of(EC, alg=alg)
        token = signed(EC, header, payload) if signed_too else assembled(header, payload)
        stand.assert_refused(token, "algorithm_not_allowed")


@pytest.mark.parametrize("signed_too", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(
    "alg",
    [None, ..., [], ["ES256"], ["none"], {}, {"ES256": 1}, 0, 256, True, False, 1.5],
    ids=repr,
)
def test_an_algorithm_that_is_not_a_string_is_refused(drive, alg, signed_too):
    """An alg that is null, missing, a list, an object or a number is malformed, and no default replaces it."""
    stand = Stand(drive, EC)
    header = header_of(EC, alg=alg)
    payload = claims_of(EC, sub="admin")
    stand.assert_refused(
        signed(EC, header, payload) if signed_too else assembled(header, payload), "malformed_token"
    )


@pytest.mark.parametrize("algorithm", HONEST)
def test_an_unsigned_copy_of_a_good_token_is_refused(drive, algorithm):
    """A token with changed claims is refused with an empty signature, without the segment, and with ``none``."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    header, payload, signature = parts_of(honest_token(idp))
    changed = octets_of({**json.loads(payload), "sub": "admin"})
    unsigned = octets_of({**json.loads(header), "alg": "none"})
    stand.assert_refused(assembled(header, changed, signature), "bad_signature")
    stand.assert_refused(assembled(header, changed), "bad_signature")
    stand.assert_refused(assembled(header, payload), "bad_signature")
    stand.assert_refused(assembled(unsigned, changed), "algorithm_not_allowed")
    stand.assert_refused(assembled(unsigned, changed, signature), "algorithm_not_allowed")
    for two in (f"{b64(unsigned)}.{b64(changed)}", f"{b64(header)}.{b64(payload)}"):
        stand.assert_refused(two, "malformed_token")


OTHERS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K"]


@pytest.mark.parametrize("algorithm", HONEST)
def test_another_name_over_the_old_signature_is_refused(drive, algorithm):
    """A renamed algorithm (RS256 called PS256, ES256, …) is refused, even if the provider allows that name."""
    idp = HONEST[algorithm]
    default = Provider(
        name="p", issuer=providers.UNCHECKED, audience=providers.UNCHECKED, jwks=idp.jwks()
    ).algorithms
    header, payload, signature = parts_of(honest_token(idp))
    for allowed in ((idp.algorithm,), default, (*default, "ES256K", "Ed448", "ML-DSA-44")):
        stand = Stand(drive, idp, algorithms=allowed)
        for other in {*OTHERS, "Ed448", "ML-DSA-44"} - {idp.algorithm}:
            renamed = octets_of({**json.loads(header), "alg": other})
            stand.assert_refused(assembled(renamed, payload, signature), "algorithm_not_allowed")
            stand.assert_refused(signed(idp, renamed, payload), "algorithm_not_allowed")


@pytest.mark.parametrize(
    "spelling", ["es256", "ES256 ", "ES-256", "ES_256", "\uff25\uff33256", "ES256\0"]
)
def test_an_allowed_name_in_another_spelling_is_refused(drive, spelling):
    """A name is compared exactly, even over a valid signature."""
    Stand(drive, EC).assert_refused(
        signed(EC, header_of(EC, alg=spelling)), "algorithm_not_allowed"
    )


def test_the_key_s_own_algorithm_does_not_widen_the_list(drive):
    """A key with alg PS256 does not verify for a provider that allows only RS256, under either name."""
    ps_only = document(entry_of(RSA), entry_of(PSS, kid="ps"))
    stand = Stand(drive, RSA, jwks=ps_only)
    payload = claims_of(RSA)
    truly_ps = made_by(PSS._identity.keys.signing.sign, header_of(PSS, kid="ps"), payload)
    stand.assert_refused(truly_ps, "algorithm_not_allowed")
    called_rs = made_by(
        PSS._identity.keys.signing.sign, header_of(PSS, kid="ps", alg="RS256"), payload
    )
    stand.assert_refused(called_rs, "algorithm_not_allowed")
    stand.assert_refused(signed(RSA, header_of(RSA, kid="ps"), payload), "algorithm_not_allowed")


def test_the_list_does_not_widen_the_key_s_own_algorithm(drive):
    """A key published for PS256 does not verify RS256, although both are allowed and its material fits."""
    same_key = FakeProvider(RSA.issuer, algorithm="RS256", clock=RSA.clock)
    rs, ps = entry_of(same_key, kid="rs"), entry_of(same_key, kid="ps", alg="PS256")
    free = entry_of(same_key, kid="free", alg=...)
    stand = Stand(
        drive,
        RSA,
        jwks=document(entry_of(RSA), rs, ps, free),
        algorithms=("RS256", "PS256"),
    )
    stand.assert_accepted(same_key.issue(headers={"kid": "rs"}))
    stand.assert_accepted(same_key.issue(headers={"kid": "free"}))
    stand.assert_refused(same_key.issue(headers={"kid": "ps"}), "algorithm_not_allowed")
    assert stand.drive.verify(honest_token(RSA)).algorithm == "RS256"


# An empty `alg` is not among them: serializers write it where a key names no algorithm, and a key
# without `alg` verifies any allowed algorithm that fits its type.
@pytest.mark.parametrize("named", ["HS256", "none", "ES256", "RS1", "RSA-OAEP"])
def test_a_key_that_names_an_algorithm_of_another_kind_verifies_nothing(drive, named):
    """An RSA key with ``alg: HS256`` or ``none`` in the set verifies no token with its kid."""
    odd = FakeProvider(RSA.issuer, algorithm="RS256", clock=RSA.clock)
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA), entry_of(odd, kid="odd", alg=named)))
    stand.assert_refused(odd.issue(headers={"kid": "odd"}), "unknown_key")
    secret = encodings_of(odd)["PEM, SPKI"]
    forged = hmac_signed(secret, {"alg": "HS256", "kid": "odd"}, claims_of(RSA))
    stand.assert_refused(forged, "algorithm_not_allowed")


@pytest.mark.parametrize(
    "k", ["", "AA", "c2VjcmV0", b64(b"\0" * 32)], ids=["empty", "NUL", "secret", "zeros"]
)
def test_a_symmetric_key_in_the_set_verifies_nothing(drive, k):
    """``oct`` entries, above all with an empty ``k``, verify nothing under any algorithm."""
    oct_key = {"kty": "oct", "kid": "shared", "use": "sig", "k": k}
    for entry in (oct_key, {**oct_key, "alg": "HS256"}, {**oct_key, "alg": "ES256"}):
        stand = Stand(drive, EC, jwks=document(entry, entry_of(EC)))
        for name in HMACS:
            forged = hmac_signed(unb64(k), {"alg": name, "kid": "shared"}, claims_of(EC))
            stand.assert_refused(forged, "algorithm_not_allowed")
        called_ec = hmac_signed(unb64(k), {"alg": "HS256"}, claims_of(EC)).split(".")
        header = b64(octets_of(header_of(EC, kid="shared")))
        stand.assert_refused(".".join([header, *called_ec[1:]]), "unknown_key")
        assert [one.code for one in drive.keys().unusable] == ["symmetric_key"]


def test_an_algorithm_has_two_names_only_for_a_key_of_that_curve(drive):
    """EdDSA and Ed25519 are the same for an Ed25519 key, but each must be allowed by name (RFC 9864)."""
    stand = Stand(drive, ED, algorithms=("EdDSA", "Ed25519"))
    stand.assert_accepted(ED.issue(headers={"alg": "EdDSA"}))
    stand.assert_refused(ED.issue(headers={"alg": "Ed448"}), "algorithm_not_allowed")
    only = Stand(drive, ED)
    only.assert_refused(ED.issue(headers={"alg": "EdDSA"}), "algorithm_not_allowed")
    assert drive.verify(ED.issue(exp=NOW + 61)).algorithm == "Ed25519"
