"""One real, long expired token of Microsoft, whose kid is no longer published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vectors import claims_of, load, octets, serving, verdict

from jwks_client import Provider, TokenError
from jwks_client._core.encoding import to_base64url
from jwks_client.testing import FakeClock

if TYPE_CHECKING:
    from outside_vectors import Vectors

pytestmark = pytest.mark.collection("aws-jwt-verify", "jwks-realworld")
FILES = ("aws-jwt-verify/ms-token-data.json",)
ISSUED_AT, EXPIRES_AT = 1537231048, 1537234948


@pytest.fixture
def case(vectors: Vectors) -> dict[str, str]:
    """Return the file, and as ``token`` the token with its signature cut to a canonical end.

    The token was shortened before publication: 19 characters of its signature are left, and the last one has
    bits that belong to no octet. With these cleared the token can be parsed, although it is not genuine.
    """
    file = load(vectors / FILES[0])
    *start, signature = file["MS_INVALID_KID_TOKEN"].split(".")
    return {**file, "token": ".".join((*start, to_base64url(octets(signature))))}


def entra(case: dict[str, str], **fields: Any) -> Provider:
    """Return the provider as that library's own test names it."""
    usual = {
        "name": "entra",
        "issuer": case["MS_ISSUER"],
        "audience": case["MS_AUDIENCE"],
        "jwks_url": case["MS_JWKSURI"],
    }
    return Provider(**{**usual, **fields})


def published(vectors: Vectors, case: dict[str, str]) -> Any:
    """Serve Entra's key set of 2024 under the URL of the token's tenant."""
    document = load(vectors / "jwks-realworld/wk-entra-common.json")
    return serving(document, url=case["MS_JWKSURI"])


def test_the_published_token_is_malformed(vectors, drive, case):
    """As published, the token has stray bits at its end and is malformed; one cleared character changes that."""
    published_token, token = case["MS_INVALID_KID_TOKEN"], case["token"]
    assert (token[:-1], token[-1], published_token[-1]) == (published_token[:-1], "s", "t")
    wire = published(vectors, case)
    drive.client(entra(case), transport=wire, clock=FakeClock(ISSUED_AT))
    assert verdict(drive, published_token) == "malformed_token"
    assert wire.asked == []


def test_within_its_lifetime_its_key_is_fetched(vectors, drive, case):
    """Within its lifetime the key set is fetched once for its kid, which it lacks: the key is unknown."""
    wire = published(vectors, case)
    drive.client(entra(case), transport=wire, clock=FakeClock(ISSUED_AT))
    assert verdict(drive, case["token"]) == "unknown_key"
    assert wire.asked == [case["MS_JWKSURI"]]
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key_from_jwt(case["token"])
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
def test_a_token_that_is_refused_anyway_causes_no_fetch(vectors, drive, case, fields, expected):
    """An expired token, or one of another issuer, algorithm or type, is refused without a fetch."""
    now, code = expected
    wire = published(vectors, case)
    drive.client(entra(case, **fields), transport=wire, clock=FakeClock(now))
    assert verdict(drive, case["token"]) == code
    assert wire.asked == []


def test_its_times_are_those_of_its_claims(case):
    """The token is parsed with its own claims."""
    claims = claims_of(case["MS_INVALID_KID_TOKEN"])
    assert (claims["iat"], claims["exp"]) == (ISSUED_AT, EXPIRES_AT)
    assert (claims["iss"], claims["aud"]) == (case["MS_ISSUER"], case["MS_AUDIENCE"])
