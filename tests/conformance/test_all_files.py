"""Nothing is left out: every file of vectors is run by a test of this folder, and the reasons are five."""

from __future__ import annotations

import pytest
import test_aws
import test_captured
import test_joserfc
import test_jwt_verify_lib
import test_key_sets
import test_microprofile
import test_rfc
import test_wycheproof
from vectors import CODES, Reason, reasons

from jwks_client.errors import TOKEN_ERROR_CODES

RUN = {
    "aws-jwt-verify": test_aws,
    "captured": test_captured,
    "identitymodel": test_key_sets,
    "joserfc": test_joserfc,
    "jwks-realworld": test_key_sets,
    "jwks-rotation": test_key_sets,
    "jwks-rsa-java": test_key_sets,
    "jwt_verify_lib": test_jwt_verify_lib,
    "microprofile-jwt": test_microprofile,
    "php-jwt": test_key_sets,
    "pyjwt": test_key_sets,
    "rfc": test_rfc,
    "smallrye-jwt": test_key_sets,
    "wycheproof": test_wycheproof,
}


def test_every_folder_is_known(vectors):
    """There is no folder of vectors that no test reads."""
    assert {path.name for path in vectors.iterdir() if path.is_dir()} == RUN.keys()


@pytest.mark.parametrize("folder", RUN)
def test_every_file_is_run(vectors, folder):
    """Each file of a folder is named by the tests that run it, and they name no other."""
    there = {f"{folder}/{path.name}" for path in (vectors / folder).iterdir()}
    told = {name for name in RUN[folder].FILES if name.startswith(f"{folder}/")}
    assert there - {f"{folder}/SOURCE.md", "jwks-realworld/index.json"} == told


def test_the_reasons_are_five():
    """What a vector calls valid is refused for one of these and no other, each with codes of its own errors."""
    assert [reason.value for reason in Reason] == [
        "symmetric algorithm",
        "RSA under 2048 bits",
        "JSON serialisation",
        "critical header",
        "payload that is no claims object",
    ]
    assert CODES.keys() == set(Reason)
    of_key_sets = {"symmetric_key", "weak_key"}
    assert set().union(*CODES.values()) <= {*TOKEN_ERROR_CODES, *of_key_sets}


def test_no_reason_holds_of_a_plain_token():
    """A compact token over claims, of an asymmetric algorithm, with a key of full size, has no excuse."""
    token = "eyJhbGciOiJSUzI1NiJ9.e30.AA"  # {"alg":"RS256"}, {}
    full_size = {"kty": "RSA", "n": "gA" + "A" * 340, "e": "AQAB"}
    assert reasons(token, full_size) == set()
    assert reasons(token, {**full_size, "n": "QA" + "A" * 340}) == {Reason.RSA_UNDER_2048_BITS}
