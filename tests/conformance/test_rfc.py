"""The examples of RFC 7515, 7517, 7638 and 8037."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vectors import (
    ACCEPTED,
    judged_valid,
    key_set,
    load,
    names,
    provider,
    read_entries,
    serving,
    verdict,
    written_material,
)
from vectors import material as material_of

from jwks_client import Key
from jwks_client.testing import FakeClock

if TYPE_CHECKING:
    from outside_vectors import Vectors

FILES = ("rfc/vectors.json",)
EXPIRES_AT = 1300819380
TOKENS = {
    "rfc7515-A.1": "algorithm_not_allowed",  # HS256
    "rfc7515-A.2": ACCEPTED,
    "rfc7515-A.3": ACCEPTED,
    "rfc7515-A.4": "malformed_token",  # over the text "Payload"
    "rfc8037-A.4": "malformed_token",  # over the text "Example of Ed25519 signing"
}
THUMBPRINTS = ("rfc8037-A.3", "rfc7638-3.1")
KEY_SETS = ("rfc7517-A.1",)


def vector(vectors: Vectors, name: str) -> dict[str, Any]:
    (found,) = [one for one in load(vectors / FILES[0]) if one["id"] == name]
    return found


def test_every_vector_is_run(vectors):
    """The vectors run here are exactly those of the file."""
    assert sorted(names(load(vectors / FILES[0]), "id")) == sorted(
        (*TOKENS, *THUMBPRINTS, *KEY_SETS)
    )


@pytest.mark.parametrize("name", TOKENS)
def test_a_token(vectors, drive, name):
    """A token is accepted within its lifetime, or refused for a listed reason, and then its signature is valid."""
    one = vector(vectors, name)
    drive.client(
        provider(),
        transport=serving(key_set(one["jwk"])),
        clock=FakeClock(EXPIRES_AT - 1),
    )
    assert judged_valid(drive, one["token"], one["jwk"]) == TOKENS[name]


@pytest.mark.parametrize("name", [name for name in TOKENS if TOKENS[name] == ACCEPTED])
def test_the_same_token_today(vectors, drive, name):
    """The token expired in 2011, at its exp plus thirty seconds of leeway; its claims are those of the RFC."""
    one = vector(vectors, name)
    clock = FakeClock(EXPIRES_AT + 29)
    drive.client(provider(algorithms=(one["alg"],), jwks=key_set(one["jwk"])), clock=clock)
    claims = {"iss": "joe", "exp": EXPIRES_AT, "http://example.com/is_root": True}
    assert drive.verify(one["token"]).claims == claims
    clock.advance(1)
    assert verdict(drive, one["token"]) == "token_expired"


@pytest.mark.parametrize("name", THUMBPRINTS)
def test_a_thumbprint(vectors, drive, name):
    """A key's thumbprint is the one in the RFC."""
    one = vector(vectors, name)
    drive.client(provider(jwks=key_set(one["jwk"])))
    (key,) = drive.keys()
    assert key.thumbprint == one["thumbprint_sha256"]


def test_a_key_set(vectors, drive):
    """Of RFC 7517's two keys, the encryption key verifies nothing, and the other verifies RS256.

    The file cuts that key's modulus short, with dots at its end. RFC 7638 has the same key in full.
    """
    encryption, cut = vector(vectors, "rfc7517-A.1")["jwks"]["keys"]
    whole = vector(vectors, "rfc7638-3.1")["jwk"]
    start, dots, nothing = cut["n"].partition("...")
    assert whole["n"].startswith(start)
    assert whole["kid"] == cut["kid"]
    assert (dots, nothing) == ("...", "")
    signing = {**cut, "n": whole["n"]}

    unusable, key = read_entries(drive, key_set(encryption, signing))
    assert (unusable.kid, unusable.code) == ("1", "not_for_signatures")
    assert isinstance(key, Key)
    assert (key.kid, key.alg, key.algorithms) == ("2011-04-29", "RS256", {"RS256"})
    assert material_of(key) == written_material(signing)


def test_a_truncated_modulus(vectors, drive):
    """A modulus that is not base64 makes its key unusable, and is not read up to its first error."""
    entries = read_entries(drive, vector(vectors, "rfc7517-A.1")["jwks"])
    assert [entry.code for entry in entries] == ["not_for_signatures", "malformed_key"]
