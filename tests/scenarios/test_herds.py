"""Many callers at one moment: one fetch for all of them, and no caller suffers from another's end."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from jwks_client import AsyncJWKSClient, FetchPolicy, JWKSClient, KeysUnavailableError
from jwks_client._client.latch import Latch

PATIENCE = 10.0  # real seconds after which a working operation is long done
# A busy machine may need seconds to start a thousand tasks or 64 threads, and the fetch waits for them.
PATIENT = FetchPolicy(attempt_timeout=60, deadline=60)
TASKS, THREADS = 1000, 64


def asynchronous(idp, **settings) -> AsyncJWKSClient:
    http = httpx.AsyncClient(transport=idp.transport)
    return AsyncJWKSClient(idp.provider, clock=idp.clock, http=http, **settings)


def synchronous(idp, **settings) -> JWKSClient:
    http = httpx.Client(transport=idp.transport)
    return JWKSClient(idp.provider, clock=idp.clock, http=http, **settings)


def tokens_of(idp, count: int) -> list[str]:
    return [idp.issue(sub=str(number)) for number in range(count)]


async def herd_of_tasks(client, tokens, idp) -> list:
    """Verify all at once; no caller gets its result before every caller has called. Return outcomes in order."""
    with idp.hold() as held:
        callers = [asyncio.create_task(client.verify(token)) for token in tokens]
        await held.wait_async()
        await asyncio.sleep(0)
        assert not any(caller.done() for caller in callers)
    return await asyncio.gather(*callers, return_exceptions=True)


def herd_of_threads(client, tokens, idp) -> list:
    """Do the same with a thread for each caller."""
    outcomes: list = [None] * len(tokens)
    together = threading.Barrier(len(tokens))

    def call(number: int) -> None:
        together.wait(PATIENCE)
        try:
            outcomes[number] = client.verify(tokens[number])
        except Exception as error:
            outcomes[number] = error

    callers = [threading.Thread(target=call, args=(number,)) for number in range(len(tokens))]
    with idp.hold() as held:
        for caller in callers:
            caller.start()
        held.wait()
        assert outcomes == [None] * len(tokens)
    for caller in callers:
        caller.join(PATIENCE)
    return outcomes


def herd(kind: str, idp, tokens_before, prepare, **settings) -> list:
    """Let one token warm the client, if there is one, then ``prepare``, and verify its tokens at once."""
    settings = {"fetch": PATIENT, **settings}

    async def story() -> list:
        client = asynchronous(idp, **settings)
        for token in tokens_before:
            await client.verify(token)
        return await herd_of_tasks(client, prepare(TASKS), idp)

    if kind == "tasks":
        return asyncio.run(story())
    client = synchronous(idp, **settings)
    for token in tokens_before:
        client.verify(token)
    return herd_of_threads(client, prepare(THREADS), idp)


@pytest.mark.parametrize("kind", ["tasks", "threads"])
class TestHerds:
    def test_cold(self, kind, idp):
        """1000 tasks, or 64 threads, with a cold client cause one fetch, and all get its result."""
        outcomes = herd(kind, idp, [], lambda count: tokens_of(idp, count))
        assert [token.subject for token in outcomes] == [str(n) for n in range(len(outcomes))]
        assert idp.fetches == 1

    def test_behind_a_rotation(self, kind, idp):
        """As many callers with one new kid, right after a fetch, cause one more fetch, and none is refused."""

        def rotated(count: int) -> list[str]:
            idp.rotate()
            return tokens_of(idp, count)

        outcomes = herd(kind, idp, [idp.issue()], rotated)
        assert {token.key_id for token in outcomes} == {"key-2"}
        assert idp.fetches == 2

    def test_a_failure_is_shared(self, kind, idp):
        """When that one fetch fails, all callers get an error of their own at once, and none fetches again."""
        idp.fail(500)
        outcomes = herd(
            kind, idp, [], lambda count: tokens_of(idp, count), fetch=replace(PATIENT, retries=0)
        )
        assert {type(error) for error in outcomes} == {KeysUnavailableError}
        assert {error.code for error in outcomes} == {"fetch_failed"}
        assert len({id(error) for error in outcomes}) == len(outcomes)
        assert idp.fetches == 1

    def test_a_herd_of_unknown_kids(self, kind, idp):
        """As many unknown kids at once cause the flight that they join, one that begins later, and no more."""

        def unknown_kids(count: int) -> list[str]:
            return [idp.issue(headers={"kid": f"unknown-{number}"}) for number in range(count)]

        outcomes = herd(kind, idp, [idp.issue()], unknown_kids)
        assert {error.code for error in outcomes} == {"unknown_key"}
        assert idp.fetches == 1 + 2


class TestOverTheWire:
    def test_a_cold_herd(self, idp):
        """1000 tasks on real connections cause one request."""

        async def story() -> list:
            async with AsyncJWKSClient(idp.provider, clock=idp.clock) as client:
                return await herd_of_tasks(client, tokens_of(idp, TASKS), idp)

        with idp.serve():
            outcomes = asyncio.run(story())
        assert [token.subject for token in outcomes] == [str(n) for n in range(TASKS)]
        assert len(idp.requests) == 1

    def test_cold_threads(self, idp):
        """64 threads on real connections cause one request."""
        with idp.serve(), JWKSClient(idp.provider, clock=idp.clock) as client:
            outcomes = herd_of_threads(client, tokens_of(idp, THREADS), idp)
        assert [token.subject for token in outcomes] == [str(n) for n in range(THREADS)]
        assert len(idp.requests) == 1


class TestEndsOfCallers:
    def test_a_cancelled_leader(self, idp):
        """If the caller that began the flight is cancelled, none of the 999 behind it fails or fetches again."""

        async def story() -> list:
            client = asynchronous(idp)
            with idp.hold() as held:
                leader = asyncio.create_task(client.verify(idp.issue(sub="leader")))
                await held.wait_async()
                followers = [
                    asyncio.create_task(client.verify(token)) for token in tokens_of(idp, TASKS - 1)
                ]
                await asyncio.sleep(0)
                leader.cancel()
                await asyncio.wait([leader])
                assert leader.cancelled()
                assert not any(follower.done() for follower in followers)
            return await asyncio.gather(*followers)

        assert [token.subject for token in asyncio.run(story())] == [
            str(n) for n in range(TASKS - 1)
        ]
        assert idp.fetches == 1

    def test_all_callers_are_cancelled(self, idp):
        """If all waiting callers are cancelled, the flight continues, and the next caller finds its keys."""

        async def story() -> None:
            client = asynchronous(idp)
            with idp.hold() as held:
                callers = [asyncio.create_task(client.verify(t)) for t in tokens_of(idp, 100)]
                await held.wait_async()
                for caller in callers:
                    caller.cancel()
                await asyncio.wait(callers)
                assert all(caller.cancelled() for caller in callers)
                late = asyncio.create_task(client.verify(idp.issue(sub="late")))
                await asyncio.sleep(0)
            assert (await late).subject == "late"

        asyncio.run(story())
        assert idp.fetches == 1

    def test_each_caller_has_a_limit_of_its_own(self, idp):
        """A caller with its own time limit ends its own wait, and no other."""

        async def story() -> None:
            client = asynchronous(idp)
            with idp.hold() as held:
                patient = asyncio.create_task(client.verify(idp.issue(sub="patient")))
                await held.wait_async()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.verify(idp.issue()), 0.001)
                assert not patient.done()
            assert (await patient).subject == "patient"

        asyncio.run(story())
        assert idp.fetches == 1

    def test_a_failing_leader_of_threads(self, idp, monkeypatch):
        """A caller whose thread ends with an error does not affect the others."""

        class Unlucky(Exception):
            """The error that ends the leader while it waits."""

        client = synchronous(idp)
        real_wait = Latch.wait
        flights = lambda: [flight.landed for flight in client._flights._flying]

        def wait(latch, seconds):
            if threading.current_thread().name == "leader" and latch in flights():
                raise Unlucky
            return real_wait(latch, seconds)

        died = []

        def lead() -> None:
            try:
                client.verify(idp.issue())
            except Unlucky as error:
                died.append(error)

        with idp.hold() as held:
            monkeypatch.setattr(Latch, "wait", wait)
            leader = threading.Thread(target=lead, name="leader")
            leader.start()
            held.wait()
            leader.join(PATIENCE)
            outcomes: list = []
            followers = [
                threading.Thread(target=lambda t=t: outcomes.append(client.verify(t)))
                for t in tokens_of(idp, 8)
            ]
            for follower in followers:
                follower.start()
        for follower in followers:
            follower.join(PATIENCE)
        assert len(died) == 1
        assert len(outcomes) == 8
        assert idp.fetches == 1


class Elsewhere:
    """An event loop in another thread that begins a flight and then blocks until it is released."""

    def __init__(self, call) -> None:
        self._call = call
        self._go_on = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_until_complete(_swallow(self._call()))
        self._loop.close()

    def block(self) -> None:
        """Block the loop."""
        blocked = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (blocked.set(), self._go_on.wait(PATIENCE)))
        assert blocked.wait(PATIENCE)

    def release(self) -> None:
        """Release the loop, which then ends."""
        self._go_on.set()
        self._thread.join(PATIENCE)


class TestOrderOfAnswers:
    def test_an_older_response_never_overwrites_a_newer(self, idp):
        """The flight of a blocked loop lands last, with an older set, and the newer set stays."""
        client = asynchronous(idp)
        with idp.hold() as held:
            early = Elsewhere(client.refresh)
            held.wait()
            early.block()
        idp.revoke("key-1")  # from now on the early response is outdated
        asyncio.run(client.refresh())
        assert [key.kid for key in asyncio.run(client.keys())] == ["key-2"]
        early.release()
        assert [key.kid for key in asyncio.run(client.keys())] == ["key-2"]
        assert idp.fetches == 2

    def test_an_older_failure_changes_nothing(self, idp):
        """A flight that fails late does not put a set in doubt that was loaded after it began."""
        client = asynchronous(idp, fetch=FetchPolicy(retries=0))
        idp.fail(500)
        with idp.hold() as held:
            early = Elsewhere(client.refresh)
            held.wait()
            early.block()
        idp.recover()
        asyncio.run(client.refresh())
        early.release()
        health = client.health()["issuer.test"]
        assert (health.state, health.last_error) == ("fresh", None)


async def _swallow(awaitable) -> None:
    with suppress(KeysUnavailableError):
        await awaitable


class TestALateEnd:
    """A flight past its deadline whose end, on a busy machine, has not been recorded yet."""

    @pytest.fixture
    def flight(self, drive, idp):
        """Return an in-flight fetch that the provider holds; the client is ``drive.current``."""
        client = drive.client(idp, fetch=FetchPolicy(deadline=60))
        with idp.hold() as held:
            drive.start("verify", idp.issue())
            held.wait()
            yield next(iter(client._flights._flying))

    def current(self, drive):
        """Return the flight that a new caller would wait for."""
        (source,) = drive.current._sources.values()
        return source.last_flight if source.last_flight.in_progress else None

    def test_no_caller_begins_another_flight_beside_it(self, drive, flight):
        """A new caller waits for that end too, so an outage sees no second request for it."""
        flight.overdue_at = time.monotonic() - 0.001
        assert self.current(drive) is flight

    def test_a_flight_that_never_ends_is_lost(self, drive, flight):
        """A second later the flight no longer counts (the machine slept), and the next caller begins one."""
        flight.overdue_at = time.monotonic() - 1.001
        assert self.current(drive) is None
