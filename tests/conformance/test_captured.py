"""Seven real providers as recorded: discovery, key sets before and after rotations, tokens."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from vectors import ACCEPTED, Wire, load, material, provider, verdict, written_material

from jwks_client import Provider, TokenError, providers
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeClock

if TYPE_CHECKING:
    from outside_vectors import Vectors

TOKENS = {
    "canaille": 6,
    "django-oauth-toolkit": 4,
    "glewlwyd": 8,
    "lemonldap-ng": 8,
    "oauth2-mock-server": 6,
    "oidc-provider-mock": 2,
    "oidc-provider": 9,
}
ELSEWHERE_FILES = ("captured/lemonldap-ng.json",)  # outside the repository
FILES = tuple(
    f"captured/{name}.json" for name in TOKENS if f"captured/{name}.json" not in ELSEWHERE_FILES
)
# Real tokens that must not be accepted: one with a MAC by the client's secret, one unsigned in two segments.
REFUSED = {("lemonldap-ng", 3): "algorithm_not_allowed", ("lemonldap-ng", 4): "malformed_token"}
# The verdicts on each good token under each of the other key sets of its provider.
ELSEWHERE = {
    "canaille": {ACCEPTED: 5, "unknown_key": 13},
    "django-oauth-toolkit": {ACCEPTED: 3, "unknown_key": 9},
    "glewlwyd": {ACCEPTED: 7, "unknown_key": 17},
    "lemonldap-ng": {"unknown_key": 15, "bad_signature": 3},
    "oauth2-mock-server": {ACCEPTED: 5, "unknown_key": 7},
    "oidc-provider-mock": {"bad_signature": 2},
    "oidc-provider": {ACCEPTED: 7, "bad_signature": 4, "unknown_key": 25},
}


def marks_of(name: str) -> list[Any]:
    file = f"captured/{name}.json"
    return [] if file in FILES else [pytest.mark.collection(file)]


NAMES = [pytest.param(name, marks=marks_of(name)) for name in TOKENS]
CASES = [
    pytest.param(name, place, id=f"{name}-{place}", marks=marks_of(name))
    for name, count in TOKENS.items()
    for place in range(count)
]
GOOD = [case for case in CASES if case.values not in REFUSED]


def recorded(vectors: Vectors, name: str) -> dict[str, Any]:
    return load(vectors / f"captured/{name}.json")


def home_of(token: dict[str, Any]) -> int:
    """Return which of the recorded key sets verifies a token."""
    return int(token["expect"].removeprefix("valid against jwks[").removesuffix("]"))


def wire_of(record: dict[str, Any], state: int) -> Wire:
    """Return the provider's endpoints, each with its recorded response."""
    answers = (record["discovery"], record["jwks"][state])
    return Wire({answer["url"]: answer for answer in answers})


def discovered(record: dict[str, Any], token: dict[str, Any], **options: Any) -> Provider:
    """Return the provider as an application would configure it, with the token's audience."""
    audience = token["claims"].get("aud")
    return providers.oidc(
        record["discovery"]["body"]["issuer"],
        audience=(tuple(audience) if isinstance(audience, list) else audience) or UNCHECKED,
        **options,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_token_is_run(vectors, name):
    """The tokens run here are exactly the recorded ones, and those that must be refused are marked there too."""
    tokens = recorded(vectors, name)["tokens"]
    assert len(tokens) == TOKENS[name]
    refused = {(name, n) for n, token in enumerate(tokens) if token["expect"] == "refuse"}
    assert refused == {case for case in REFUSED if case[0] == name}


@pytest.mark.parametrize(("name", "place"), GOOD)
def test_a_token_is_accepted_against_its_key_set(vectors, drive, name, place):
    """Discovery and key set are each fetched once from the provider's URLs, and the token verifies."""
    record = recorded(vectors, name)
    token = record["tokens"][place]
    wire = wire_of(record, home_of(token))
    drive.client(discovered(record, token), transport=wire, clock=FakeClock(token["verify_at"]))
    verified = drive.verify(token["token"])
    assert verified.claims == token["claims"]
    assert verified.header == token["header"]
    assert verified.algorithm == token["alg"]
    assert verified.issuer == record["discovery"]["body"]["issuer"]
    assert wire.asked == [record["discovery"]["url"], record["jwks"][home_of(token)]["url"]]


@pytest.mark.parametrize(
    ("name", "place"), [pytest.param(*case, marks=marks_of(case[0])) for case in REFUSED]
)
def test_an_unsigned_token_is_refused_without_a_fetch(vectors, drive, name, place):
    """A token that a provider issues without a signature is refused by its own bytes, without a fetch."""
    record = recorded(vectors, name)
    token = record["tokens"][place]
    wire = wire_of(record, 0)
    drive.client(discovered(record, token), transport=wire, clock=FakeClock(token["verify_at"]))
    assert verdict(drive, token["token"]) == REFUSED[name, place]
    assert wire.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_a_key_set_verifies_only_tokens_of_its_own_keys(vectors, drive, name):
    """Under every other recorded key set a token is accepted only if that set has the same key."""
    record = recorded(vectors, name)
    verdicts: Counter[str] = Counter()
    for place, token in enumerate(record["tokens"]):
        if (name, place) in REFUSED:
            continue
        for state in range(len(record["jwks"])):
            if state == home_of(token):
                continue
            drive.client(
                discovered(record, token),
                transport=wire_of(record, state),
                clock=FakeClock(token["verify_at"]),
            )
            said = verdict(drive, token["token"])
            assert said == expected_under(record, token, state), (place, state)
            verdicts[said] += 1
    assert verdicts == ELSEWHERE[name]


def expected_under(record: dict[str, Any], token: dict[str, Any], state: int) -> str:
    """Return the verdict by comparing the token's signing key with the keys of another set."""
    kid = token["header"].get("kid")

    def answering(place: int) -> list[tuple[object, ...]]:
        entries = record["jwks"][place]["body"]["keys"]
        return [written_material(one) for one in entries if kid in (None, one.get("kid"))]

    signer, others = answering(home_of(token)), answering(state)
    assert len(signer) == 1
    if not others:
        return "unknown_key"
    return ACCEPTED if signer[0] in others else "bad_signature"


@pytest.mark.parametrize("name", NAMES)
def test_one_client_follows_all_rotations(vectors, drive, name):
    """A client with yesterday's keys accepts every token of today, half a minute apart."""
    record = recorded(vectors, name)
    tokens = [token for n, token in enumerate(record["tokens"]) if (name, n) not in REFUSED]
    clock = FakeClock(tokens[0]["verify_at"])
    wire = wire_of(record, 0)
    audiences = {one for token in tokens for one in audiences_of(token)}
    drive.client(
        providers.oidc(
            record["discovery"]["body"]["issuer"], audience=tuple(audiences) or UNCHECKED
        ),
        transport=wire,
        clock=clock,
    )
    for token in tokens:
        answer = record["jwks"][home_of(token)]
        wire.answers[answer["url"]] = answer
        assert drive.verify(token["token"]).claims == token["claims"]
        clock.advance(30)


def audiences_of(token: dict[str, Any]) -> list[str]:
    audience = token["claims"].get("aud", [])
    return audience if isinstance(audience, list) else [audience]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_key_is_usable(vectors, drive, name):
    """All keys of all recorded responses are read, each as it is written."""
    for answer in recorded(vectors, name)["jwks"]:
        drive.client(provider(), transport=Wire({provider().jwks_url: answer}))
        keys = drive.keys()
        assert keys.unusable == ()
        assert [material(key) for key in keys] == [
            written_material(one) for one in answer["body"]["keys"]
        ]


def test_every_recorded_key_set_is_run(vectors):
    """The repository contains 22 recorded key sets."""
    own = [name for name in TOKENS if not marks_of(name)]
    assert sum(len(recorded(vectors, name)["jwks"]) for name in own) == 22


class TestDPoP:
    """RFC 9449: a token that is bound to a key is not a bearer token."""

    @staticmethod
    def client(vectors: Vectors, drive: Any, **options: Any) -> dict[str, Any]:
        record = recorded(vectors, "oidc-provider")
        bound = record["dpop"]
        drive.client(
            providers.oidc(
                record["discovery"]["body"]["issuer"], audience="urn:workshop:api:ES256", **options
            ),
            transport=wire_of(record, 0),
            clock=FakeClock(bound["verify_at"]),
        )
        return bound

    def test_a_bound_token_is_refused_by_default(self, vectors, drive):
        """A holder of only the token is refused."""
        bound = self.client(vectors, drive)
        with pytest.raises(TokenError) as caught:
            drive.verify(bound["access_token"])
        assert caught.value.code == "invalid_claim"
        assert caught.value.claim == "cnf"

    def test_a_bound_token_is_accepted_where_the_binding_is_checked(self, vectors, drive):
        """The claim that names the key is available for the application's own check."""
        bound = self.client(vectors, drive, bound_tokens="checked_elsewhere")
        assert drive.verify(bound["access_token"]).claims["cnf"] == {"jkt": bound["jkt"]}

    @pytest.mark.parametrize("proof", ["proof_for_token_endpoint", "proof_for_resource"])
    def test_a_proof_is_not_a_token(self, vectors, drive, proof):
        """A proof is refused by its type; where that type is accepted, the key in its own header is still not used."""
        bound = self.client(vectors, drive)
        assert verdict(drive, bound[proof]) == "wrong_token_type"
        record = recorded(vectors, "oidc-provider")
        drive.client(
            provider(token_types=("dpop+jwt",)),
            transport=Wire({provider().jwks_url: record["jwks"][0]}),
            clock=FakeClock(bound["verify_at"]),
        )
        assert verdict(drive, bound[proof]) == "bad_signature"
