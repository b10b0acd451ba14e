"""Project Wycheproof: JWS, JWK sets and JOSE, and the signature primitives under their JWS names.

Each JWS has a text or nothing as its payload, so a client refuses every one because its payload is not a
claims object. So the tests also check the state of the signature with the library's own parts (see
`vectors.signature_state`). Both results are listed here for each group.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from vectors import (
    HOLDS,
    Reason,
    judged_valid,
    key_set,
    keys_of,
    load,
    provider,
    read_entries,
    reasons,
    serving,
    signature_state,
    verdict,
    verified,
)

from jwks_client._core.encoding import to_base64url

if TYPE_CHECKING:
    from outside_vectors import Vectors

FAILS = "the signature is invalid"
SHORT = "not three segments"
JWS = "json_web_signature_test"
SETS = "json_web_key_test"
JOSE = "json_web_crypto_test"

# For each group, the valid and invalid cases by the state of their signatures.
GROUPS = {
    JWS: [
        ("hs256", {"alg HS256": 1}, {"alg HS256": 4, SHORT: 6, "no header": 2, "alg none": 1}),
        ("es256", {HOLDS: 1}, {FAILS: 4, SHORT: 4, "no key": 1, "no header": 1}),
        ("rs256", {HOLDS: 1}, {FAILS: 173, SHORT: 2, "no header": 1}),
        ("rs256", {HOLDS: 3}, {}),
        ("rs384", {HOLDS: 1}, {}),
        ("rs512", {HOLDS: 3}, {}),
        ("ps256", {HOLDS: 4}, {FAILS: 31}),
        ("ps384", {HOLDS: 3}, {}),
        ("ps512", {HOLDS: 3}, {FAILS: 5, "no key": 3, "alg NONE": 1, "alg none": 1}),
        ("rfc7520", {HOLDS: 1}, {}),
        ("rfc7520", {}, {}),  # 346
        ("rfc7520", {"alg HS256": 1}, {}),
        ("rfc7520WithKeyOps", {HOLDS: 1}, {}),
        ("rfc7520WithKeyOps", {}, {}),  # 350
        ("rfc7520WithKeyOps", {}, {}),  # 351
        ("rfc7520", {"alg HS256": 1}, {}),
        ("rsa_encryption", {}, {"no key": 1}),
        ("ec_key_for_encryption", {}, {"no key": 1}),
        ("base64", {"alg HS256": 5}, {"not base64url": 7}),  # and 367, 370, 372
        ("SpecialCaseEs256", {HOLDS: 1}, {FAILS: 18}),
    ],
    SETS: [
        ("jws_mixedSymmetryKeyset", {}, {"alg HS256": 1}),
        ("jws_keyset", {"alg HS256": 1}, {"alg HS256": 1}),
        ("rs256", {HOLDS: 1}, {}),
        ("rs256", {}, {"no key": 1}),
        ("jws_rsa_roca_key", {}, {}),  # 7
        ("keysize_too_small", {}, {"no key": 1}),
        ("exponentOne", {}, {"no key": 1}),
        ("HS384", {}, {"alg HS384": 1}),
        ("HS512", {}, {"alg HS512": 1}),
        ("HS384", {"alg HS384": 1}, {}),
        ("HS512", {"alg HS512": 1}, {}),
        ("HS256", {}, {"alg HS256": 1}),
        ("HS384", {}, {"alg HS384": 1}),
        ("wrong_algorithm", {}, {"no key": 1}),
        ("invalid_algorithm", {}, {"no key": 1}),
        ("invalid_use", {}, {"no key": 1}),
        ("invalid_point", {}, {"no key": 1}),
        ("invalid_aes_gcm_key", {}, {"alg HS256": 1}),
        ("invalid_aes_kw_key", {}, {"alg HS256": 1}),
    ],
    JOSE: [
        (
            "jws_aes",
            {},
            {"alg HS256": 4, SHORT: 6, "no header": 1, "alg none": 1, "not compact": 1},
        ),
        ("jws_ec", {}, {FAILS: 3, SHORT: 3, "no key": 1, "no header": 2}),
        ("jws_rsa", {HOLDS: 1}, {FAILS: 2, SHORT: 4, "no key": 1, "no header": 1}),
        ("jws_rsa_roca_key", {}, {}),  # 46
        ("jws_mixedSymmetryKeyset", {}, {"alg HS256": 1}),
        ("jws_keyset", {}, {"alg HS256": 1}),
    ],
}
# A JWE is not a JWS: whatever its label, no key set opens it.
ENCRYPTED = {
    "jwe_aes": {"encrypted_token": 6, "malformed_token": 3},
    "jwe_ec": {"encrypted_token": 10, "malformed_token": 2},
}
TOTALS = {JWS: 303, SETS: 20, JOSE: 55}

# Labels that contradict themselves or the RFC; the file's SOURCE.md names them, and all others count.
SAME_AS_A_VALID_ONE = "invalid, yet the very token of 357, which is valid"
NO_BASE64URL = "valid, with a ? inside a base64url part"
OTHER_ALGORITHM = "valid, a PS384 token with a key for PS256"
NO_ALGORITHM = "valid, with a key for ES521, which is not an algorithm"
CONTRADICTORY = {
    346: (OTHER_ALGORITHM, "no key"),
    350: (OTHER_ALGORITHM, "no key"),
    351: (NO_ALGORITHM, "no key"),
    367: (SAME_AS_A_VALID_ONE, "alg HS256"),
    370: (SAME_AS_A_VALID_ONE, "alg HS256"),
    372: (NO_BASE64URL, "not base64url"),
}
TAKEN_OUT = {347: NO_ALGORITHM, 373: NO_BASE64URL}  # of the file, with a quarter of its tests
# "Invalid" for the weakness of a key of full size (CVE-2017-15361): a policy of its authors, not of an RFC.
ROCA = {SETS: 7, JOSE: 46}

# The outcome of each primitive: exactly the valid signatures are accepted.
PRIMITIVES = {
    "ecdsa_secp256r1_sha256_p1363_test": ("ES256", 173, 89),
    "ecdsa_secp384r1_sha384_p1363_test": ("ES384", 193, 87),
    "ed25519_test": ("EdDSA", 88, 63),
    "rsa_pss_2048_sha256_mgf1_32_test": ("PS256", 63, 45),
    "rsa_pss_2048_sha384_mgf1_48_test": ("PS384", 95, 46),
    "rsa_pss_4096_sha512_mgf1_64_test": ("PS512", 132, 47),
    "rsa_signature_2048_sha256_test": ("RS256", 9, 250),
    "rsa_signature_2048_sha384_test": ("RS384", 7, 251),
    "rsa_signature_2048_sha512_test": ("RS512", 8, 251),
    "rsa_signature_4096_sha256_test": ("RS256", 7, 251),
}
pytestmark = pytest.mark.collection("wycheproof")
FILES = tuple(f"wycheproof/{name}.json" for name in (*TOTALS, *PRIMITIVES))

CASES = [
    pytest.param(file, place, id=f"{file.removesuffix('_test')}-{place}-{group[0]}")
    for file, groups in GROUPS.items()
    for place, group in enumerate(groups)
]


def groups_of(vectors: Vectors, file: str) -> list[dict[str, Any]]:
    return load(vectors / f"wycheproof/{file}.json")["testGroups"]


def keys_for(group: dict[str, Any]) -> dict[str, Any]:
    """Return the key set of a group: its public keys, or else its symmetric one."""
    keys = group.get("public") or group["private"]
    return keys if "keys" in keys else key_set(keys)


def set_apart(file: str, case: dict[str, Any]) -> bool:
    return (file == JWS and case["tcId"] in CONTRADICTORY) or ROCA.get(file) == case["tcId"]


@pytest.mark.parametrize("file", TOTALS)
def test_every_group_is_run(vectors, file):
    """The groups and cases run here are exactly those of each file."""
    groups = groups_of(vectors, file)
    described = [group[0] for group in GROUPS[file]]
    assert [group["comment"] for group in groups] == described + (
        list(ENCRYPTED) if file == JOSE else []
    )
    assert sum(len(group["tests"]) for group in groups) == TOTALS[file]


@pytest.mark.parametrize(("file", "place"), CASES)
def test_a_group(vectors, drive, file, place):
    """An invalid case is refused and its signature is never valid; a valid case has a valid or symmetric signature."""
    group = groups_of(vectors, file)[place]
    keys = keys_for(group)
    drive.client(provider(), transport=serving(keys))
    states: dict[str, Counter[str]] = {"valid": Counter(), "invalid": Counter()}
    for case in group["tests"]:
        if set_apart(file, case):
            continue
        token = case["jws"]
        state = signature_state(keys_of(drive), token)
        if case["result"] == "valid":
            assert judged_valid(drive, token, *keys["keys"]) == "malformed_token"
            symmetric = Reason.SYMMETRIC_ALGORITHM in reasons(token, *keys["keys"])
            assert symmetric or state == HOLDS, case["tcId"]
        else:
            assert verdict(drive, token) == "malformed_token"
            assert verdict(drive, as_text(token)) == "malformed_token"
            assert state != HOLDS, case["tcId"]
        states[case["result"]][state] += 1
    assert (states["valid"], states["invalid"]) == GROUPS[file][place][1:]


def as_text(token: str | dict[str, Any]) -> str:
    """Return a token as a request could carry it: JSON serialisation is an object in these files."""
    return token if isinstance(token, str) else json.dumps(token)


@pytest.mark.parametrize("name", ENCRYPTED)
def test_an_encrypted_token(vectors, drive, name):
    """No JWE is ever accepted: five segments have their own code, and anything else is malformed."""
    (group,) = [one for one in groups_of(vectors, JOSE) if one["comment"] == name]
    drive.client(provider(), transport=serving(keys_for(group)))
    verdicts = Counter(verdict(drive, as_text(case["jwe"])) for case in group["tests"])
    assert verdicts == ENCRYPTED[name]


@pytest.mark.parametrize("number", CONTRADICTORY)
def test_a_contradictory_label(vectors, drive, number):
    """A case whose label contradicts itself is refused, and its signature is not valid either."""
    why, expected = CONTRADICTORY[number]
    group, case = numbered(vectors, JWS)[number]
    assert case["result"] == why.partition(",")[0]
    if why == SAME_AS_A_VALID_ONE:
        _, other = numbered(vectors, JWS)[357]
        assert (other["jws"], other["result"]) == (case["jws"], "valid")
    drive.client(provider(), transport=serving(keys_for(group)))
    assert verdict(drive, case["jws"]) == "malformed_token"
    assert signature_state(keys_of(drive), case["jws"]) == expected


def numbered(vectors: Vectors, file: str) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Return every case of a file with its group, by its tcId."""
    return {
        case["tcId"]: (group, case) for group in groups_of(vectors, file) for case in group["tests"]
    }


def test_removed_labels(vectors):
    """Two of the contradictory cases are not in the file."""
    assert not numbered(vectors, JWS).keys() & TAKEN_OUT.keys()


@pytest.mark.parametrize("file", ROCA)
def test_a_key_that_is_weak_by_policy(vectors, drive, file):
    """A ROCA key of full size is not detected: its signature is valid, though the label is "invalid"."""
    group, case = numbered(vectors, file)[ROCA[file]]
    assert (case["comment"], case["result"]) == ("rejectsKeyWithRocaVulnerability", "invalid")
    drive.client(provider(), transport=serving(keys_for(group)))
    assert signature_state(keys_of(drive), case["jws"]) == HOLDS
    assert verdict(drive, case["jws"]) == "malformed_token"


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("jws_mixedSymmetryKeyset", ["symmetric_key", None]),
        ("jws_keyset", ["symmetric_key", "symmetric_key"]),
        ("keysize_too_small", ["weak_key"]),
        ("exponentOne", ["weak_key"]),
        ("wrong_algorithm", ["wrong_algorithm"]),
        ("invalid_algorithm", ["wrong_algorithm"]),
        ("invalid_use", ["not_for_signatures"]),
        ("invalid_point", ["malformed_key"]),
        ("invalid_aes_gcm_key", ["symmetric_key"]),
        ("invalid_aes_kw_key", ["symmetric_key"]),
    ],
)
def test_why_a_key_is_unusable(vectors, drive, name, codes):
    """A key that the vectors reject is unusable for its own reason, and the key next to it is usable."""
    (group,) = [one for one in groups_of(vectors, SETS) if one["comment"] == name]
    entries = read_entries(drive, keys_for(group))
    assert [getattr(entry, "code", None) for entry in entries] == codes


@pytest.mark.parametrize("file", PRIMITIVES)
def test_a_primitive(vectors, drive, file):
    """Signatures over octets that are not JWTs, checked by the verifier of the key that `keys()` returns.

    All valid signatures are accepted; invalid ones, and "acceptable" ones (a missing NULL), are not.
    """
    algorithm, *expected = PRIMITIVES[file]
    held = refused = 0
    for group in groups_of(vectors, file):
        drive.client(provider(jwks=key_set(jwk_of(group))))
        (key,) = drive.keys()
        # RFC 9864: EdDSA has a second name for the same algorithm.
        assert key.algorithms == {algorithm, *(["Ed25519"] if algorithm == "EdDSA" else [])}
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            holds = verified(key, algorithm, message, signature)
            assert holds == (case["result"] == "valid"), (case["tcId"], case["comment"])
            assert all(verified(key, one, message, signature) == holds for one in key.algorithms)
            held += holds
            refused += not holds
    assert [held, refused] == expected


def jwk_of(group: dict[str, Any]) -> dict[str, Any]:
    """Return the key of a group; a few ECDSA groups have it only as a point."""
    for member in ("publicKeyJwk", "keyJwk"):
        if member in group:
            return group[member]
    point = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
    width = len(point) // 2
    x, y = to_base64url(point[:width]), to_base64url(point[width:])
    curve = {"secp256r1": "P-256", "secp384r1": "P-384"}[group["publicKey"]["curve"]]
    return {"kty": "EC", "crv": curve, "x": x, "y": y}
