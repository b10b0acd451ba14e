"""MicroProfile JWT's claim sets, signed here, with the verdicts of its TCK."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest
from vectors import key_set, load, provider, read_entries, verdict

from jwks_client import Key, Provider, TokenError
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeClock
from jwks_client.testing._keys.signing_key import SigningKey, make_key

if TYPE_CHECKING:
    from outside_vectors import Vectors

CLAIM_SETS = (
    "RequiredClaims",
    "Token1",
    "Token2",
    "TokenAudiences",
    "TokenBadIss",
    "TokenNoIss",
    "TokenWithIatOlderThanExp",
    "TokenWithoutExp",
)
KEYS = ("ecPublicKey.jwk", "rsaPublicKey1024bit.jwk", "signer-keyset4k.jwk")
pytestmark = pytest.mark.collection("microprofile-jwt")
FILES = tuple(
    f"microprofile-jwt/{name}" for name in (*(f"{one}.json" for one in CLAIM_SETS), *KEYS)
)
ISSUER, AUDIENCE = "https://server.example.com", "s6BhdRkqt3"
ISSUED_AT, EXPIRES_AT = 1311280970, 1311281970
LEEWAY = 30


@functools.cache
def signer() -> SigningKey:
    """Return the signing key: RS256, as MicroProfile requires."""
    return make_key("RS256", "publicKey", borrower=signer)


def token_of(vectors: Vectors, name: str) -> str:
    """Return a claim set, octet by octet as in its file, signed."""
    payload = (vectors / f"microprofile-jwt/{name}.json").read_bytes()
    return signer().sign_compact(b'{"alg":"RS256","kid":"publicKey","typ":"JWT"}', payload)


def wanting(audience: Any = AUDIENCE, **fields: Any) -> Provider:
    return Provider(
        name="microprofile",
        issuer=ISSUER,
        audience=audience,
        jwks=key_set(signer().jwk()),
        algorithms=("RS256",),
        **fields,
    )


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        ("Token1", AUDIENCE),
        ("Token2", "s6BhdRkqt3.2"),
        ("TokenAudiences", AUDIENCE),
        ("TokenAudiences", "aud4"),
        ("RequiredClaims", UNCHECKED),
    ],
)
def test_a_good_claim_set(vectors, drive, name, audience):
    """A good claim set is accepted from its first second to the end of its lifetime, with all its claims."""
    token = token_of(vectors, name)
    clock = FakeClock(ISSUED_AT)
    drive.client(wanting(audience), clock=clock)
    assert drive.verify(token).claims == load(vectors / f"microprofile-jwt/{name}.json")
    clock.advance(EXPIRES_AT - ISSUED_AT + LEEWAY - 1)
    assert verdict(drive, token) == "accepted"
    clock.advance(1)
    assert verdict(drive, token) == "token_expired"


@pytest.mark.parametrize(
    ("name", "audience", "fault"),
    [
        ("TokenBadIss", AUDIENCE, ("wrong_issuer", "iss")),
        ("TokenNoIss", AUDIENCE, ("missing_claim", "iss")),
        ("TokenWithoutExp", UNCHECKED, ("missing_claim", "exp")),
        ("TokenWithIatOlderThanExp", UNCHECKED, ("invalid_claim", "iat")),
        ("Token2", AUDIENCE, ("wrong_audience", "aud")),
        ("TokenAudiences", "aud5", ("wrong_audience", "aud")),
        ("RequiredClaims", AUDIENCE, ("missing_claim", "aud")),
    ],
)
def test_a_bad_claim_set(vectors, drive, name, audience, fault):
    """A bad claim set is refused for its intended fault, although signed and within its lifetime."""
    drive.client(wanting(audience), clock=FakeClock(ISSUED_AT))
    with pytest.raises(TokenError) as caught:
        drive.verify(token_of(vectors, name))
    assert (caught.value.code, caught.value.claim) == fault


@pytest.mark.parametrize(
    ("name", "loosened"),
    [
        ("TokenBadIss", {"issuer": UNCHECKED}),
        ("TokenNoIss", {"issuer": UNCHECKED}),
        ("TokenWithoutExp", {"require_expiry": False}),
        ("Token2", {"audience": UNCHECKED}),
        ("RequiredClaims", {"audience": UNCHECKED}),
    ],
    ids=["TokenBadIss", "TokenNoIss", "TokenWithoutExp", "Token2", "RequiredClaims"],
)
def test_the_fault_is_the_only_one(vectors, drive, name, loosened):
    """The same token is accepted where the application does not check the faulty claim, so it has no other fault."""
    fields = {"issuer": ISSUER, "audience": UNCHECKED, **loosened}
    usual = {"name": "microprofile", "jwks": key_set(signer().jwk()), **fields}
    drive.client(Provider(**usual), clock=FakeClock(ISSUED_AT))
    assert verdict(drive, token_of(vectors, name)) == "accepted"


def test_the_groups_as_scopes(vectors, drive):
    """MicroProfile's groups are read as scopes where configured."""
    drive.client(wanting(scope_claim="groups"), clock=FakeClock(ISSUED_AT))
    verified = drive.verify(token_of(vectors, "Token1"))
    assert verified.require("Echoer", "Tester").subject == "24400320"
    assert verified.scopes == {"Echoer", "Tester", "group1", "group2"}


def test_the_keys(vectors, drive):
    """The 4096-bit key and the EC key are usable, and the 1024-bit key is too weak."""
    folder = vectors / "microprofile-jwt"
    (large,) = load(folder / "signer-keyset4k.jwk")["keys"]
    ec, weak = load(folder / "ecPublicKey.jwk"), load(folder / "rsaPublicKey1024bit.jwk")
    read = read_entries(drive, key_set(large, ec, weak))
    assert [isinstance(one, Key) for one in read] == [True, True, False]
    assert (read[0].kid, read[0].key.key_size) == ("publicKey4k", 4096)
    assert (read[1].kid, read[1].crv, read[1].alg) == ("eckey", "P-256", "ES256")
    assert (read[2].kid, read[2].code) == ("1024bit", "weak_key")


def test_the_key_set_as_published(vectors, drive):
    """The published document is read as text."""
    text = (vectors / "microprofile-jwt/signer-keyset4k.jwk").read_text()
    assert json.loads(text)
    drive.client(provider(jwks=text))
    (key,) = drive.keys()
    assert key.kid == "publicKey4k"
