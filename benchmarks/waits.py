"""Measure waits: cold callers, a flood of unknown key ids, an event loop at the first fetch."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import statistics
import subprocess
import sys
import threading
from time import perf_counter

from jwks_client import AsyncJWKSClient, JWKSClient, TokenError

from .measuring import Measure, each, wall
from .report import Row, Section, at_most, micro, milli, spaced, times
from .scene import Scene, scene

ANSWER_TIME = 0.2  # seconds that the provider takes


def waits(measure: Measure) -> Section:
    with scene("RS256", measure.callers) as here:
        return Section(
            "Fetches",
            f"The provider answers the cold callers after {milli(ANSWER_TIME)}.",
            "relative to one caller, or to no flood",
            [*herds(here), *flood(here, measure), blocked(here, measure)],
        )


def herds(here: Scene) -> list[Row]:
    here.idp.delay(ANSWER_TIME)
    with JWKSClient(here.provider) as lone:
        alone = wall(lambda: lone.verify(here.tokens[0]))
    rows = []
    for name, herd in (("threads", _threads), ("tasks", _tasks)):
        before = here.idp.fetches
        seconds = herd(here)
        fetches = here.idp.fetches - before
        what = f"{len(here.tokens)} cold callers, {name}"
        rows += [
            Row(f"{what}: fetches", str(fetches), "", at_most(fetches, 1)),
            Row("… all of them answered after", milli(seconds), times(seconds / alone)),
        ]
    here.idp.recover()
    return [Row("one cold caller: answered after", milli(alone), times(1.0)), *rows]


def _threads(here: Scene) -> float:
    client = JWKSClient(here.provider)
    gate = threading.Barrier(len(here.tokens) + 1)
    verified: list[str | None] = []

    def call(token: bytes) -> None:
        gate.wait()
        verified.append(client.verify(token).subject)

    threads = [threading.Thread(target=call, args=(token,)) for token in here.tokens]
    for thread in threads:
        thread.start()

    def all_of_them() -> None:
        gate.wait()
        for thread in threads:
            thread.join()

    seconds = wall(all_of_them)
    assert len(set(verified)) == len(here.tokens)
    client.close()
    return seconds


def _tasks(here: Scene) -> float:
    async def story() -> float:
        async with AsyncJWKSClient(here.provider) as client:
            begun = perf_counter()
            verified = await asyncio.gather(*(client.verify(token) for token in here.tokens))
            seconds = perf_counter() - begun
        assert len({token.subject for token in verified}) == len(here.tokens)
        return seconds

    return asyncio.run(story())


def flood(here: Scene, measure: Measure) -> list[Row]:
    """Verify tokens with unknown key ids, with a known key in between."""
    client = JWKSClient(here.provider, token_cache_size=0)
    known, batch = [token.decode() for token in here.tokens[:20]], 100
    forged = [_of_unknown_key(here) for _ in range(measure.forged)]
    client.verify(known[0])
    run, refuse, fetched = each(client.verify), each(lambda one: _refused(client, one)), 0
    quiet, meanwhile, refusing = [], [], []
    fetched, begun = here.idp.fetches, perf_counter()
    for place in range(0, len(forged), batch):
        some = forged[place : place + batch]
        refusing.append(refuse(some) / len(some))
        meanwhile.append(run(known) / len(known))
    took, fetches = perf_counter() - begun, here.idp.fetches - fetched
    calm = JWKSClient(here.provider, token_cache_size=0)
    calm.verify(known[0])
    run_calmly = each(calm.verify)
    for _ in meanwhile:
        run_calmly(known * (batch // len(known)))
        quiet.append(run_calmly(known) / len(known))
    slower = statistics.median(meanwhile) / statistics.median(quiet)
    most = 2 + took / 10
    return [
        Row(
            f"{spaced(len(forged))} random key ids in {took:.2g} s: fetches",
            str(fetches),
            "",
            at_most(fetches, int(most)),
        ),
        Row("… to refuse one of them", micro(statistics.median(refusing))),
        Row(
            "… to verify a token of a known key during the flood",
            micro(statistics.median(meanwhile)),
            times(slower),
        ),
    ]


def _of_unknown_key(here: Scene) -> str:
    header = {"alg": here.algorithm, "typ": "JWT", "kid": secrets.token_hex(16)}
    segment = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return segment + "." + here.tokens[0].decode().partition(".")[2]


def _refused(client: JWKSClient, token: str) -> None:
    try:
        client.verify(token)
    except TokenError as error:
        assert error.code == "unknown_key"  # noqa: PT017
    else:
        raise AssertionError("it was accepted")


def blocked(here: Scene, measure: Measure) -> Row:
    """Measure how long the first fetch blocks an event loop, each time in a fresh process."""
    gaps = []
    asked = json.dumps(
        {
            "url": here.jwks_url,
            "issuer": here.issuer,
            "audience": here.audience,
            "token": here.tokens[0].decode(),
        }
    )
    for _ in range(measure.processes):
        command = [sys.executable, "-m", "benchmarks.first_fetch"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=asked)  # noqa: S603
        gaps.append(json.loads(done.stdout))
    idle = statistics.median(one["idle"] for one in gaps)
    longest = statistics.median(one["fetching"] for one in gaps)
    return Row(
        f"the event loop is blocked at the first fetch (idle: {milli(idle)})",
        milli(longest),
        "",
        at_most(longest * 1e3, 6, " ms"),
    )
