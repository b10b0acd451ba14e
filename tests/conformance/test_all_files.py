"""Every file of vectors is run by a test of this folder."""

from __future__ import annotations

import os

import pytest
import test_aws
import test_captured
import test_joserfc
import test_jwt_verify_lib
import test_key_sets
import test_microprofile
import test_rfc
import test_wycheproof
from outside_vectors import OUTSIDE, OWN
from vectors import CODES, Reason, reasons

from jwks_client.errors import TOKEN_ERROR_CODES

OWN_FILES = {"captured": test_captured.FILES, "rfc": (*test_rfc.FILES, *test_joserfc.RFC_FILES)}
COLLECTIONS = {
    "aws-jwt-verify": test_aws,
    "identitymodel": test_key_sets,
    "joserfc": test_joserfc,
    "jwks-realworld": test_key_sets,
    "jwks-rotation": test_key_sets,
    "jwks-rsa-java": test_key_sets,
    "jwt_verify_lib": test_jwt_verify_lib,
    "microprofile-jwt": test_microprofile,
    "php-jwt": test_key_sets,
    "pyjwt": test_key_sets,
    "smallrye-jwt": test_key_sets,
    "wycheproof": test_wycheproof,
}
# Also outside the repository, from where its two folders were copied; one file was not copied.
COPIED = {"captured", "rfc"}
LISTED_ELSEWHERE = {"jwks-realworld/index.json"}


def absent(name: str) -> None:
    """Skip the line of an absent collection; fail if ``JWKS_VECTORS`` promises it."""
    (pytest.fail if os.environ.get("JWKS_VECTORS") else pytest.skip)(
        f"collection {name} is not at {OUTSIDE}: set JWKS_VECTORS"
    )


@pytest.mark.parametrize("folder", OWN_FILES)
def test_every_own_file_is_run(folder):
    """Each file of vectors in the repository is named by the tests that run it."""
    assert {f"{folder}/{path.name}" for path in (OWN / folder).iterdir()} == {*OWN_FILES[folder]}


@pytest.mark.parametrize("name", [*COLLECTIONS, *test_captured.ELSEWHERE_FILES])
def test_every_file_of_a_collection_is_run(name):
    """Each file of a collection is named by the tests that run it, and they name no other."""
    if not (OUTSIDE / name).exists():
        absent(name)
    if name in COLLECTIONS:
        there = {f"{name}/{path.name}" for path in (OUTSIDE / name).iterdir()}
        named = {one for one in COLLECTIONS[name].FILES if one.startswith(f"{name}/")}
        copied = {f"joserfc/{one.partition('/')[2]}" for one in test_joserfc.RFC_FILES}
        assert there - {f"{name}/SOURCE.md", *LISTED_ELSEWHERE} - copied == named


def test_every_collection_is_known():
    """No folder of vectors outside the repository is left unread."""
    if not OUTSIDE.is_dir():
        pytest.skip(f"no collections of vectors at {OUTSIDE}: set JWKS_VECTORS")
    there = {path.name for path in OUTSIDE.iterdir() if path.is_dir()}
    assert there - COPIED <= COLLECTIONS.keys()


def test_there_are_five_reasons():
    """A token that a vector calls valid is refused for one of five reasons, each with its own codes."""
    assert [reason.value for reason in Reason] == [
        "symmetric algorithm",
        "RSA under 2048 bits",
        "JSON serialisation",
        "critical header",
        "payload that is not a claims object",
    ]
    assert CODES.keys() == set(Reason)
    of_key_sets = {"symmetric_key", "weak_key"}
    assert set().union(*CODES.values()) <= {*TOKEN_ERROR_CODES, *of_key_sets}


def test_no_reason_applies_to_a_plain_token():
    """No reason applies to a compact token over claims with an asymmetric algorithm and a key of full size."""
    token = "eyJhbGciOiJSUzI1NiJ9.e30.AA"  # {"alg":"RS256"}, {}
    full_size = {"kty": "RSA", "n": "gA" + "A" * 340, "e": "AQAB"}
    assert reasons(token, full_size) == set()
    assert reasons(token, {**full_size, "n": "QA" + "A" * 340}) == {Reason.RSA_UNDER_2048_BITS}
