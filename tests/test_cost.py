"""What a verification costs, counted in calls: a gate that no machine's mood opens or closes.

Times are measured by ``python -m benchmarks``. A call is a thing that every reader of the hot path can
count, and one more of them is about 1 % of a verification.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from counting import calls_of
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from quick_readers import reading

from jwks_client import JWKSClient
from jwks_client.testing import FakeProvider


class Scene(NamedTuple):
    """A client with its keys, tokens it has not seen, and the signature check of such a token by itself."""

    client: JWKSClient
    tokens: list[str]
    signature_alone: Callable[[], object]


def warm(algorithm: str = "RS256", **settings: Any) -> Scene:
    idp = FakeProvider(algorithm=algorithm)
    client = idp.client(**settings)
    tokens = [idp.issue(sub=f"u{number}", scope="a b") for number in range(4)]
    for token in tokens[:2]:  # the first fetches, and what is made once is made
        client.verify(token)
    key = client.get_signing_key_from_jwt(tokens[0]).key
    return Scene(client, tokens[2:], signature_check(key, algorithm, tokens[2]))


def signature_check(key: Any, algorithm: str, token: str) -> Callable[[], object]:
    signed, _, text = token.encode().rpartition(b".")
    signature = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    digest = SHA256()
    match algorithm:
        case "RS256":
            args = (signature, signed, PKCS1v15(), digest)
        case "ES256":
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            args = (encode_dss_signature(r, s), signed, ECDSA(digest))
        case _:
            args = (signature, signed)
    assert key.verify(*args) is None
    return lambda: key.verify(*args)


def own_calls(scene: Scene, token: str) -> int:
    """Calls of one verification beyond those of the signature check, which no library can spare."""
    signature = calls_of(scene.signature_alone) - 1  # less the lambda around it
    return calls_of(scene.client.verify, token) - signature


@pytest.fixture(params=["fast", "plain"])
def spared(request):
    """The calls that the extra `fast` spares: each test runs with it and without."""
    quickly = request.param == "fast"
    with reading(quickly=quickly):
        yield 2 if quickly else 0


@pytest.mark.parametrize(("algorithm", "most"), [("RS256", 34), ("ES256", 37), ("EdDSA", 35)])
def test_a_new_token_costs_few_calls(algorithm, most, spared):
    """A token that was never seen is verified, and remembered, in a few dozen calls beyond the signature's own."""
    scene = warm(algorithm)
    assert own_calls(scene, scene.tokens[0]) <= most - spared


def test_a_new_token_costs_fewer_calls_without_the_memory(spared):
    """Who turns the memory off does not pay for writing it."""
    scene = warm(token_cache_size=0)
    assert own_calls(scene, scene.tokens[0]) <= 27 - spared


def test_a_new_token_and_its_signature_stay_within_the_budget(spared):
    """All in all, cryptography's own calls included, RS256 takes at most 43."""
    scene = warm()
    assert calls_of(scene.client.verify, scene.tokens[0]) <= 43 - spared


def test_a_token_seen_before_costs_next_to_nothing():
    """The same token again takes eight calls, and none of them is a signature check."""
    scene = warm()
    token = scene.tokens[0]
    scene.client.verify(token)
    again = token.encode().decode()  # another request brings another string
    assert calls_of(scene.client.verify, again) <= 8


def test_asyncio_costs_no_call_more():
    """`await client.verify` makes the calls that `client.verify` makes: no task, no thread, no lock."""
    idp = FakeProvider()
    client = idp.async_client()
    tokens = [idp.issue(sub=f"u{number}", scope="a b") for number in range(3)]

    def step(token: str) -> None:
        try:
            client.verify(token).send(None)  # it never waits, so one step ends it
        except StopIteration:
            return
        raise AssertionError("it waited")

    async def story() -> int:
        for token in tokens[:2]:
            await client.verify(token)
        return calls_of(step, tokens[2])

    scene = warm()
    by_asyncio = asyncio.run(story()) - 2  # less `step`, and `send` in it
    assert by_asyncio == calls_of(scene.client.verify, scene.tokens[0])


def test_the_count_sees_a_call_more():
    """The gate can close: what calls one function more is counted one more."""
    scene = warm()
    for token in scene.tokens:
        scene.client.verify(token)
    verify, token = scene.client.verify, scene.tokens[0]
    assert calls_of(lambda: verify(token)) == calls_of(verify, token) + 1
