"""The cost of a verification, counted in calls, which do not depend on the machine.

Times are measured by ``python -m benchmarks``. A reader of the hot path can count calls, and one more of
them is about 1 % of a verification.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from counting import calls_of
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from quick_readers import reading

from jwks_client import IssuerTemplate, JWKSClient, Provider
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeProvider


class Scene(NamedTuple):
    """A client with its keys, new tokens, and the signature check of such a token alone."""

    client: JWKSClient
    tokens: list[str]
    signature_alone: Callable[[], object]


def warm(algorithm: str = "RS256", **settings: Any) -> Scene:
    idp = FakeProvider(algorithm=algorithm)
    client = idp.client(**settings)
    tokens = [ordinary(idp, sub=f"u{number}", scope="a b") for number in range(4)]
    for token in tokens[:2]:  # the first fetches, and everything that is made only once is made
        client.verify(token)
    key = client.get_signing_key_from_jwt(tokens[0]).key
    return Scene(client, tokens[2:], signature_check(key, algorithm, tokens[2]))


def ordinary(idp: FakeProvider, **claims: Any) -> str:
    """Return a token whose signature's numbers do not begin with zeros, as one ECDSA signature in 128 does."""
    while True:
        token = idp.issue(**claims)
        signature = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
        if signature[0] and signature[len(signature) // 2]:
            return token


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
    """Count the calls of one verification beyond those of the signature check, which no library can avoid."""
    signature = calls_of(scene.signature_alone) - 1  # minus the lambda around it
    return calls_of(scene.client.verify, token) - signature


@pytest.fixture(params=["fast", "plain"])
def spared(request):
    """Return the number of calls that the extra `fast` saves: each test runs with it and without."""
    quickly = request.param == "fast"
    with reading(quickly=quickly):
        yield 2 if quickly else 0


# Python 3.14 also reports the ``__enter__`` of a ``with`` block over a lock as a call: the memory has one.
ENTERING = int(sys.version_info >= (3, 14))


@pytest.mark.parametrize(("algorithm", "most"), [("RS256", 36), ("ES256", 37), ("EdDSA", 35)])
def test_a_new_token_costs_few_calls(algorithm, most, spared):
    """A new token is verified, and remembered, in a few dozen calls beyond those of the signature check."""
    scene = warm(algorithm)
    assert own_calls(scene, scene.tokens[0]) <= most + ENTERING - spared


def test_a_new_token_costs_fewer_calls_without_the_memory(spared):
    """With the memory off, no call is spent on writing it."""
    scene = warm(token_cache_size=0)
    assert own_calls(scene, scene.tokens[0]) <= 29 - spared


def test_a_new_token_and_its_signature_stay_within_the_budget(spared):
    """In total, cryptography's own calls included, RS256 makes at most 45 calls."""
    scene = warm()
    assert calls_of(scene.client.verify, scene.tokens[0]) <= 45 + ENTERING - spared


@pytest.mark.usefixtures("spared")
def test_a_large_token_costs_few_calls_more():
    """A hundred permissions, each in a list, do not add a call for each."""
    idp = FakeProvider()
    client = idp.client()
    permissions = [["orders", "read"], ["orders", "write"]] * 50
    small, large, *before = [
        idp.issue(sub=f"u{number}", permissions=permissions if number == 1 else [])
        for number in range(4)
    ]
    for token in before:
        client.verify(token)
    assert calls_of(client.verify, large) <= calls_of(client.verify, small) + 12


@pytest.mark.usefixtures("spared")
@pytest.mark.parametrize(("audience", "aud"), [("api", ["api", "account"]), (UNCHECKED, None)])
def test_every_usual_audience_takes_the_fast_path(audience, aud):
    """A list of audiences, or an audience that is not checked, costs a few calls and not the checks one by one."""
    idp = FakeProvider()
    counts = {}
    for name, checked, claim in (("usual", "api", "api"), ("other", audience, aud)):
        client = JWKSClient(
            Provider(name=name, issuer=idp.issuer, audience=checked, jwks=idp.jwks())
        )
        first, second = (idp.issue(sub=f"u{number}", aud=claim) for number in range(2))
        client.verify(first)
        counts[name] = calls_of(client.verify, second)
    assert counts["other"] <= counts["usual"] + 10


def test_a_remembered_token_costs_little():
    """A remembered token makes eight calls, and none of them is a signature check."""
    scene = warm()
    token = scene.tokens[0]
    scene.client.verify(token)
    again = token.encode().decode()  # another request brings another string
    assert calls_of(scene.client.verify, again) <= 8


def test_asyncio_costs_no_call(monkeypatch):
    """`await client.verify` makes the calls of `verify`: it asks whether asyncio runs only where trio may run."""
    monkeypatch.delitem(sys.modules, "trio", raising=False)
    idp = FakeProvider()
    client = idp.async_client()
    tokens = [idp.issue(sub=f"u{number}", scope="a b") for number in range(3)]

    def step(token: str) -> None:
        try:
            client.verify(token).send(None)  # it never waits, so one step ends it
        except StopIteration:
            return
        raise AssertionError("it waited")

    async def story() -> list[int]:
        for token in tokens[:2]:
            await client.verify(token)
        return [calls_of(step, tokens[2]) for _ in range(2)]

    scene = warm()
    new, remembered = (calls_of(scene.client.verify, scene.tokens[0]) for _ in range(2))
    # minus `step`, and `send` in it
    assert [calls - 2 for calls in asyncio.run(story())] == [new, remembered]


def at_scale(count: int, *more: Provider) -> int:
    """Return the calls that a token makes with so many providers."""
    idp = FakeProvider(issuer="https://t7.idp.test")
    keys = idp.jwks()
    many = [
        Provider(name=f"p{n}", issuer=f"https://t{n}.idp.test", audience=idp.audience, jwks=keys)
        for n in range(count)
    ]
    client = JWKSClient(*more, *many, clock=idp.clock)
    tokens = [idp.issue(sub=f"u{n}") for n in range(4)]
    for token in tokens[:3]:
        client.verify(token)
    return calls_of(client.verify, tokens[3])


TEMPLATE = Provider(
    name="template",
    issuer=IssuerTemplate("https://login.test/{tid}/v2.0", allowed={"t1"}),
    audience="api",
    jwks=FakeProvider().jwks(),
)


def test_a_token_costs_the_same_however_many_providers_there_are():
    """Routing does not look at each provider, with a template among them and without."""
    assert at_scale(1000) == at_scale(10)
    assert at_scale(1000, TEMPLATE) == at_scale(10, TEMPLATE)


def test_making_a_client_costs_each_provider_the_same():
    """A hundred times as many providers make a hundred times as many calls, and not more."""
    idp = FakeProvider()

    def making(count: int) -> int:
        many = [
            Provider(
                name=f"p{n}",
                issuer=f"https://t{n}.idp.test",
                audience="api",
                jwks_url=f"https://t{n}.idp.test/jwks",
            )
            for n in range(count)
        ]
        return calls_of(lambda: JWKSClient(*many, clock=idp.clock))

    making(1)
    few, many = making(10), making(1010)
    assert (many - few) / 1000 < 2 * (
        making(110) - few
    ) / 100  # dicts grow; quadratic cost would be 10


def test_the_count_notices_one_more_call():
    """A function with one more call is counted with one more."""
    scene = warm()
    for token in scene.tokens:
        scene.client.verify(token)
    verify, token = scene.client.verify, scene.tokens[0]
    assert calls_of(lambda: verify(token)) == calls_of(verify, token) + 1
