"""Measure in interleaved rounds: the CPU time of the thread, and the median.

In each round every contestant gets the same number of tokens, in a new random order of contestants,
so that changes in the machine's speed affect all of them equally. Other processes hardly matter,
because only CPU time is measured. The garbage collector runs as in production.
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
    """Code to time: ``feed`` returns the items of a round, ``run`` the seconds that they take."""

    feed: Feed
    run: Callable[[list[Any]], float]


class Measure(NamedTuple):
    """The size of a whole run."""

    layouts: int  # processes that share the rounds; see `in_processes`
    rounds: int  # rounds of verification
    chunk: int  # tokens per round and contestant
    tokens: int  # distinct tokens, used in turn
    many: int  # tokens in a large memory
    callers: int  # callers of a cold client
    forged: int  # tokens of a flood
    processes: int  # fresh interpreters, for what happens once in each
    requests: int  # HTTP requests per round


FULL = Measure(5, 120, 100, 1000, 4000, 1000, 10_000, 15, 1500)
QUICK = Measure(1, 10, 30, 150, 150, 200, 1000, 2, 150)


def each(verify: Callable[[Any], object]) -> Callable[[list[Any]], float]:
    """Return a run that verifies items one after the other."""

    def run(tokens: list[Any]) -> float:
        start = thread_time()
        for token in tokens:
            verify(token)
        return thread_time() - start

    return run


def each_awaited(
    verify: Callable[[Any], Awaitable[object]], loop: asyncio.AbstractEventLoop
) -> Callable[[list[Any]], float]:
    """Return a run that awaits items one after the other, timed inside the running event loop."""

    async def all_of(tokens: list[Any]) -> float:
        start = thread_time()
        for token in tokens:
            await verify(token)
        return thread_time() - start

    return lambda tokens: loop.run_until_complete(all_of(tokens))


def each_inside(
    verify: Callable[[Any], object], loop: asyncio.AbstractEventLoop
) -> Callable[[list[Any]], float]:
    """Return a run like that of `each`, in a running event loop."""
    run = each(verify)

    async def inside(tokens: list[Any]) -> float:
        return run(tokens)

    return lambda tokens: loop.run_until_complete(inside(tokens))


def quickly(run: Callable[[list[Any]], float]) -> Callable[[list[Any]], float]:
    """Return the run with the extra `fast`."""
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
    """Feed the items in turn; start again with the first after the last."""
    place = 0

    def feed() -> list[Any]:
        nonlocal place
        some = [items[(place + one) % len(items)] for one in range(chunk)]
        place += chunk
        return some

    return feed


def as_texts(feed: Feed) -> Feed:
    """Feed tokens as new strings, as requests do, so that no hash is cached."""
    return lambda: [octets.decode() for octets in feed()]


def at_random(items: Sequence[Any], chunk: int) -> Feed:
    """Feed items drawn at random, the same in each run of the benchmarks."""
    drawn = random.Random(1)
    return lambda: drawn.choices(items, k=chunk)


def interleaved(contestants: dict[str, Contestant], rounds: int) -> dict[str, float]:
    """Return each contestant's seconds per token, in its median round."""
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
    """Return the results of several processes of a module, which share the rounds.

    The layout of a process's memory changes the time for decoding base64 by up to 5 %.
    """
    command = [sys.executable, "-m", module, what, json.dumps(measure)]
    return [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
        for _ in range(measure.layouts)
    ]


def wall(run: Callable[[], object]) -> float:
    """Return the elapsed seconds, for code that waits."""
    start = perf_counter()
    run()
    return perf_counter() - start
