"""The scenarios whose counts are published: the number of requests in each, and the callers' results.

Each is played once in a process and remembered, for the tests that check its counts, for the test that compares
them with the published ones, and for the command that publishes them (`benchmarks/life.py`). Nothing here
depends on chance, on the wall clock or on the machine's speed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
from virtual import OK, Client, forged, play, same_bytes_once, with_kid

from jwks_client import Provider
from jwks_client.testing import FakeClock, FakeProvider
from jwks_client.testing._keys.signing_key import SigningKey, make_key

TIMELINES = ("apple", "entra-common", "facebook", "google", "spotify", "yahoo")
A_YEAR = 366 * 86_400


def es256() -> FakeProvider:
    """Return a fake provider on its own clock, whose keys are cheap to make."""
    return FakeProvider(algorithm="ES256", clock=FakeClock())


# --- a flood of unknown kids


@dataclass(frozen=True, kw_only=True)
class Flood:
    """The outcome of 10 000 random kids in 100 seconds, with good tokens and a rotation among them."""

    kids: int
    seconds: float
    fetches: int
    unknown_kids: Mapping[str, int]
    known: Mapping[str, int]
    rotation_seen_after: float


@cache
def flood(kind: str) -> Flood:
    """Play 10 000 random kids, 25 each quarter of a second, a known kid with each 25; a rotation in the middle.

    The provider rotates just after the flood has spent a permit, which is the worst moment. From then on a token
    of the new key comes after each kid of the flood.
    """
    idp = es256()
    kids, at_once, pause, rotation_at = 10_000, 25, 0.25, 50.0
    chance = Random(10_000)

    def story(client: Client) -> Generator[str, str, Flood]:
        known = idp.issue(expires_in=A_YEAR)
        yield known
        before, began = idp.fetches, idp.clock.monotonic()
        unknown_kids: Counter[str] = Counter()
        good: Counter[str] = Counter()
        newest, seen_after = None, -1.0
        for number in range(kids):
            unknown_kids[(yield with_kid(known, f"{chance.getrandbits(128):x}"))] += 1
            elapsed = idp.clock.monotonic() - began
            if newest is None and elapsed >= rotation_at:
                idp.rotate()
                newest = idp.issue(expires_in=A_YEAR)
            if newest is not None and seen_after < 0 and (yield newest) == OK:
                seen_after = elapsed - rotation_at
            if number % at_once == at_once - 1:
                good[(yield known)] += 1
                idp.clock.advance(pause)
        return Flood(
            kids=kids,
            seconds=idp.clock.monotonic() - began,
            fetches=idp.fetches - before,
            unknown_kids=unknown_kids,
            known=good,
            rotation_seen_after=seen_after,
        )

    return play(kind, story, idp)


# --- an outage


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The outcome of 60 000 verifications in a minute in which the provider answered 503."""

    verifications: int
    seconds: float
    fetches: int
    known: Mapping[str, int]
    unknown_kids: Mapping[str, int]
    forgeries: Mapping[str, int]
    states: frozenset[str]
    noticed_after: float


@cache
def outage(kind: str) -> Outage:
    """Play a minute of 503 at 1000 verifications a second, begun while the set is due, so its
    lifetime ends during the outage.

    Every hundredth token names an unknown kid, another has an invalid signature. Then the
    provider recovers, and ten tokens a second arrive until there is a new set.
    """
    idp = es256()
    seconds, a_second = 60, 1000

    def story(client: Client) -> Generator[str, str, Outage]:
        tokens = [idp.issue(sub=str(number), expires_in=A_YEAR) for number in range(10)]
        unknown_kids = [with_kid(tokens[0], f"unknown-{number}") for number in range(100)]
        forgeries = [forged(tokens[0], number) for number in range(100)]
        yield tokens[0]
        before = idp.fetches
        idp.clock.advance(250)
        idp.fail(503)
        began = idp.clock.monotonic()
        received: dict[str, Counter[str]] = {"known": Counter(), "new": Counter(), "bad": Counter()}
        states: set[str] = set()
        for number in range(seconds * a_second):
            if number % 100 == 50:
                received["new"][(yield unknown_kids[number // 100 % 100])] += 1
            elif number % 100 == 99:
                received["bad"][(yield forgeries[number // 100 % 100])] += 1
            else:
                received["known"][(yield tokens[number % 10])] += 1
            if number % 100 == 0:
                states.add(client.health()["issuer.test"].state)
                assert idp.fetches - before < 1000, "the provider is asked without end"
            idp.clock.advance(1 / a_second)
        ended = idp.clock.monotonic()
        fetches = idp.fetches - before
        idp.recover()
        while client.health()["issuer.test"].state != "fresh":
            assert idp.clock.monotonic() < ended + 1000, "the recovery is never noticed"
            idp.clock.advance(0.1)
            assert (yield tokens[0]) == OK
        return Outage(
            verifications=seconds * a_second,
            seconds=round(ended - began, 3),
            fetches=fetches,
            known=received["known"],
            unknown_kids=received["new"],
            forgeries=received["bad"],
            states=frozenset(states),
            noticed_after=round(idp.clock.monotonic() - ended, 1),
        )

    with same_bytes_once():
        return play(kind, story, idp)


# --- recorded rotations


class Recorded:
    """A provider that publishes a real provider's record, with stand-ins for its keys, whose private halves
    are unknown.

    Each distinct JWK of the record has one ES256 key, under the recorded kid.
    """

    def __init__(self, record: Mapping[str, Any], clock: FakeClock) -> None:
        self.clock = clock
        self.fetches = 0
        self.published: list[str] = []
        self.provider = Provider(
            name="recorded",
            issuer=record["issuer"],
            audience="api",
            jwks_url=record["jwks_uri"],
            algorithms=("ES256",),
        )
        self.transport = httpx.MockTransport(self._answer)
        self.keys: dict[str, SigningKey] = {
            name: make_key("ES256", jwk["kid"], borrower=self)
            for name, jwk in record["keys"].items()
        }
        expires_at = int(clock.time()) + 2 * A_YEAR
        claims = {"iss": record["issuer"], "aud": "api", "sub": "u1", "exp": expires_at}
        self.tokens = {
            name: key.sign_compact(
                json.dumps({"alg": "ES256", "kid": key.kid}).encode(), json.dumps(claims).encode()
            )
            for name, key in self.keys.items()
        }

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.fetches += 1
        return httpx.Response(200, json={"keys": [self.keys[one].jwk() for one in self.published]})


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The outcome of tokens over the recorded months."""

    days: int
    changes: int
    keys: int
    brought_back: int
    tokens: int
    fetches: int
    published: Mapping[str, int]
    withdrawn: Mapping[str, int]


BEFORE = 100  # seconds before a change: a set from then is fresh when the change comes
AFTER = 320  # seconds after it: a set from before the change is past its lifetime by then


@cache
def timeline(kind: str, name: str, vectors: Path) -> Timeline:
    """Play every change of a recorded timeline: tokens of all published keys just before, at once, and later.

    Just before, so that the set is fresh when the change comes and lacks the new keys. Later, tokens
    of the keys that the change withdrew come as well.
    """
    record = json.loads((vectors / "jwks-rotation" / f"{name}.json").read_text())
    states = record["states"]
    moments = [datetime.fromisoformat(one["date"]).timestamp() for one in states]
    idp = Recorded(record, FakeClock(moments[0] - 1000))

    def until(moment: float) -> bool:
        """Let time pass to a moment; return False if it is over already."""
        left = moment - idp.clock.time()
        if left >= 0:
            idp.clock.advance(left)
        return left >= 0

    def story(client: Client) -> Generator[str, str, Timeline]:
        published: Counter[str] = Counter()
        withdrawn: Counter[str] = Counter()
        known: set[str] = set()
        brought_back = 0
        for moment, state in zip(moments, states, strict=True):
            before, now = set(idp.published), set(state["keys"])
            if until(moment - BEFORE):
                for one in idp.published:
                    published[(yield idp.tokens[one])] += 1
            assert until(moment)
            idp.published = state["keys"]
            brought_back += len((now - before) & known)
            known |= now
            for one in idp.published:
                published[(yield idp.tokens[one])] += 1
            assert until(moment + AFTER)
            for one in idp.published:
                published[(yield idp.tokens[one])] += 1
            for one in sorted(before - now):
                withdrawn[(yield idp.tokens[one])] += 1
        return Timeline(
            days=round((moments[-1] - moments[0]) / 86_400),
            changes=len(states) - 1,
            keys=len(idp.keys),
            brought_back=brought_back,
            tokens=published.total(),
            fetches=idp.fetches,
            published=published,
            withdrawn=withdrawn,
        )

    with same_bytes_once():
        return play(kind, story, idp)
