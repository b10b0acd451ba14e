"""Envoy's JWT library: its parser's verdicts on key sets and tokens, and its verifier's on signatures.

The status is that library's own. If it is Ok, this library must read or accept as well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from vectors import (
    ACCEPTED,
    claims_of,
    judged_valid,
    key_set,
    keys_of,
    load,
    material,
    names,
    octets,
    provider,
    serving,
    verdict,
    written_material,
)

from jwks_client import TokenError
from jwks_client.testing import FakeClock
from jwks_client.testing._keys.signing_key import make_key

if TYPE_CHECKING:
    from outside_vectors import Vectors

JWKS, TOKENS, SIGNED = "jwks_parse_cases", "jwt_parse_cases", "verify_cases"
pytestmark = pytest.mark.collection("jwt_verify_lib")
FILES = tuple(f"jwt_verify_lib/{name}.json" for name in (JWKS, TOKENS, SIGNED))
ES256 = make_key("ES256", "ours", borrower=None)

# How many keys of a document are usable; without any the whole document is refused.
USABLE = {
    "GoodJwks": 2,
    "GoodEC": 4,
    "JwksInvalidKty": 0,
    "JwksMismatchKty2": 0,
    "JwksIgnoreUnsupportedKeySolo": 0,
    "JwksECNoXY": 0,
    "JwksRSANoNE": 0,
    "JwksRSAKeyBadN": 0,
    "JwksRSAKeyMissingE": 0,
    "JwksRSAKeyBadE": 0,
    "JwksECXYBadBase64": 0,
    "JwksECWrongXY": 0,
    "JwksRSAWrongNE": 0,
    "JwksOKPXBadBase64": 0,
    "JwksOKPXWrongLength": 0,
    "JwksECMatchAlgES256WrongCrvType": 0,
    "JwksECMatchAlgES256WrongXType": 0,
    "JwksECMatchAlgES256WrongMissingY": 0,
    "JwksECMatchAlgES256WrongBadY": 0,
    "JwksJwkMissingKty": 0,
    "JwksJwkBadKty": 0,
    "JwksJwkOctBadAlg": 0,
    "JwksJwkOctBadK": 0,
    "JwksJwkOctBadBase64": 0,
    "JwksECMatchAlgES256CrvP256": 1,
    "JwksECMatchAlgES384CrvP384": 1,
    "JwksECMatchAlgES512CrvP521": 1,
    "JwksECMissingBothAlgCrvES256": 0,  # Envoy reads it; RFC 7518, 6.2.1 requires crv
    "JwksECMissingBothAlgES384": 0,
    "JwkECMissingAlg": 1,
    "JwksECMismatchAlgCrv2": 0,
    "JwksECNotSupportedAlg": 0,
    "JwksECNotSupportedCrv": 0,
    "JwksECUnspecifiedCrv": 0,  # as before, with alg
    "JwksOKPKeyBadAlg": 0,
    "JwksOKPKeyBadCrv": 0,
    "JwksOKPKeyCrvUnsupported": 0,
    "JwksOKPKeyBadX": 0,
    "JwksX509EmptyPubkey": 0,
    "JwksX509EmptyKid": 0,
    "JwksX509NotSuffixPrefix": 0,
    "JwksX509NotSuffix": 0,
    "JwksX509NotPrefix": 0,
    "JwksX509WrongPubkey": 0,
}

# The verdict on a token as published, which is mostly unsigned, and on its payload once one of our
# keys has signed it: the code, and the claim that failed, if any.
READ = {
    "TestEmptyJwt": ("malformed_token", None),
    "TestTooManySections": ("encrypted_token", None),
    "TestParseHeaderBadBase64": ("malformed_token", None),
    "TestParseHeaderBadJson": ("malformed_token", None),
    "TestParseHeaderAlgIsNotString": ("malformed_token", None),
    "TestParseHeaderInvalidAlg": ("algorithm_not_allowed", None),
    "TestParseHeaderBadFormatKid": ("malformed_token", None),
    "TestParsePayloadBadBase64": ("malformed_token", None),
    "TestParsePayloadBadJson": ("malformed_token", None),
    "TestParsePayloadIssNotString": ("bad_signature", "iss"),
    "TestParsePayloadSubNotString": ("bad_signature", "sub"),
    "TestParsePayloadIatNotInteger": ("bad_signature", "iat"),
    "TestParsePayloadIatNotPositive": ("algorithm_not_allowed", "iat"),
    "TestParsePayloadIatTooBig": ("algorithm_not_allowed", "iat"),
    "TestParsePayloadNbfNotInteger": ("bad_signature", "nbf"),
    "TestParsePayloadNbfNotPositive": ("algorithm_not_allowed", "nbf"),
    "TestParsePayloadExpNotInteger": ("bad_signature", "exp"),
    "TestParsePayloadExpNotPositive": ("algorithm_not_allowed", "exp"),
    "TestParsePayloadExpTooBig": ("algorithm_not_allowed", "exp"),
    "TestParsePayloadAudInteger": ("bad_signature", "aud"),
    "TestParsePayloadAudIntegerList": ("bad_signature", "aud"),
    "InvalidSignature": ("malformed_token", None),
    "GoodNestedJwt": ("bad_signature", ACCEPTED),
    "GoodJwtLongClaim": ("unknown_key", ACCEPTED),
}
BAD_CLAIMS = [name for name, (_, claim) in READ.items() if claim not in (None, ACCEPTED)]
GOOD_CLAIMS = [name for name, (_, claim) in READ.items() if claim == ACCEPTED]
BEFORE_ALL_OF_THEM = 123_000_000  # the earliest good time in these tokens is 123456789

VERDICTS = {
    "verify_jwk_rsa_test NoKidOK": ACCEPTED,
    "verify_jwk_rsa_test NoKidLongExpOK": ACCEPTED,
    "verify_jwk_rsa_test CorrectKidOK": ACCEPTED,
    "verify_jwk_rsa_test NonExistKidFail": "unknown_key",
    "verify_jwk_ec_test KidOK": ACCEPTED,
    "verify_jwk_ec_test KidES512OK": ACCEPTED,
    "verify_jwk_ec_test NoKidOK": ACCEPTED,
    "verify_jwk_okp_test KidOK": ACCEPTED,
    "verify_jwk_okp_test NoKidOK": ACCEPTED,
    "verify_jwk_okp_test NonExistKidFail": "unknown_key",
    "verify_jwk_okp_test WrongSignatureFail": "bad_signature",
    "verify_jwk_rsa_pss_test Ps256CorrectKidOK": ACCEPTED,
    "verify_jwk_rsa_pss_test Ps384CorrectKidOK": ACCEPTED,
    "verify_jwk_rsa_pss_test Ps512CorrectKidOK": ACCEPTED,
    "verify_jwk_rsa_pss_test JwtTextWithNoKidNoMatchingKey": "bad_signature",
    "verify_jwk_rsa_pss_test JwtTextWithNoKidOk": ACCEPTED,
    "verify_jwk_rsa_pss_test JwtTextWithNonExistentKid": "unknown_key",
}


def cases_of(vectors: Vectors, file: str) -> list[dict[str, Any]]:
    return load(vectors / f"jwt_verify_lib/{file}.json")["cases"]


def case_of(vectors: Vectors, file: str, name: str) -> dict[str, Any]:
    (found,) = [
        one
        for one in cases_of(vectors, file)
        if name in (one["name"], f"{one.get('suite')} {one['name']}")
    ]
    return found


def within(claims: dict[str, Any]) -> FakeClock:
    """Return a clock inside a token's lifetime."""
    return FakeClock(claims.get("exp", claims.get("iat", 0) + 1) - 1)


def test_every_case_is_run(vectors):
    """The cases run here are exactly those of the three files."""
    assert names(cases_of(vectors, JWKS), "name") == list(USABLE)
    assert names(cases_of(vectors, TOKENS), "name") == list(READ)
    assert names(cases_of(vectors, SIGNED), "suite", "name") == list(VERDICTS)


@pytest.mark.parametrize("name", USABLE)
def test_a_key_set(vectors, drive, name):
    """A key set that Envoy reads is read with the same keys; the others are refused as a whole."""
    case = case_of(vectors, JWKS, name)
    drive.client(provider(), transport=serving(case["jwks_text"]))
    keys = keys_of(drive)
    if name not in WITHOUT_CURVE:
        assert (case["expected_status"] == "Ok") == (USABLE[name] > 0)
        assert case["expected_keys"] in (None, USABLE[name])
    assert (0 if keys is None else len(keys)) == USABLE[name]
    written = json.loads(case["jwks_text"])["keys"] if keys else []
    assert [material(key)[-2:] for key in keys or ()] == [
        written_material(one)[-2:] for one in written
    ]


# Envoy guesses the curve from alg; RFC 7518, section 6.2.1.1 requires crv, and so do we.
WITHOUT_CURVE = {"JwksECMissingBothAlgCrvES256", "JwksECUnspecifiedCrv"}


@pytest.mark.parametrize("name", READ)
def test_a_token_as_published(vectors, drive, name):
    """A token that Envoy's parser refuses is never accepted, and a text that is not a token is malformed."""
    case = case_of(vectors, TOKENS, name)
    keys = case_of(vectors, SIGNED, "verify_jwk_rsa_test NoKidOK")["jwks"]
    drive.client(provider(jwks=keys), clock=FakeClock(BEFORE_ALL_OF_THEM))
    assert verdict(drive, case["token"]) == READ[name][0]
    assert (case["expected_status"] == "Ok") == (name in GOOD_CLAIMS)


@pytest.mark.parametrize("name", BAD_CLAIMS)
def test_a_signed_bad_claim(vectors, drive, name):
    """A claim of a wrong type or out of range is refused in a token that is right in everything else."""
    payload = octets(case_of(vectors, TOKENS, name)["token"].split(".")[1])
    drive.client(provider(jwks=key_set(ES256.jwk())), clock=FakeClock(BEFORE_ALL_OF_THEM))
    with pytest.raises(TokenError) as caught:
        drive.verify(ES256.sign_compact(b'{"alg":"ES256"}', payload))
    assert (caught.value.code, caught.value.claim) == ("invalid_claim", READ[name][1])


@pytest.mark.parametrize("name", GOOD_CLAIMS)
def test_signed_good_claims(vectors, drive, name):
    """Nested claims, and one of 8000 characters, are returned unchanged."""
    token = case_of(vectors, TOKENS, name)["token"]
    payload = octets(token.split(".")[1])
    drive.client(provider(jwks=key_set(ES256.jwk())), clock=FakeClock(BEFORE_ALL_OF_THEM))
    verified = drive.verify(ES256.sign_compact(b'{"alg":"ES256"}', payload))
    assert verified.claims == claims_of(token)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_signature(vectors, drive, name):
    """A signature that Envoy verifies is accepted, and one that it does not is refused for the same fault."""
    case = case_of(vectors, SIGNED, name)
    claims = claims_of(case["token"])
    drive.client(provider(), transport=serving(case["jwks"]), clock=within(claims))
    if case["expected_status"] == "Ok":
        assert (
            judged_valid(drive, case["token"], *case["jwks"]["keys"]) == VERDICTS[name] == ACCEPTED
        )
        assert drive.verify(case["token"]).claims == claims
    else:
        assert verdict(drive, case["token"]) == VERDICTS[name] != ACCEPTED


def test_a_coordinate_without_its_leading_zero(vectors, drive):
    """KidES512OK's key lost an octet of y (RFC 7518, 6.2.1.2) and is read as the same number."""
    case = case_of(vectors, SIGNED, "verify_jwk_ec_test KidES512OK")
    (entry,) = [one for one in case["jwks"]["keys"] if one["kid"] == "es512"]
    assert len(octets(entry["y"])) == 65
    drive.client(provider(jwks=case["jwks"]), clock=within(claims_of(case["token"])))
    assert drive.verify(case["token"]).key_id == "es512"
    assert material(drive.get_signing_key("es512")) == written_material(entry)
