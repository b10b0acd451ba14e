"""Input from outside raises no exceptions but this library's own."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from odd_json import CLOCK, as_text, odd_texts, steady, values, weighted

from jwks_client import JWKSError, Provider
from jwks_client.errors import ConfigurationError
from jwks_client.testing import FakeProvider

SIGNERS = [
    FakeProvider(algorithm=one, clock=CLOCK) for one in ("RS256", "ES256", "EdDSA", "ML-DSA-44")
]
ENTRIES = [entry for idp in SIGNERS for entry in idp.jwks()["keys"]]
ALGORITHMS = [idp.algorithm for idp in SIGNERS]
MEMBERS = ["kty", "kid", "use", "alg", "key_ops", "crv", "n", "e", "x", "y", "pub", "d", "k", "x5c"]
MEMBERS += ["issuer"]


class Text(str):
    """A custom subclass of str."""

    __slots__ = ()


class Octets(bytes):
    """A custom subclass of bytes."""

    __slots__ = ()


def in_hand(idp, **fields):
    usual = {"name": "idp", "issuer": idp.issuer, "audience": "api", "algorithms": ALGORITHMS}
    return Provider(**{**usual, "jwks": {"keys": ENTRIES}, **fields})


def error_of(drive, method, *arguments):
    """Return the library's error that a call raises, or None; other exceptions propagate."""
    try:
        drive.call(method, *arguments)
    except JWKSError as error:
        return error
    return None


@pytest.mark.parametrize("method", ["verify", "explain", "get_signing_key_from_jwt"])
def test_anything_may_be_given_for_a_token(drive, method):
    """Texts with lone surrogates, octets, and objects of any type are accepted or refused as tokens."""
    drive.client(in_hand(SIGNERS[0]), clock=CLOCK)
    good = SIGNERS[0].issue()
    anything = (
        st.text(st.characters(), max_size=40)
        | st.binary(max_size=40)
        | st.lists(st.text("ey0aAQ9_=", max_size=9), min_size=2, max_size=6).map(".".join)
        | st.text("ey0.", max_size=9).map(Text)
        | values
        | st.builds(bytearray, st.binary(max_size=9))
        | st.builds(memoryview, st.binary(max_size=9))
        | st.sampled_from([object(), type, print, ..., {1}, 1j, drive])
        | st.integers(0, len(good)).map(lambda at: good[:at] + "\ud800" + good[at:])
        | st.integers(0, len(good)).map(lambda at: good[:at].encode() + b"\xff")
        | st.integers(16_000, 17_000).map(lambda size: "e" * size)
        | st.integers(16_000, 17_000).map(lambda size: "." * size)
    )

    @steady(100, drive.kind, method)
    @given(anything)
    @example(Text(good))
    @example(Octets(good.encode()))
    def only_ours(token):
        error = error_of(drive, method, token)
        assert error is None or error.__cause__ is None
        assert error is None or error.__context__ is None

    only_ours()


odd_members = st.sampled_from(
    ["", "sig", "AA", "A" * 3000, "====", "RS256", [], {}, ["x"], [[]], 5, True, None]
)


@st.composite
def entries(draw):
    """Return an entry of a key set: a real one with odd members, or any value."""
    entry = deepcopy(draw(st.sampled_from(ENTRIES)))
    for member in draw(st.lists(st.sampled_from(MEMBERS), max_size=2)):
        entry[member] = draw(weighted(values, odd_members))
    for member in draw(st.lists(st.sampled_from(MEMBERS), max_size=1)):
        entry.pop(member, None)
    return entry


documents = st.lists(entries() | values, max_size=3).map(lambda some: {"keys": some}) | values
bodies = (
    documents.map(as_text)
    | st.lists(odd_texts, max_size=2).map(lambda some: f'{{"keys":[{",".join(some)}]}}')
    | st.lists(entries(), max_size=2).map(lambda some: f'{{"keys":[],"keys":{json.dumps(some)}}}')
    | st.sampled_from(
        ["", "\ufeff{}", "[" * 5000, '{"keys":' * 5000, '{"keys":[' + "9" * 5000 + "]}"]
    )
)
octets = (
    bodies.map(str.encode) | st.binary(max_size=60) | bodies.map(lambda text: text.encode("utf-16"))
)


def test_any_body_may_be_served_as_a_key_set(drive):
    """Any body is read or is a failed fetch; then a token is accepted, refused, or 503."""
    served = FakeProvider(algorithm="RS256", clock=CLOCK)
    drive.client(served)
    tokens = [idp.issue() for idp in SIGNERS]

    @steady(120, drive.kind)
    @given(octets)
    def only_ours(body):
        served.fail(body)
        failure = error_of(drive, "refresh")
        assert failure is None or failure.code == "bad_key_set"
        for token in tokens:
            error_of(drive, "verify", token)

    only_ours()


def test_any_document_may_be_a_static_key_set(drive):
    """A static key set may be octets, text or an object; anything but a key set is a ConfigurationError."""
    tokens = [idp.issue() for idp in SIGNERS]

    @steady(120, drive.kind)
    @given(
        octets | bodies | st.dictionaries(st.just("keys") | st.text(max_size=3), values) | documents
    )
    def only_ours(document):
        try:
            drive.client(in_hand(SIGNERS[0], jwks=document), clock=CLOCK)
        except ConfigurationError:
            return
        assert len(drive.keys()) > 0
        for token in tokens:
            error_of(drive, "verify", token)

    only_ours()
