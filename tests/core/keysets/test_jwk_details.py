"""The exact texts and objects of a key set's entries."""

from __future__ import annotations

import pytest
from keys import document, jwk, rsa_jwk, signer

from jwks_client._core.keysets.jwk import Found, read_key_set


def read(*entries):
    return read_key_set(document(*entries), max_keys=100)


GOOD = rsa_jwk(kid="good")
UNUSABLE = [
    ("malformed_key", 5),
    ("private_key", jwk("ES256", d="AA")),
    ("symmetric_key", {"kty": "oct", "k": "AA"}),
    ("malformed_key", jwk("ES256", kid=5)),
    ("not_for_signatures", jwk("ES256", use="enc")),
    ("malformed_key", jwk("ES256", key_ops="verify")),
    ("malformed_key", jwk("ES256", key_ops=["verify", 5])),
    ("malformed_key", jwk("ES256", key_ops=["verify", "verify"])),
    ("not_for_signatures", jwk("ES256", key_ops=["sign"])),
    ("wrong_algorithm", jwk("ES256", alg="RS256")),
]


@pytest.mark.parametrize(("code", "entry"), UNUSABLE)
def test_an_unusable_entry_has_a_reason_for_people(code, entry):
    """An unusable entry has a reason in words, and a code for programs."""
    (bad,) = read(GOOD, entry).unusable
    assert bad.code == code
    assert len(bad.reason.split()) > 3


def test_a_repeated_member_has_an_exact_message():
    """A repeated member, which `json.dumps` cannot write, has an exact message."""
    good = document(GOOD).decode()
    (bad,) = read_key_set(good.replace("[", '[{"kty":"EC","kty":"RSA"},'), max_keys=9).unusable
    assert bad.code == "repeated_member"
    assert bad.reason == "it has a duplicate member"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519", "ML-DSA-44"])
def test_a_key_has_the_public_key_that_was_published(algorithm):
    """`Key.key` is an object of the cryptography library, which other libraries accept."""
    (key,) = read(jwk(algorithm))
    assert key.key == signer(algorithm).private.public_key()


def test_an_issuer_of_another_type_matches_none():
    """An issuer of another type becomes the empty text, which no token has as its issuer."""
    (key,) = read({**GOOD, "issuer": ["https://a.test"]})
    assert key.issuer == ""


@pytest.mark.parametrize(
    ("own", "issuer", "may"),
    [
        (None, "https://i.test/t1", True),
        ("https://i.test/t1", "https://i.test/t1", True),
        ("https://i.test/t2", "https://i.test/t1", False),
        ("https://i.test/{a}", "https://i.test/t1", True),
        ("https://i.test/{a", "https://i.test/{a", True),
        ("https://i.test/a}", "https://i.test/a}", True),
        ("{a}/{b}", "t1/{b}", True),  # only the first placeholder
        ("{a}/{b}", "{a}/t1", False),
        ("{a}}", "t1}", True),
    ],
)
def test_a_key_s_own_issuer_allows_one_issuer(own, issuer, may):
    """The one placeholder in a key's issuer stands for the tenant; half a placeholder is literal."""
    (key,) = read(rsa_jwk(**({} if own is None else {"issuer": own})))
    assert key.may_be_of(issuer, "t1") is may


def test_a_repeated_selection_is_the_same_object():
    """A repeated selection returns the same object, for keys that fit and for keys that do not, as ``chosen`` holds it."""
    key_set = read(GOOD)
    for algorithm in ("RS256", "ES256"):
        first = key_set.select("good", algorithm)
        assert key_set.chosen["good", algorithm] is first
    found = Found(tuple(key_set))
    key_set.chosen["good", "RS256"] = found
    assert key_set.select("good", "RS256") is found


def test_different_sets_have_different_hashes():
    """Different sets have different hashes, so a set may be the key of a dictionary."""
    hashes = {hash(read(rsa_jwk(which=which))) for which in range(20)}
    assert len(hashes) > 10
