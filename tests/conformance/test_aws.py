"""One real token of Microsoft's, long expired, whose kid is no longer published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vectors import claims_of, load, octets, serving, verdict

from jwks_client import Provider, TokenError
from jwks_client.testing import FakeClock
from jwks_client.testing._keys.signing_key import to_base64url

if TYPE_CHECKING:
    from outside_vectors import Vectors

pytestmark = pytest.mark.collection("aws-jwt-verify", "jwks-realworld")
FILES = ("aws-jwt-verify/ms-token-data.json",)
ISSUED_AT, EXPIRES_AT = 1537231048, 1537234948


@pytest.fixture
def told(vectors: Vectors) -> dict[str, str]:
    """The file, and as ``token`` the token with its signature cut to a canonical end.

    It was cut short before it was published: 19 characters are left, of which the last carries bits
    that belong to no octet. With these cleared the token is one again, if not a genuine one.
    """
    file = load(vectors / FILES[0])
    *start, signature = file["MS_INVALID_KID_TOKEN"].split(".")
    return {**file, "token": ".".join((*start, to_base64url(octets(signature))))}


def entra(told: dict[str, str], **fields: Any) -> Provider:
    """The provider as that library's own test names it."""
    usual = {
        "name": "entra",
        "issuer": told["MS_ISSUER"],
        "audience": told["MS_AUDIENCE"],
        "jwks_url": told["MS_JWKSURI"],
    }
    return Provider(**{**usual, **fields})


def published(vectors: Vectors, told: dict[str, str]) -> Any:
    """What Entra's endpoint served in 2024, under the URL that the token's tenant has."""
    document = load(vectors / "jwks-realworld/wk-entra-common.json")
    return serving(document, url=told["MS_JWKSURI"])


def test_as_it_was_published_it_is_no_token(vectors, drive, told):
    """Stray bits at the end of its signature: refused by its bytes. One character is all that differs."""
    published_token, token = told["MS_INVALID_KID_TOKEN"], told["token"]
    assert (token[:-1], token[-1], published_token[-1]) == (published_token[:-1], "s", "t")
    wire = published(vectors, told)
    drive.client(entra(told), transport=wire, clock=FakeClock(ISSUED_AT))
    assert verdict(drive, published_token) == "malformed_token"
    assert wire.asked == []


def test_within_its_life_its_key_is_looked_for(vectors, drive, told):
    """The key set is fetched once for its kid, which is not in it: the key is unknown."""
    wire = published(vectors, told)
    drive.client(entra(told), transport=wire, clock=FakeClock(ISSUED_AT))
    assert verdict(drive, told["token"]) == "unknown_key"
    assert wire.asked == [told["MS_JWKSURI"]]
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key_from_jwt(told["token"])
    assert caught.value.code == "unknown_key"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (EXPIRES_AT + 30, "token_expired")),
        ({"issuer": "https://login.microsoftonline.com/common/v2.0"}, (ISSUED_AT, "wrong_issuer")),
        ({"algorithms": ("ES256",)}, (ISSUED_AT, "algorithm_not_allowed")),
        ({"token_types": ("at+jwt",)}, (ISSUED_AT, "wrong_token_type")),
    ],
    ids=["expiry", "issuer", "algorithm", "type"],
)
def test_what_condemns_itself_is_not_worth_a_fetch(vectors, drive, told, fields, expected):
    """Expired, of another issuer, of another algorithm or type: that is the verdict, and nobody is asked."""
    now, code = expected
    wire = published(vectors, told)
    drive.client(entra(told, **fields), transport=wire, clock=FakeClock(now))
    assert verdict(drive, told["token"]) == code
    assert wire.asked == []


def test_its_times_are_those_that_are_tested(told):
    """The token is read as its own claims say."""
    claims = claims_of(told["MS_INVALID_KID_TOKEN"])
    assert (claims["iat"], claims["exp"]) == (ISSUED_AT, EXPIRES_AT)
    assert (claims["iss"], claims["aud"]) == (told["MS_ISSUER"], told["MS_AUDIENCE"])
