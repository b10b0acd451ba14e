"""The story of the demo, step by step.

Owns: what is done, what is expected, and that the demo fails where they differ. May not know:
processes, HTTP, how it looks.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from ...testing import FakeProvider
from .fleet import share
from .report import Finding, Report, at_least, at_most, note, same
from .stage import PATIENCE, Answer, Stage

__all__ = ["STEPS", "Step", "perform", "play"]

LIFE: Final = 2.0  # seconds that keys live from the fifth step on
BACKOFF: Final = 1.0  # seconds, at most, that the API then leaves a failing provider alone
DEADLINE: Final = 5.0  # seconds in which a fetch has ended, by default
CALLERS: Final = 8
PAUSE: Final = 0.02  # seconds between two looks at something that takes its time


@dataclass(frozen=True, slots=True)
class Step:
    """One step: it acts, and tells what it found."""

    title: str
    act: Callable[[Stage], Awaitable[list[Finding]]]


async def play(steps: Sequence[Step], report: Report) -> bool:
    """Set the stage, play the steps on it, clear it; whether each found what it expected.

    Raises StageError where a server cannot be started.
    """
    began = perf_counter()
    async with Stage() as stage:
        report.opening(stage.provider.base_url, stage.api.base_url)
        failed = await perform(steps, stage, report)
    report.end(failed, perf_counter() - began)
    return not failed


async def perform(steps: Sequence[Step], stage: Stage, report: Report) -> list[str]:
    """Play the steps; which of them did not find what they expected.

    A step that breaks off is the last one; one that merely finds something else is not.
    """
    failed: list[str] = []
    for number, step in enumerate(steps, 1):
        broken = False
        with report.step(number, step.title):
            try:
                findings = await step.act(stage)
            except Exception as error:  # noqa: BLE001 (whatever it is, the step failed)
                broken = True
                findings = [same("the step comes to its end", "yes", _cause(error))]
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
        note("verified with the fetch in, measured here", _readable(_median([answer]))),
    ]


async def _remember(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    again = [await stage.ask(stage.token) for _ in range(100)]
    others = [await stage.ask(await stage.issue(sub=f"u{number}")) for number in range(20)]
    slow, quick = _median(others), _median(again)
    return [
        same("the same token, 100 times", "200: 100", _tally(again)),
        same("20 tokens never seen, known key", "200: 20", _tally(others)),
        same("GETs of the key set", 0, await stage.fetches() - before),
        note("a new token in, median measured here", _readable(slow)),
        note("the same from memory, measured here", _readable(quick)),
        at_most("its share of a new token's time", 0.5, quick / slow),
    ]


async def _refuse(stage: Stage) -> list[Finding]:
    before = await stage.fetches()
    forged = await _forge(stage)
    unsigned = ".".join((_segment(b'{"alg":"none"}'), stage.token.split(".")[1], ""))
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
    # One fetch: perhaps the kid is another key's by now. That is asked once a minute at most.
    return [*findings, at_most("GETs of the key set", 1, await stage.fetches() - before)]


@dataclass(slots=True)
class _Load:
    """Callers that ask at once, over and over, until told to stop.

    Attributes:
        good, bad: tokens to be answered 200, or 401; may grow while the callers ask.
        answers: what good tokens and bad tokens were answered.
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
        """Be one caller; every tenth token is a bad one."""
        while not self._stopped:
            turn = next(self._turns)
            is_good = turn % 10 != 0
            tokens = self.good if is_good else self.bad
            answer = await stage.ask(tokens[turn % len(tokens)])
            async with self._answered:
                self.answers[is_good][str(answer)] += 1
                self._answered.notify_all()

    async def answered(self, more: int) -> None:
        """Wait for so many more answers."""
        async with self._answered:
            wanted = self._count() + more
            await self._answered.wait_for(lambda: self._count() >= wanted)

    def stop(self) -> None:
        """Have every caller end after the answer it waits for."""
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
        # As many tokens of the new key as there are callers: they meet it at the same moment.
        load.good += [await stage.issue(sub=f"u{number}") for number in range(CALLERS)]
        await load.answered(300)
        load.stop()
    good, bad = load.answers[True], load.answers[False]
    return [
        note("callers at once", f"{CALLERS}, every tenth token forged"),
        same("good tokens, old key and new", f"200: {good.total()}", _told(good)),
        same("forged ones among them", f"401 bad_signature: {bad.total()}", _told(bad)),
        same("GETs of the key set for all of these", 1, await stage.fetches() - before),
    ]


async def _withdraw(stage: Stage) -> list[Finding]:
    await stage.start_api(life=LIFE)
    kids, withdrawn = await stage.kids(), await stage.issue()
    await stage.rotate()
    stage.token = await stage.issue()
    both = [await stage.ask(withdrawn), await stage.ask(stage.token)]
    before = await stage.fetches()
    for kid in kids:
        await stage.revoke(kid)
    began = perf_counter()
    others: list[Answer] = []

    async def ask_both() -> Answer:
        others.append(await stage.ask(stage.token))
        return await stage.ask(withdrawn)

    *_, last = await _until(ask_both, lambda answer: answer.status != 200)
    took = perf_counter() - began
    later = [await stage.ask(withdrawn) for _ in range(20)]
    others += [await stage.ask(stage.token) for _ in range(20)]
    return [
        note("the API, started anew", stage.api.base_url),
        same("tokens of both keys, before", "200: 2", _tally(both)),
        same("the withdrawn key's token", "401 unknown_key", last),
        at_most("until then: its life and one fetch", LIFE + DEADLINE, took, " s"),
        same("the same, again", "401 unknown_key: 20", _tally(later)),
        same("the other key's token, all along", f"200: {len(others)}", _tally(others)),
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
    past = answers[-1]
    took = perf_counter() - began
    answers += [await stage.ask(stage.token) for _ in range(50)]
    unknown = await stage.ask(unseen)
    health = await stage.health()
    keys, told = health["keys"], Counter(health["events"])
    waits = int(unknown.retry_after or 0)
    return [
        same("the provider's port", "closed", port),
        same("a known key, at once", 200, answers[0]),
        same("a known key, past its life", "200, stale", _with_state(past)),
        note("its life was over", f"{took:.1f} s after the switch"),
        same("known keys, all along", f"200: {len(answers)}", _tally(answers)),
        same("a kid never seen: nobody can know", "503 fetch_failed", unknown),
        at_least("its Retry-After", 1, waits, " s"),
        same("health() says", "stale, fetch_failed", f"{keys['state']}, {keys['last_error']}"),
        note(
            "events FetchFailed and ServingStale", f"{told['FetchFailed']}, {told['ServingStale']}"
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
        at_most("seen after: its backoff and one fetch", BACKOFF + DEADLINE, took, " s"),
        same(
            "until then", f"503 fetch_failed: {len(waited)}" if waited else "none", _tally(waited)
        ),
        same("a token of the key it lost", "401 unknown_key", lost),
    ]


STEPS: Final = (
    Step("A token is verified: its keys are fetched", _verify),
    Step("The same token from memory, others with the key at hand", _remember),
    Step("Forged, expired and misdirected tokens are refused", _refuse),
    Step("The provider rotates its key under load", _rotate),
    Step(f"A withdrawn key is refused (keys live {LIFE:g} s from here on, not 300)", _withdraw),
    Step("The provider is switched off: known keys are still served", _outage),
    Step("The provider is back, with other keys", _return),
    Step("Processes share one fetch, and start without the provider", share),
)


async def _until(
    ask: Callable[[], Awaitable[Answer]], is_last: Callable[[Answer], bool]
) -> list[Answer]:
    """Ask again and again, until an answer is the last one or patience ends; all answers."""
    given_up = perf_counter() + PATIENCE
    answers = [await ask()]
    while not is_last(answers[-1]) and perf_counter() < given_up:
        await asyncio.sleep(PAUSE)
        answers.append(await ask())
    return answers


async def _forge(stage: Stage) -> str:
    """A token that claims all the right things, signed by somebody else's key of the same name."""

    def sign() -> str:
        forger = FakeProvider(issuer=stage.provider.base_url)
        return forger.issue(scope="orders:read", expires_in=600)

    return await asyncio.to_thread(sign)  # it makes an RSA key


def _segment(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _tally(answers: Iterable[Answer]) -> str:
    return _told(Counter(str(answer) for answer in answers))


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items())) or "none"


def _median(answers: Iterable[Answer]) -> float:
    times = [answer.micros for answer in answers if answer.micros is not None]
    return statistics.median(times) if times else math.nan


def _readable(micros: float) -> str:
    return f"{micros:.1f} µs" if micros < 1000 else f"{micros / 1000:.1f} ms"


def _with_state(answer: Answer) -> str:
    return f"{answer}, {answer.keys}" if answer.keys else str(answer)
