"""Inputs that are too large: tokens, headers, key sets, compressed bombs."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
from forging import (
    EC,
    Stand,
    assembled,
    claims_of,
    document,
    entry_of,
    header_of,
    honest_token,
    made_by,
    own_key,
    signed,
)

from jwks_client import FetchPolicy, KeysUnavailableError
from jwks_client.testing import FakeClock

LIMITS = FetchPolicy()


def test_a_token_beyond_the_limit_is_refused_unread(drive):
    """One character more than ``max_token`` is refused, with a good signature or not; megabytes cost no more."""
    stand = Stand(drive, EC)
    room = LIMITS.max_token - len(signed(EC, payload=claims_of(EC, x="")))
    sizes = range(room * 3 // 4 - 4, room * 3 // 4 + 4)
    tokens = [signed(EC, payload=claims_of(EC, x="x" * size)) for size in sizes]
    fitting = [one for one in tokens if len(one) <= LIMITS.max_token]
    assert fitting
    assert len(fitting) < len(tokens)
    for one in fitting:
        stand.assert_accepted(one)
    for one in tokens[len(fitting) :]:
        stand.assert_refused(one, "token_too_large")
    for size in (20_000, 1_000_000, 5_000_000):
        stand.assert_refused("A" * size, "token_too_large")
        stand.assert_refused("." * size, "token_too_large")
        stand.assert_refused(honest_token(EC) + "A" * size, "token_too_large")
        stand.assert_refused("{" * size, "token_too_large")


def test_a_header_beyond_the_limit_is_refused(drive):
    """A header over 4 KiB is refused before any key look-up."""
    stand = Stand(drive, EC)
    for size in (4096, 8000):
        stand.assert_refused(signed(EC, header_of(EC, x="x" * size)), "token_too_large")
        stand.assert_refused(
            assembled(header_of(EC, kid="evil", x=["x"] * (size // 4)), {}), "token_too_large"
        )
    stand.assert_accepted(EC.issue(headers={"x": "x" * 2900}))


def test_a_signature_of_any_size_is_only_an_invalid_one(drive):
    """A signature of thousands of octets instead of 64 is refused before any computation."""
    stand = Stand(drive, EC)
    for size in (0, 1, 63, 65, 128, 1000, 8000):
        stand.assert_refused(assembled(header_of(EC), claims_of(EC), b"\1" * size), "bad_signature")


def test_very_many_members_are_harmless(drive):
    """Thousands of claims, or names made to collide, are accepted in linear time."""
    stand = Stand(drive, EC)
    many = {f"c{n}": n for n in range(900)}
    assert len(stand.assert_accepted(signed(EC, payload=claims_of(EC, **many))).claims) > 900
    colliding = {str(n * (2**61 - 1)): 0 for n in range(300)}
    stand.assert_accepted(signed(EC, payload=claims_of(EC, **colliding)))


def assert_fetch_fails(drive, idp, body, code="bad_key_set", **headers):
    """Assert that a client with good keys treats this response as a failed fetch, and keeps them."""
    idp.recover()
    drive.client(idp)
    good = idp.issue()
    assert drive.verify(good).subject == "u1"
    idp.fail(body, headers=headers)
    with pytest.raises(KeysUnavailableError) as caught:
        drive.refresh()
    assert caught.value.code == code
    assert drive.verify(good).subject == "u1"
    assert drive.verify(idp.issue(jti="2")).subject == "u1"


def evil_set(size):
    """Return a well-formed key set of the attacker's key with this much padding."""
    return json.dumps({"keys": [own_key("ES256").jwk()], "x": "x" * size}).encode()


BOMB = gzip.compress(evil_set(30_000_000), 1)


def test_a_key_set_beyond_the_limit_is_a_failure(drive, idp):
    """A key set of one octet over 512 KiB, or of megabytes, is a failed fetch."""
    for size in (LIMITS.max_body, 3_000_000):
        assert_fetch_fails(drive, idp, evil_set(size))


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_compressed_bomb_is_a_failure(drive, idp, encoding):
    """Some kilobytes that become 30 megabytes are inflated up to the limit and no further."""
    assert len(BOMB) < LIMITS.max_body
    tracemalloc.start()
    try:
        assert_fetch_fails(drive, idp, BOMB, **{"Content-Encoding": encoding})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [
        ("deflate", zlib.compress),
        ("br", bytes),
        ("zstd", bytes),
        ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
        ("gzip", lambda body: body),
        ("gzip", lambda body: gzip.compress(body)[:-12]),
        ("gzip", lambda body: gzip.compress(gzip.compress(body))),
        ("identity, br", bytes),
    ],
)
def test_an_encoding_that_was_not_requested_is_a_failure(drive, idp, encoding, squeeze):
    """A body in another encoding is a failed fetch, and so is gzip that is false, cut, or wrapped twice."""
    assert_fetch_fails(drive, idp, squeeze(evil_set(10)), **{"Content-Encoding": encoding})


@pytest.mark.parametrize("count", [101, 1000])
def test_a_key_set_of_too_many_keys_is_a_failure(drive, idp, count):
    """More than ``max_keys`` entries are refused, usable or not, with the right key among them or not."""
    keys = [{"kty": "none"}] * count
    assert_fetch_fails(drive, idp, json.dumps(document(*keys)).encode())
    assert_fetch_fails(drive, idp, json.dumps(document(*idp.jwks()["keys"], *keys)).encode())


@pytest.mark.parametrize("levels", [50, 5_000, 100_000])
def test_a_key_set_of_great_depth_is_a_failure_or_harmless(drive, idp, levels):
    """A deep key set raises no recursion error: the fetch fails, or the depth is in an ignored member."""
    deep = b"[" * levels + b"]" * levels
    assert_fetch_fails(drive, idp, deep)
    assert_fetch_fails(drive, idp, b'{"keys":' + deep + b"}")
    assert_fetch_fails(drive, idp, b'{"keys":[{"kty":' + deep + b"}]}")


@pytest.mark.parametrize("digits", [5_000, 400_000])
def test_a_key_set_with_endless_numbers_is_a_failure_or_harmless(drive, idp, digits):
    """A number that Python refuses to convert causes no crash."""
    number = b"9" * digits
    assert_fetch_fails(drive, idp, b'{"keys":[{"kty":"RSA","n":' + number + b',"e":"AQAB"}]}')
    assert_fetch_fails(drive, idp, b'{"keys":' + number + b"}")


def test_too_many_candidates_are_not_tried(drive):
    """Without a kid at most four keys are tried; more are ambiguous."""
    keys = [own_key("ES256", f"k{n}") for n in range(6)]
    nameless = [{n: v for n, v in key.jwk().items() if n != "kid"} for key in keys]
    claims = claims_of(EC)
    stand = Stand(drive, EC, jwks=document(entry_of(EC), *nameless))
    stand.assert_refused(made_by(keys[0].sign, header_of(EC, kid=...), claims), "ambiguous_key")
    few = Stand(drive, EC, jwks=document(entry_of(EC), *nameless[:3]))
    few.assert_accepted(made_by(keys[2].sign, header_of(EC, kid=...), claims))
    few.assert_refused(made_by(keys[4].sign, header_of(EC, kid=...), claims), "bad_signature")


def test_absurd_headers_do_not_extend_the_lifetime(drive, idp):
    """A lifetime of centuries or an invalid date keeps a set no longer than ``max_ttl``."""
    clock = idp.clock
    assert isinstance(clock, FakeClock)
    idp.answer_headers = {"Cache-Control": "max-age=99999999999999999999", "Age": "-1"}
    drive.client(idp)
    drive.verify(idp.issue())
    clock.advance(3601)
    drive.verify(idp.issue(expires_in=60))
    assert idp.fetches == 2
