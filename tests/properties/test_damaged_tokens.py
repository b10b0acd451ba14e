"""Any damage to a good token is noticed, whatever the algorithm."""

from __future__ import annotations

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from odd_json import CLOCK, steady

from jwks_client import JWKSClient, Provider, TokenError
from jwks_client.testing import FakeProvider

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
    *("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
)


@pytest.fixture(params=ALGORITHMS)
def signed(request):
    """Return a client, the algorithm, and two good tokens of one key."""
    idp = FakeProvider(algorithm=request.param, clock=CLOCK)
    provider = Provider(
        name="idp",
        issuer=idp.issuer,
        audience="api",
        jwks=idp.jwks(),
        algorithms=[request.param],
    )
    with JWKSClient(provider, clock=CLOCK) as client:
        good = [idp.issue(sub=sub, scope="a b").encode() for sub in ("u1", "u2")]
        for token in good:
            client.verify(token)
        yield client, request.param, good


def is_refused(client, token):
    try:
        client.verify(token)
    except TokenError:
        return True
    return False


def decoded(segment):
    return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def encoded(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def test_any_octet_changed_inserted_or_removed_is_refused(signed):
    """One octet changed, inserted or removed in any segment is refused, and the token itself is still accepted."""
    client, algorithm, (good, _) = signed

    @steady(60, algorithm)
    @given(
        st.integers(0, 2),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255).map(lambda octet: bytes([octet])) | st.sampled_from([b"=", b"", b"."]),
        st.integers(1, 4),
        st.integers(0, 2),
    )
    def it_is_refused(segment, place, octet, times, taken):
        parts = good.split(b".")
        at = int(place * (len(parts[segment]) + 1))
        parts[segment] = parts[segment][:at] + octet * times + parts[segment][at + taken :]
        damaged = b".".join(parts)
        assume(damaged != good)
        assert is_refused(client, damaged)
        assert client.verify(good).subject == "u1"

    it_is_refused()


def test_any_bit_changed_beneath_the_encoding_is_refused(signed):
    """A changed bit is encoded again, so parse, signature or a claim refuses the token."""
    client, algorithm, (good, _) = signed

    @steady(60, algorithm)
    @given(st.integers(0, 2), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
    def it_is_refused(segment, place, bits):
        parts = good.split(b".")
        octets = bytearray(decoded(parts[segment]))
        octets[int(place * len(octets))] ^= bits
        parts[segment] = encoded(bytes(octets))
        assert is_refused(client, b".".join(parts))

    it_is_refused()


def test_a_signature_of_another_length_is_refused(signed):
    """Zeros before, behind or inside a signature, a cut, doubled or empty signature: each is refused."""
    client, _, (good, _) = signed
    message, _, signature = good.rpartition(b".")
    octets = decoded(signature)
    half = len(octets) // 2
    zero, first, last = bytes(1), octets[:1], octets[-1:]
    others = [b"", zero, zero + octets, octets + zero, octets[1:], octets[:-1], octets * 2]
    others += [octets + last, first + octets, bytes(len(octets)), octets[::-1]]
    others += [octets[:half] + zero + octets[half:], octets[:half] + octets[half + 1 :]]
    for other in others:
        assert is_refused(client, message + b"." + encoded(other)), other


def test_parts_of_two_good_tokens_are_refused(signed):
    """Each segment belongs to the two with which it was signed."""
    client, _, (one, two) = signed
    header, payload, signature = one.split(b".")
    _, other_payload, other_signature = two.split(b".")
    assert is_refused(client, b".".join([header, other_payload, signature]))
    assert is_refused(client, b".".join([header, payload, other_signature]))
    assert is_refused(client, b".".join([payload, header, signature]))
