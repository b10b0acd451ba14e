"""What one verification costs, beside the signature alone and beside others.

Where the objects of a process lie in memory makes up to five hundredths of difference to decoding
base64, so several processes measure the same. Run as a module it is one of them: given the name of
an algorithm and a `Measure` as JSON it prints what it found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

from jwks_client import AsyncJWKSClient, JWKSClient

from .measuring import (
    Contestant,
    Measure,
    as_texts,
    each,
    each_awaited,
    each_inside,
    in_turn,
    interleaved,
    quickly,
)
from .peers import examined, peers
from .report import Row, Section, at_least, at_most, micro, times
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
PYJWKCLIENT = "PyJWKClient and jwt.decode"
GOALS = {"RS256": 1.45, "ES256": 1.16, "EdDSA": 1.11}
NAMES = {"EdDSA": "Ed25519"}


def verification(measure: Measure, algorithm: str) -> tuple[Section, dict[str, float]]:
    """The table of one algorithm, and the seconds for a token in it."""
    command = [sys.executable, "-m", "benchmarks.verification", algorithm, json.dumps(measure)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
        for _ in range(measure.layouts)
    ]
    left_out = runs[0]["left_out"]
    found = {
        name: statistics.median(run["seconds"][name] for run in runs) for name in runs[0]["seconds"]
    }
    text = f"Left out: {'; '.join(left_out)}." if left_out else ""
    name = NAMES.get(algorithm, algorithm)
    return Section(name, text, "beside the signature", _rows(found, algorithm)), found


def measured(measure: Measure, algorithm: str) -> dict[str, Any]:
    """The seconds for a token, by contestant, in this process; and who was left out."""
    loop = asyncio.new_event_loop()
    try:
        with scene(algorithm, measure.tokens) as here:
            contestants, left_out = _contestants(here, measure, loop)
            fetched = here.idp.fetches
            found = interleaved(contestants, measure.rounds // measure.layouts)
            assert here.idp.fetches == fetched, "somebody had no keys at hand"
    finally:
        loop.close()
    return {"seconds": found, "left_out": left_out}


def _contestants(
    here: Scene, measure: Measure, loop: asyncio.AbstractEventLoop
) -> tuple[dict[str, Contestant], list[str]]:
    chunk, provider = measure.chunk, here.provider
    plain = JWKSClient(provider, token_cache_size=0)
    # Half of the tokens: each is forgotten before it comes again, so each is written anew.
    writing = JWKSClient(provider, token_cache_size=len(here.tokens) // 2)
    writing_fast = JWKSClient(provider, token_cache_size=len(here.tokens) // 2)
    remembering = JWKSClient(provider)
    awaited = AsyncJWKSClient(provider, token_cache_size=0)
    for client in (plain, writing, writing_fast, remembering):
        examined(_claims_of(client), here, loop)
    loop.run_until_complete(awaited.verify(here.tokens[0]))
    pairs = [decoded(token, here.algorithm) for token in here.tokens]

    def distinct() -> Callable[[], list[Any]]:
        return as_texts(in_turn(here.tokens, chunk))

    same = as_texts(in_turn(here.tokens[:1], chunk))
    found = {
        RAW: Contestant(in_turn(pairs, chunk), each(raw(here))),
        BARE: Contestant(distinct(), each(bare(here))),
        DISTINCT: Contestant(distinct(), each(plain.verify)),
        DISTINCT_FAST: Contestant(distinct(), quickly(each(plain.verify))),
        FIRST: Contestant(distinct(), each(writing.verify)),
        FIRST_FAST: Contestant(distinct(), quickly(each(writing_fast.verify))),
        AGAIN: Contestant(same, each(remembering.verify)),
        AGAIN_READ: Contestant(same, each(_claims_of(remembering))),
        AGAIN_READ_FAST: Contestant(same, quickly(each(_claims_of(remembering)))),
        INSIDE: Contestant(distinct(), each_inside(plain.verify, loop)),
        AWAITED: Contestant(distinct(), each_awaited(awaited.verify, loop)),
    }
    others, left_out = peers(here, loop)
    for name, peer in others.items():
        run = each_awaited(peer.verify, loop) if peer.asynchronous else each(peer.verify)
        found[name] = Contestant(distinct(), run)
    return found, left_out


def _claims_of(client: JWKSClient) -> Callable[[str], Any]:
    return lambda token: client.verify(token).claims


def _rows(found: dict[str, float], algorithm: str) -> list[Row]:
    floor, goal = found[RAW], GOALS[algorithm]
    rsa = algorithm == "RS256"
    most = dict.fromkeys([DISTINCT, DISTINCT_FAST, FIRST, FIRST_FAST], goal)
    if rsa:
        most |= {AGAIN: 0.08, AGAIN_READ: 0.25, AGAIN_READ_FAST: 0.25}
    goals = {name: at_most(found[name] / floor, limit) for name, limit in most.items()}
    rows = [
        Row(_whose(name), micro(one), times(one / floor), goals.get(name, ""))
        for name, one in found.items()
        if name not in {INSIDE, AWAITED}
    ]
    awaited = found[AWAITED] / found[INSIDE]
    rows.append(
        Row(
            "`await client.verify` beside `client.verify`",
            "",
            times(awaited),
            at_most(awaited, 1.05),
        )
    )
    if rsa and PYJWKCLIENT in found:
        faster = found[PYJWKCLIENT] / found[DISTINCT]
        rows.append(
            Row(f"{PYJWKCLIENT} beside {DISTINCT}", "", times(faster), at_least(faster, 4.8))
        )
    return rows


def _whose(name: str) -> str:
    return f"jwks_client, {name}" if name in {DISTINCT, FIRST, AGAIN} else name


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # peers' own deprecations
    print(json.dumps(measured(Measure(*json.loads(sys.argv[2])), sys.argv[1])))
