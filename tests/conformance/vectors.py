"""Readers of the vectors of other projects, and the common judgement of all tests here. No data.

This library refuses some tokens that a vector calls valid, for one of the five reasons of `Reason` and
for no other. Which reasons apply to a vector is read from the vector itself, with Python's own JSON and
base64, never from the library's result.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import httpx

from jwks_client import JWKSError, Key, KeySet, KeysUnavailableError, Provider
from jwks_client._core.encoding import decode_segment, strict_object
from jwks_client._core.keysets.jwk import Found, UnusableKey
from jwks_client._core.provider import SUPPORTED_ALGORITHMS
from jwks_client.providers import UNCHECKED
from jwks_client.testing._keys.signing_key import make_key

ACCEPTED = "accepted"
HOLDS = "the signature is valid"
URL = "https://vectors.test/jwks.json"


class Reason(Enum):
    """A reason why this library refuses, on purpose, a token that a vector calls valid. The list is closed."""

    SYMMETRIC_ALGORITHM = "symmetric algorithm"
    RSA_UNDER_2048_BITS = "RSA under 2048 bits"
    JSON_SERIALISATION = "JSON serialisation"
    CRITICAL_HEADER = "critical header"
    NO_CLAIMS_OBJECT = "payload that is not a claims object"


# The codes that may stand for each: of the token, or of the entry of the key set.
CODES = {
    Reason.SYMMETRIC_ALGORITHM: {"algorithm_not_allowed", "symmetric_key"},
    Reason.RSA_UNDER_2048_BITS: {"weak_key"},
    Reason.JSON_SERIALISATION: {"malformed_token"},
    Reason.CRITICAL_HEADER: {"unsupported_critical_header"},
    Reason.NO_CLAIMS_OBJECT: {"malformed_token"},
}


@functools.cache
def load(path: Path) -> Any:
    """Load a JSON file, which its reader must not change."""
    return json.loads(path.read_bytes())


def names(cases: Iterable[Mapping[str, Any]], *members: str) -> list[str]:
    """Return the names of a file's cases."""
    return [" ".join(str(case[member]) for member in members) for case in cases]


# Arguments of a client


def provider(**fields: Any) -> Provider:
    """Return a provider without rules on claims, with every algorithm that can be named."""
    usual: dict[str, Any] = {
        "name": "vectors",
        "issuer": UNCHECKED,
        "audience": UNCHECKED,
        "require_expiry": False,
        "algorithms": SUPPORTED_ALGORITHMS,
    }
    if not fields.keys() & {"jwks", "discovery_url"}:
        usual["jwks_url"] = URL
    return Provider(**{**usual, **fields})


class Wire(httpx.MockTransport):
    """An endpoint with recorded responses; ``asked`` has the requested URLs."""

    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(self._answer)
        self.answers = dict(answers)
        self.asked: list[str] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        recorded = self.answers.get(str(request.url), {"status": 404, "headers": {}, "body": ""})
        body = recorded["body"]
        return httpx.Response(
            recorded["status"],
            headers=recorded["headers"],
            content=body if isinstance(body, (str, bytes)) else json.dumps(body),
        )


def serving(document: object, headers: Mapping[str, str] | None = None, url: str = URL) -> Wire:
    """Return an endpoint with one document (text unchanged, else as JSON) behind it."""
    return Wire({url: {"status": 200, "headers": headers or {}, "body": document}})


def key_set(*entries: object) -> dict[str, Any]:
    """Return a key set of these entries."""
    return {"keys": list(entries)}


# Judging tokens


def verdict(drive: Any, token: object, **options: Any) -> str:
    """Return the client's verdict on a token: `ACCEPTED`, or the code of the error."""
    try:
        drive.verify(token, **options)
    except JWKSError as error:
        return error.code
    return ACCEPTED


def judged_valid(drive: Any, token: object, *entries: Mapping[str, Any]) -> str:
    """Return the verdict on a token that a vector calls valid under the client's keys.

    A refusal must be for reasons of `Reason`; and where the payload is the only reason, the signature must be
    valid under the client's own key.
    """
    code = verdict(drive, token)
    if code != ACCEPTED:
        why = reasons(token, *entries)
        assert any(code in CODES[reason] for reason in why), f"{code} for none of the five reasons"
        if why == {Reason.NO_CLAIMS_OBJECT}:
            assert signature_state(keys_of(drive), token) == HOLDS
    return code


def reasons(token: object, *entries: Mapping[str, Any]) -> set[Reason]:
    """Return which of the five reasons apply to a token and its keys."""
    found = set()
    if any(entry["kty"] == "RSA" and number(entry["n"]).bit_length() < 2048 for entry in entries):
        found.add(Reason.RSA_UNDER_2048_BITS)
    if not isinstance(token, str) or token.startswith("{"):
        return {*found, Reason.JSON_SERIALISATION}
    header = json.loads(octets(token.split(".")[0]))
    if header["alg"].startswith("HS"):
        found.add(Reason.SYMMETRIC_ALGORITHM)
    if "crit" in header:
        found.add(Reason.CRITICAL_HEADER)
    if not isinstance(claims_of(token), dict):
        found.add(Reason.NO_CLAIMS_OBJECT)
    return found


def claims_of(token: str) -> Any:
    """Return the JSON value in a token's payload, or None if there is none."""
    try:
        return json.loads(octets(token.split(".")[1]))
    except ValueError:
        return None


def keys_of(drive: Any) -> KeySet | None:
    """Return the client's keys, or None where the key set is unusable."""
    try:
        return drive.keys()
    except KeysUnavailableError as error:
        if error.code != "bad_key_set":
            raise
        return None


def signature_state(keys: KeySet | None, token: object) -> str:
    """Return what the library's own parts say about a signature whose payload may be anything.

    A client refuses a token without claims before it checks the signature. To learn something from such a
    vector, this function takes the rest of the way with the client's own functions: strict base64url,
    strict JSON of the header, the selection of keys, their verifiers.
    """
    if not isinstance(token, str):
        return "not compact"
    segments = token.encode().split(b".")
    if len(segments) != 3:
        return "not three segments"
    read = [decode_segment(segment) for segment in segments]
    if None in read:
        return "not base64url"
    header = strict_object(read[0])
    if header is None:
        return "no header"
    if "crit" in header:
        return "critical header"
    algorithm = header.get("alg")
    if algorithm not in SUPPORTED_ALGORITHMS:
        return f"alg {algorithm}"
    selection = None if keys is None else keys.select(header.get("kid"), algorithm)
    if not isinstance(selection, Found):
        return "no key"
    message = segments[0] + b"." + segments[1]
    held = any(verified(key, algorithm, message, read[2]) for key in selection.keys)
    return HOLDS if held else "the signature is invalid"


def verified(key: Key, algorithm: str, message: bytes, signature: bytes) -> bool:
    """Return whether the library's verifier of a key accepts; an exception counts as no, as for a client."""
    try:
        return key.verifiers[algorithm](signature, message) is None
    except Exception:
        return False


# Reading key sets

COMPANION = make_key("ES256", "ours", borrower=None).jwk()


def read_entries(drive: Any, document: Mapping[str, Any]) -> list[Key | UnusableKey]:
    """Return what a client made of each entry of a key set, in the order of the document.

    A client returns no set without a usable key, so one of our keys is added to it.
    """
    drive.client(
        provider(), transport=serving({**document, "keys": [*document["keys"], COMPANION]})
    )
    keys = drive.keys()
    entries: list[Any] = list(keys)
    for unusable in keys.unusable:
        entries.insert(unusable.index, unusable)
    assert entries.pop().kid == "ours"
    return entries


def material(key: Key) -> tuple[object, ...]:
    """Return the numbers or octets of which a key of the library is made."""
    if key.kty == "OKP":
        return (key.crv, key.key.public_bytes_raw())
    numbers = key.key.public_numbers()
    return (numbers.n, numbers.e) if key.kty == "RSA" else (key.crv, numbers.x, numbers.y)


def written_material(entry: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the same as it is written in an entry of a document."""
    match entry["kty"]:
        case "RSA":
            return (number(entry["n"]), number(entry["e"]))
        case "EC":
            return (entry.get("crv"), number(entry["x"]), number(entry["y"]))
        case _:
            return (entry["crv"], octets(entry["x"]))


def octets(text: str) -> bytes:
    """Decode base64 in either alphabet, padded or not; raise ValueError otherwise."""
    return base64.urlsafe_b64decode(
        text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)
    )


def number(text: str) -> int:
    """Decode the big-endian number in base64."""
    return int.from_bytes(octets(text), "big")
