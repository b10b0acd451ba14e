"""RFC 7520 section 4, RFC 7797, and joserfc's fixtures: one JWS and one JWT for each algorithm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from vectors import (
    ACCEPTED,
    HOLDS,
    Reason,
    judged_valid,
    key_set,
    keys_of,
    load,
    names,
    provider,
    read_entries,
    reasons,
    serving,
    signature_state,
    verdict,
)

from jwks_client import ConfigurationError, Key
from jwks_client._core.encoding import to_base64url
from jwks_client.testing._keys.signing_key import make_key

if TYPE_CHECKING:
    from outside_vectors import Vectors

RFC_FILES = ("rfc/jws_rfc7520.json", "rfc/jws_rfc7797.json")  # in the repository
FILES = tuple(f"joserfc/{name}.json" for name in ("jws_examples", "jwt_use_jws", "keys"))
JOSERFC = pytest.mark.collection("joserfc")
# Tokens over a text: they are not JWTs, whatever their algorithm, and that is reported first.
TEXTS = {
    "jws_rfc7520": (
        "RSA v1.5 Signature",
        "RSA-PSS Signature",
        "ECDSA Signature",
        "HMAC-SHA2 Integrity Protection",
    ),
    "jws_rfc7797": (
        "4.1 HS256",
        "4.2 HS256 with b64=false",
        "HS256 with b64=true",
        "HS256 with b64=false, safe payload",
    ),
    "jws_examples": ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"),
}
CLAIMS = {
    "HS256": "algorithm_not_allowed",
    "HS384": "algorithm_not_allowed",
    "HS512": "algorithm_not_allowed",
    "RS256": ACCEPTED,
    "RS384": ACCEPTED,
    "RS512": ACCEPTED,
}
HELD = {  # the signatures that only the fifth reason keeps from being accepted
    "jws_rfc7520": 3,
    "jws_rfc7797": 0,
    "jws_examples": 3,
}


def marks_of(file: str) -> list[Any]:
    return [] if f"rfc/{file}.json" in RFC_FILES else [JOSERFC]


CASES = [
    pytest.param(file, name, id=f"{file}-{name}", marks=marks_of(file))
    for file in TEXTS
    for name in TEXTS[file]
]
SIGNED_TEXTS = [pytest.param(file, marks=marks_of(file)) for file in TEXTS]


def cases_of(vectors: Vectors, file: str) -> list[dict[str, Any]]:
    folder = "rfc" if f"rfc/{file}.json" in RFC_FILES else "joserfc"
    return load(vectors / f"{folder}/{file}.json")["tests"]


def case_of(vectors: Vectors, file: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in cases_of(vectors, file) if one["name"] == name]
    return found


def keys_for(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the key of a case as a key set would have it; RFC 7797's own is not in the file."""
    if "secret" in case:
        return [{"kty": "oct", "k": to_base64url(case["secret"].encode())}]
    return [case["jwk"]] if "jwk" in case else []


@pytest.mark.parametrize("file", [*SIGNED_TEXTS, pytest.param("jwt_use_jws", marks=JOSERFC)])
def test_every_vector_is_run(vectors, file):
    """The vectors run here are exactly those of each file."""
    assert names(cases_of(vectors, file), "name") == list(TEXTS.get(file, CLAIMS))


@JOSERFC
@pytest.mark.parametrize("name", CLAIMS)
def test_a_token_with_claims(vectors, drive, name):
    """A JWT of an asymmetric algorithm is accepted, and one of a symmetric algorithm is refused for that."""
    case = case_of(vectors, "jwt_use_jws", name)
    keys = keys_for(case)
    drive.client(provider(), transport=serving(key_set(*keys)))
    assert judged_valid(drive, case["token"], *keys) == CLAIMS[name]
    if CLAIMS[name] == ACCEPTED:
        assert drive.verify(case["token"]).claims == {"sub": "1"}
    else:
        assert reasons(case["token"], *keys) == {Reason.SYMMETRIC_ALGORITHM}


@JOSERFC
@pytest.mark.parametrize("name", CLAIMS)
def test_a_single_allowed_algorithm(vectors, drive, name):
    """An asymmetric algorithm may be the only allowed one; a symmetric one cannot be configured."""
    case = case_of(vectors, "jwt_use_jws", name)
    if CLAIMS[name] == ACCEPTED:
        drive.client(provider(algorithms=(name,), jwks=key_set(case["jwk"])))
        assert drive.verify(case["token"]).algorithm == name
    else:
        with pytest.raises(ConfigurationError) as caught:
            provider(algorithms=(name,))
        assert caught.value.field == "algorithms"


@pytest.mark.parametrize(("file", "name"), CASES)
def test_a_signed_text(vectors, drive, file, name):
    """A JWS over a text is refused because it has no claims; if asymmetric, its signature is valid."""
    case = case_of(vectors, file, name)
    keys = keys_for(case)
    drive.client(provider(), transport=serving(key_set(*keys)))
    assert judged_valid(drive, case["compact"], *keys) == "malformed_token"
    assert Reason.NO_CLAIMS_OBJECT in reasons(case["compact"], *keys)


@pytest.mark.parametrize("file", SIGNED_TEXTS)
def test_the_number_of_valid_signatures(vectors, drive, file):
    """Three signatures over texts of RFC 7520 are valid, and three of the examples."""
    held = 0
    for case in cases_of(vectors, file):
        drive.client(provider(), transport=serving(key_set(*keys_for(case))))
        held += signature_state(keys_of(drive), case["compact"]) == HOLDS
    assert held == HELD[file]


@pytest.mark.parametrize(("file", "name"), CASES)
@pytest.mark.parametrize("form", ["general_json", "flattened_json"])
def test_json_serialisation(vectors, drive, file, name, form):
    """Both forms of JSON serialisation are refused, as text, as bytes and as an object."""
    case = case_of(vectors, file, name)
    if (file, form) == ("jws_rfc7797", "general_json"):
        assert form not in case  # RFC 7797 shows only the flattened form
        return
    keys = keys_for(case)
    text = json.dumps(case[form])
    drive.client(provider(), transport=serving(key_set(*keys)))
    assert judged_valid(drive, text, *keys) == "malformed_token"
    assert Reason.JSON_SERIALISATION in reasons(text, *keys)
    assert verdict(drive, text.encode()) == "malformed_token"
    assert verdict(drive, case[form]) == "malformed_token"


@pytest.mark.parametrize("name", TEXTS["jws_rfc7797"][1:])
def test_a_critical_header(vectors, drive, name):
    """RFC 7797's headers with ``b64`` are refused over claims as well, with a valid signature of a known key.

    Only their algorithm is changed. RFC 7797 section 7: a JWT must not use ``b64``.
    """
    signer = make_key("ES256", "ours", borrower=None)
    protected = case_of(vectors, "jws_rfc7797", name)["protected"]
    assert "crit" in protected
    header = json.dumps({**protected, "alg": "ES256"}).encode()
    drive.client(provider(jwks=key_set(signer.jwk())))
    token = signer.sign_compact(header, b"{}")
    assert judged_valid(drive, token, signer.jwk()) == "unsupported_critical_header"
    assert reasons(token, signer.jwk()) == {Reason.CRITICAL_HEADER}
    assert drive.verify(signer.sign_compact(b'{"alg":"ES256"}', b"{}")).claims == {}


@JOSERFC
def test_the_keys(vectors, drive):
    """Three of its five keys verify signatures and are usable; RFC 7520's are those of its tokens."""
    written = load(vectors / "joserfc/keys.json")
    entries = dict(zip(written, read_entries(drive, key_set(*written.values())), strict=True))
    assert {name: getattr(entry, "code", None) for name, entry in entries.items()} == {
        "RFC7520-EC-public": None,
        "RFC7520-RSA-public": None,
        "RFC7520-oct-sig": "symmetric_key",
        "okp-ed25519-public": None,
        "okp-x25519-bob": "unknown_curve",
    }
    # These two share a kid: the type says which one a token means.
    for name in ("RSA v1.5 Signature", "ECDSA Signature"):
        case = case_of(vectors, "jws_rfc7520", name)
        assert signature_state(keys_of(drive), case["compact"]) == HOLDS
    ed25519 = entries["okp-ed25519-public"]
    assert isinstance(ed25519, Key)
    assert ed25519.kid == ed25519.thumbprint
