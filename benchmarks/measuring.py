"""How the benchmarks measure: interleaved rounds, the CPU time of the thread, medians.

A round gives each contestant the same number of tokens, in an order drawn anew, so that a machine
whose speed drifts is slow for everybody. What else runs on the machine takes turns and not CPU
time, so it counts for little. The garbage collector runs as it does in production.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter, thread_time
from typing import Any, NamedTuple
from unittest.mock import patch

from jwks_client._core import encoding

Feed = Callable[[], list[Any]]


class Contestant(NamedTuple):
    """Who is timed: what it is fed each round, and a run over that, which tells its seconds."""

    feed: Feed
    run: Callable[[list[Any]], float]


class Measure(NamedTuple):
    """How long is measured: the scale of a whole run."""

    layouts: int  # processes that share the rounds of verification; see there
    rounds: int  # of verification
    chunk: int  # tokens a round, for each contestant
    tokens: int  # distinct ones, which the rounds go through in turn
    many: int  # tokens in a large memory
    callers: int  # of a cold herd
    forged: int  # tokens of a flood
    processes: int  # fresh interpreters, for what happens once in each
    requests: int  # HTTP requests a round


FULL = Measure(5, 120, 100, 1000, 10_000, 1000, 10_000, 15, 1500)
QUICK = Measure(1, 10, 30, 150, 150, 200, 1000, 2, 150)


def each(verify: Callable[[Any], object]) -> Callable[[list[Any]], float]:
    """A run that verifies one after the other."""

    def run(tokens: list[Any]) -> float:
        start = thread_time()
        for token in tokens:
            verify(token)
        return thread_time() - start

    return run


def each_awaited(
    verify: Callable[[Any], Awaitable[object]], loop: asyncio.AbstractEventLoop
) -> Callable[[list[Any]], float]:
    """A run that awaits one after the other; its time is taken inside the loop, once that runs."""

    async def all_of(tokens: list[Any]) -> float:
        start = thread_time()
        for token in tokens:
            await verify(token)
        return thread_time() - start

    return lambda tokens: loop.run_until_complete(all_of(tokens))


def each_inside(
    verify: Callable[[Any], object], loop: asyncio.AbstractEventLoop
) -> Callable[[list[Any]], float]:
    """As `each`, in a running event loop."""
    run = each(verify)

    async def inside(tokens: list[Any]) -> float:
        return run(tokens)

    return lambda tokens: loop.run_until_complete(inside(tokens))


def quickly(run: Callable[[list[Any]], float]) -> Callable[[list[Any]], float]:
    """A run with the extra `fast`."""
    octets, object_ = encoding.octets_by_pybase64(), encoding.object_by_orjson()
    assert None not in {octets, object_}, "the extra fast is missing"

    def quick_run(tokens: list[Any]) -> float:
        with (
            patch.object(encoding, "_quick_octets", octets),
            patch.object(encoding, "_quick_object", object_),
        ):
            return run(tokens)

    return quick_run


def in_turn(items: Sequence[Any], chunk: int) -> Feed:
    """Feed the items round by round, from the first again after the last."""
    place = 0

    def feed() -> list[Any]:
        nonlocal place
        some = [items[(place + one) % len(items)] for one in range(chunk)]
        place += chunk
        return some

    return feed


def as_texts(feed: Feed) -> Feed:
    """Feed tokens as requests bring them: each a new string, whose hash nobody knows yet."""
    return lambda: [octets.decode() for octets in feed()]


def at_random(items: Sequence[Any], chunk: int) -> Feed:
    """Feed items drawn at random, the same in each run of the benchmarks."""
    drawn = random.Random(1)
    return lambda: drawn.choices(items, k=chunk)


def interleaved(contestants: dict[str, Contestant], rounds: int) -> dict[str, float]:
    """Seconds for one token, for each contestant: the median round."""
    order, shuffled = list(contestants), random.Random(2)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        shuffled.shuffle(order)
        for name in order:
            feed, run = contestants[name]
            tokens = feed()
            times[name].append(run(tokens) / len(tokens))
    return {name: statistics.median(some) for name, some in times.items()}


def in_processes(module: str, what: str, measure: Measure) -> list[Any]:
    """The results of a module's processes, which share the rounds.

    Several, because the place of a process's objects in memory changes the time for decoding base64
    by up to five hundredths.
    """
    command = [sys.executable, "-m", module, what, json.dumps(measure)]
    return [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
        for _ in range(measure.layouts)
    ]


def wall(run: Callable[[], object]) -> float:
    """Seconds on the clock, for what waits."""
    start = perf_counter()
    run()
    return perf_counter() - start
