"""Measure one verification, relative to the signature check alone and to other libraries.

Run as a module, this is one of the processes that share the rounds (`in_processes`): it reads an
algorithm and a `Measure` as JSON, and prints its results as JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

from jwks_client import AsyncJWKSClient, JWKSClient

from .measuring import (
    Contestant,
    Feed,
    Measure,
    as_texts,
    each,
    each_awaited,
    each_inside,
    in_processes,
    in_turn,
    interleaved,
    quickly,
)
from .peers import examined, peers
from .report import Row, Section, at_most, micro, times
from .scene import Scene, bare, decoded, raw, scene

RAW = "the signature alone (cryptography)"
BARE = "the signature, base64 and JSON, and no check"
DISTINCT = "distinct tokens, no memory"
FIRST = "distinct tokens, each remembered"
DISTINCT_FAST = "… with the extra `fast`"
FIRST_FAST = "… each remembered, with the extra `fast`"
AGAIN = "the same token again"
AGAIN_READ = "… and its claims read"
AGAIN_READ_FAST = "… and read with the extra `fast`"
AWAITED = "distinct tokens, awaited"
INSIDE = "distinct tokens, not awaited"
# The highest cost of distinct tokens relative to the signature, without and with the extra `fast`.
GOALS = {"RS256": (1.50, 1.40), "ES256": (1.16, 1.16), "EdDSA": (1.11, 1.11)}
NAMES = {"EdDSA": "Ed25519"}


def verification(measure: Measure, algorithm: str) -> tuple[Section, dict[str, float]]:
    """Return the table of one algorithm, and each contestant's seconds per token."""
    runs = in_processes("benchmarks.verification", algorithm, measure)
    left_out = runs[0]["left_out"]
    found = {
        name: statistics.median(run["seconds"][name] for run in runs) for name in runs[0]["seconds"]
    }
    text = f"Left out: {'; '.join(left_out)}." if left_out else ""
    name = NAMES.get(algorithm, algorithm)
    return Section(name, text, "relative to the signature", _rows(found, algorithm)), found


def measured(measure: Measure, algorithm: str) -> dict[str, Any]:
    """Return each contestant's seconds per token in this process, and which were omitted."""
    loop = asyncio.new_event_loop()
    try:
        with scene(algorithm, measure.tokens) as here:
            contestants, left_out = _contestants(here, measure, loop)
            fetched = here.idp.fetches
            found = interleaved(contestants, measure.rounds // measure.layouts)
            assert here.idp.fetches == fetched, "a contestant fetched keys while it was timed"
    finally:
        loop.close()
    return {"seconds": found, "left_out": left_out}


def own(here: Scene, measure: Measure, loop: asyncio.AbstractEventLoop) -> dict[str, Contestant]:
    """Return the contestants: the signature check alone, and this library with several settings."""
    chunk, provider = measure.chunk, here.provider
    plain = JWKSClient(provider, token_cache_size=0)
    # With room for half of the tokens, each is forgotten before its next use, and remembered again.
    writing = JWKSClient(provider, token_cache_size=len(here.tokens) // 2)
    writing_fast = JWKSClient(provider, token_cache_size=len(here.tokens) // 2)
    remembering = JWKSClient(provider)
    for client in (plain, writing, writing_fast, remembering):
        examined(_claims_of(client), here, loop)
    pairs = [decoded(token, here.algorithm) for token in here.tokens]
    same = as_texts(in_turn(here.tokens[:1], chunk))
    return {
        RAW: Contestant(in_turn(pairs, chunk), each(raw(here))),
        BARE: Contestant(_distinct(here, chunk), each(bare(here))),
        DISTINCT: Contestant(_distinct(here, chunk), each(plain.verify)),
        DISTINCT_FAST: Contestant(_distinct(here, chunk), quickly(each(plain.verify))),
        FIRST: Contestant(_distinct(here, chunk), each(writing.verify)),
        FIRST_FAST: Contestant(_distinct(here, chunk), quickly(each(writing_fast.verify))),
        AGAIN: Contestant(same, each(remembering.verify)),
        AGAIN_READ: Contestant(same, each(_claims_of(remembering))),
        AGAIN_READ_FAST: Contestant(same, quickly(each(_claims_of(remembering)))),
    }


def own_rows(found: dict[str, float], goals: dict[str, float]) -> list[Row]:
    """Return the rows for the contestants of `own`, and for others with the same names."""
    floor = found[RAW]
    return [
        Row(
            f"jwks_client, {name}" if name in {DISTINCT, FIRST, AGAIN} else name,
            micro(one),
            times(one / floor),
            at_most(one / floor, goals[name]) if name in goals else "",
        )
        for name, one in found.items()
    ]


def _contestants(
    here: Scene, measure: Measure, loop: asyncio.AbstractEventLoop
) -> tuple[dict[str, Contestant], list[str]]:
    found = own(here, measure, loop)
    inside = JWKSClient(here.provider, token_cache_size=0)
    awaited = AsyncJWKSClient(here.provider, token_cache_size=0)
    inside.verify(here.tokens[0])
    loop.run_until_complete(awaited.verify(here.tokens[0]))
    feed = _distinct(here, measure.chunk)
    found[INSIDE] = Contestant(feed, each_inside(inside.verify, loop))
    found[AWAITED] = Contestant(feed, each_awaited(awaited.verify, loop))
    others, left_out = peers(here, loop)
    for name, peer in others.items():
        run = each_awaited(peer.verify, loop) if peer.asynchronous else each(peer.verify)
        found[name] = Contestant(_distinct(here, measure.chunk), run)
    return found, left_out


def _distinct(here: Scene, chunk: int) -> Feed:
    return as_texts(in_turn(here.tokens, chunk))


def _claims_of(client: JWKSClient) -> Callable[[str], Any]:
    return lambda token: client.verify(token).claims


def _rows(found: dict[str, float], algorithm: str) -> list[Row]:
    goals = dict(zip((DISTINCT, DISTINCT_FAST), GOALS[algorithm], strict=True))
    if algorithm == "RS256":
        goals |= {AGAIN: 0.08, AGAIN_READ: 0.25, AGAIN_READ_FAST: 0.25}
    shown = {name: one for name, one in found.items() if name not in {INSIDE, AWAITED}}
    awaited = found[AWAITED] / found[INSIDE]
    compared = "`await client.verify` compared with `client.verify`"
    return [
        *own_rows(shown, goals),
        Row(compared, "", times(awaited), at_most(awaited, 1.05)),
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # deprecation warnings of the other libraries
    print(json.dumps(measured(Measure(*json.loads(sys.argv[2])), sys.argv[1])))
