"""The steps of the demo and their expected results.

Must not depend on processes, HTTP or output.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from ..._core.encoding import to_base64url
from ...testing import FakeProvider
from . import SCOPE
from .fleet import share
from .report import Finding, Report, at_least, at_most, listed, note, same
from .stage import PATIENCE, Response, Stage

__all__ = ["STEPS", "Step", "perform", "play"]

LIFETIME: Final = 2.0  # lifetime of keys from the fifth step on, in seconds
BACKOFF: Final = 1.0  # longest backoff of the API from then on, in seconds
DEADLINE: Final = 5.0  # default deadline of a fetch, in seconds
CALLERS: Final = 8
PAUSE: Final = 0.02  # pause between two requests of a loop, in seconds


@dataclass(frozen=True, slots=True)
class Step:
    """One step: it acts and returns its results."""

    title: str
    act: Callable[[Stage], Awaitable[list[Finding]]]


async def play(steps: Sequence[Step], report: Report) -> bool:
    """Start the servers and run the steps; return whether all results were as expected.

    Raises StageError if a server does not start.
    """
    began = perf_counter()
    async with Stage() as stage:
        report.opening(stage.provider.base_url, stage.api.base_url)
        failed = await perform(steps, stage, report)
    report.end(failed, perf_counter() - began)
    return not failed


async def perform(steps: Sequence[Step], stage: Stage, report: Report) -> list[str]:
    """Run the steps; return those with an unexpected result.

    A step that raises ends the demo; a step with an unexpected result does not.
    """
    failed: list[str] = []
    for number, step in enumerate(steps, 1):
        broken = False
        with report.step(number, step.title):
            try:
                findings = await step.act(stage)
            except Exception as error:  # noqa: BLE001 (any exception fails the step)
                broken = True
                findings = [same("the step completes", "yes", _cause(error))]
        report.findings(findings)
        if not all(one.holds for one in findings):
            failed.append(f"{number}. {step.title}")
        if broken:
            break
    return failed


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):  # of a task group
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".rstrip(": ")


async def _verify(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    stage.token = await stage.issue()
    answer = await stage.ask(stage.token)
    return [
        same("a token of the provider", 200, answer),
        same("GETs of the key set", 1, await stage.fetches() - before),
        note("verification with the fetch, measured here", _readable(_median([answer]))),
    ]


async def _remember(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    again = [await stage.ask(stage.token) for _ in range(100)]
    others = [await stage.ask(await stage.issue(sub=f"u{number}")) for number in range(20)]
    slow, quick = _median(others), _median(again)
    return [
        same("the same token, 100 times", "200: 100", _tally(again)),
        same("20 new tokens, cached key", "200: 20", _tally(others)),
        same("GETs of the key set", 0, await stage.fetches() - before),
        note("a new token, median measured here", _readable(slow)),
        note("a remembered token, measured here", _readable(quick)),
        at_most("the latter as a share of the former", 0.5, quick / slow),
    ]


async def _refuse(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    forged = await _forge(stage)
    unsigned = ".".join((to_base64url(b'{"alg":"none"}'), stage.token.split(".")[1], ""))
    attempts = [
        ("forged: the right kid, another key", "401 bad_signature", forged),
        ("unsigned: alg none", "401 algorithm_not_allowed", unsigned),
        ("expired", "401 token_expired", await stage.issue(expires_in=-60)),
        ("for another API", "401 wrong_audience", await stage.issue(aud="another")),
        ("without the scope", "403 insufficient_scope", await stage.issue(scope="orders")),
        ("no token", "401 missing_credentials", None),
        ("two words", "400 invalid_request", "not atoken"),
    ]
    findings = [same(what, code, await stage.ask(token)) for what, code, token in attempts]
    # The forged token may cause a fetch, at most one per minute, because its kid may have a new
    # key.
    return [*findings, at_most("GETs of the key set", 1, await stage.fetches() - before)]


@dataclass(slots=True)
class _Load:
    """Concurrent callers that send requests until `stop`.

    Attributes:
        good: tokens that must be answered with 200; more may be added while the callers run.
        bad: tokens that must be answered with 401.
        answers: the responses to good tokens and to bad tokens.
    """

    good: list[str]
    bad: list[str]
    answers: dict[bool, Counter[str]] = field(
        default_factory=lambda: {True: Counter(), False: Counter()}
    )
    _stopped: bool = False
    _turns: itertools.count[int] = field(default_factory=itertools.count)
    _answered: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def call(self, stage: Stage) -> None:
        """Send requests as one caller; every tenth token is bad."""
        while not self._stopped:
            turn = next(self._turns)
            is_good = turn % 10 != 0
            tokens = self.good if is_good else self.bad
            answer = await stage.ask(tokens[turn % len(tokens)])
            async with self._answered:
                self.answers[is_good][str(answer)] += 1
                self._answered.notify_all()

    async def answered(self, more: int) -> None:
        """Wait for a number of further responses."""
        async with self._answered:
            wanted = self._count() + more
            await self._answered.wait_for(lambda: self._count() >= wanted)

    def stop(self) -> None:
        """End each caller after its current request."""
        self._stopped = True

    def _count(self) -> int:
        return sum(counter.total() for counter in self.answers.values())


async def _rotate(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    load = _Load(good=[stage.token], bad=[await _forge(stage)])
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for _ in range(CALLERS):
            tasks.create_task(load.call(stage))
        await load.answered(100)
        await stage.rotate()
        # One token of the new key for each caller, so that all need the key at the same moment.
        load.good += [await stage.issue(sub=f"u{number}") for number in range(CALLERS)]
        await load.answered(300)
        load.stop()
    good, bad = load.answers[True], load.answers[False]
    return [
        note("concurrent callers", f"{CALLERS}, every tenth token forged"),
        same("valid tokens, old key and new", f"200: {good.total()}", listed(good)),
        same("forged tokens among them", f"401 bad_signature: {bad.total()}", listed(bad)),
        same("GETs of the key set for all of them", 1, await stage.fetches() - before),
    ]


async def _withdraw(stage: Stage) -> list[Finding]:
    await stage.start_api(lifetime=LIFETIME)
    kids, withdrawn = await stage.kids(), await stage.issue()
    await stage.rotate()
    stage.token = await stage.issue()
    both = [await stage.ask(withdrawn), await stage.ask(stage.token)]
    before = await stage.fetches()
    for kid in kids:
        await stage.revoke(kid)
    began = perf_counter()
    others: list[Response] = []

    async def ask_both() -> Response:
        others.append(await stage.ask(stage.token))
        return await stage.ask(withdrawn)

    *_, last = await _until(ask_both, lambda answer: answer.status != 200)
    took = perf_counter() - began
    later = [await stage.ask(withdrawn) for _ in range(20)]
    others += [await stage.ask(stage.token) for _ in range(20)]
    return [
        note("the API, restarted", stage.api.base_url),
        same("tokens of both keys, before", "200: 2", _tally(both)),
        same("a token of the withdrawn key", "401 unknown_key", last),
        at_most("time until then: lifetime and one fetch", LIFETIME + DEADLINE, took, " s"),
        same("the same token again", "401 unknown_key: 20", _tally(later)),
        same("a token of the other key, throughout", f"200: {len(others)}", _tally(others)),
        note("GETs of the key set", str(await stage.fetches() - before)),
    ]


async def _outage(stage: Stage) -> list[Finding]:
    unseen = await stage.issue(headers={"kid": "key-unseen"})
    await stage.provider.kill()
    began = perf_counter()
    port = "open" if await stage.provider.is_reachable() else "closed"
    answers = await _until(
        lambda: stage.ask(stage.token),
        lambda answer: answer.status != 200 or answer.keys == "stale",
    )
    stale = answers[-1]
    took = perf_counter() - began
    answers += [await stage.ask(stage.token) for _ in range(50)]
    unknown = await stage.ask(unseen)
    health = await stage.health()
    keys, events = health["keys"], Counter(health["events"])
    retry_after = int(unknown.retry_after or 0)
    return [
        same("the provider's port", "closed", port),
        same("a cached key, at once", 200, answers[0]),
        same("a cached key, after its lifetime", "200, stale", _with_state(stale)),
        note("it became stale", f"{took:.1f} s after the outage began"),
        same("cached keys, throughout", f"200: {len(answers)}", _tally(answers)),
        same("an unknown kid: no verdict", "503 fetch_failed", unknown),
        at_least("its Retry-After", 1, retry_after, " s"),
        same("health()", "stale, fetch_failed", f"{keys['state']}, {keys['last_error']}"),
        note(
            "events FetchFailed and ServingStale",
            f"{events['FetchFailed']}, {events['ServingStale']}",
        ),
    ]


async def _return(stage: Stage) -> list[Finding]:
    place = stage.provider.base_url
    await stage.start_provider(urlsplit(place).port or 0)
    new = await stage.issue()
    began = perf_counter()
    *waited, answer = await _until(lambda: stage.ask(new), lambda answer: answer.status != 503)
    took = perf_counter() - began
    lost = await stage.ask(stage.token)
    return [
        same("the provider is back at", place, stage.provider.base_url),
        same("a token of its new key", 200, answer),
        at_most("time until then: backoff and one fetch", BACKOFF + DEADLINE, took, " s"),
        same(
            "before that", f"503 fetch_failed: {len(waited)}" if waited else "none", _tally(waited)
        ),
        same("a token of a key from before", "401 unknown_key", lost),
    ]


STEPS: Final = (
    Step("A token is verified: its keys are fetched", _verify),
    Step("The same token is remembered; others need only the cached key", _remember),
    Step("Forged, expired and misdirected tokens are refused", _refuse),
    Step("The provider rotates its key under load", _rotate),
    Step(f"A withdrawn key is refused (lifetime {LIFETIME:g} s from now on, not 300)", _withdraw),
    Step("The provider is down: cached keys are still used", _outage),
    Step("The provider is back, with new keys", _return),
    Step("Processes share one fetch, and start without the provider", share),
)


async def _until(
    ask: Callable[[], Awaitable[Response]], is_last: Callable[[Response], bool]
) -> list[Response]:
    """Repeat a request until a response is the last one, or for 20 s; return all responses."""
    end = perf_counter() + PATIENCE
    answers = [await ask()]
    while not is_last(answers[-1]) and perf_counter() < end:
        await asyncio.sleep(PAUSE)
        answers.append(await ask())
    return answers


async def _forge(stage: Stage) -> str:
    """Return a token with the right claims and kid, signed by another key."""

    def sign() -> str:
        forger = FakeProvider(issuer=stage.provider.base_url)
        return forger.issue(scope=SCOPE, expires_in=600)

    return await asyncio.to_thread(sign)  # generates an RSA key


def _tally(answers: Iterable[Response]) -> str:
    return listed(Counter(str(answer) for answer in answers))


def _median(answers: Iterable[Response]) -> float:
    times = [answer.micros for answer in answers if answer.micros is not None]
    return statistics.median(times) if times else math.nan


def _readable(micros: float) -> str:
    return f"{micros:.1f} µs" if micros < 1000 else f"{micros / 1000:.1f} ms"


def _with_state(answer: Response) -> str:
    return f"{answer}, {answer.keys}" if answer.keys else str(answer)
