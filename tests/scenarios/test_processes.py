"""Threads, event loops, forks and the ends of processes cause no hang, no leak and no warning."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest
from apart import STRICT, end, environment, run, started

from jwks_client import AsyncJWKSClient, JWKSClient
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which a working operation is long done
PLAIN = ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
class TestFork:
    def reported(self, kind: str, listening: str, mode=STRICT) -> dict:
        outcome = run("fork", kind, listening, mode=mode)
        assert (outcome.status, outcome.err) == (0, "")
        return json.loads(outcome.out)

    @pytest.mark.parametrize(
        ("kind", "mode"), [("sync", STRICT), ("async", STRICT), ("sync", PLAIN)]
    )
    def test_after_use(self, kind, mode):
        """Forked with an in-flight fetch and every lock held, the child verifies, and fetches for itself.

        The parent's flight lands in the parent. The child has its own jitter, so that workers do not fetch
        in step.
        """
        reported = self.reported(kind, "plain", mode)
        assert reported["status"] == 0, "the child hung or failed"
        child, parent = reported["child"], reported["parent"]
        assert (child["known"], child["newest"], child["remembered"]) == ("key-1", "key-2", "key-2")
        assert child["state"] == "fresh"
        assert (parent["newest"], parent["flew"]) == ("key-2", True)
        # The first fetch, the in-flight one, and the child's own.
        assert parent["fetches"] == 3
        assert child["due_share"] != parent["due_share"]

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_while_another_thread_logs(self, kind):
        """Forked while another thread is inside `LoggingListener`, the child can log, and does not hang."""
        reported = self.reported(kind, "logging")
        assert reported["status"] == 0, "the child hung or failed"
        assert reported["child"]["refused"] == "malformed_token"


@pytest.fixture
def idp() -> FakeProvider:
    """Return a fake provider on the system's clock, which the child processes have too."""
    return FakeProvider(algorithm="ES256")


class TestEndOfTheProcess:
    @pytest.mark.parametrize(
        ("way", "mode"),
        [
            ("threads", STRICT),
            ("interrupt", STRICT),
            ("at_exit", STRICT),
            ("tasks", STRICT),
            ("background_loop", STRICT),
            ("after_a_refresh_behind", STRICT),
            ("threads", PLAIN),
            ("tasks", PLAIN),
            ("background_loop", PLAIN),
        ],
    )
    def test_with_an_in_flight_fetch(self, idp, way, mode):
        """The process ends at once, with status 0 and without output, while the provider keeps it waiting."""
        with idp.serve():
            token = idp.issue(expires_in=600)
            idp.fail("hang")
            with idp.hold() as held:
                with started("leaving", way, idp.jwks_url, token, mode=mode) as process:
                    held.wait(within=30)
                    outcome = end(process, "go\n", within=PATIENCE)
        assert outcome == (0, "", "")


class TestLeaks:
    """Leaks, checked in development mode with every warning an error."""

    nothing: ClassVar = {"threads": 0, "files": 0, "tasks": 0, "loops": 0}

    @pytest.mark.parametrize(
        ("story", "times"),
        [
            ("one_client_many_loops", 50),
            ("left_in_mid_flight", 50),
            ("many_async_clients", 5),
            ("many_clients", 5),
            ("unclosed_clients", 5),
            ("injected", 5),
        ],
    )
    def test_repetitions_leave_nothing_behind(self, idp, story, times):
        """Many repetitions leave no thread, task, event loop, socket or file."""
        with idp.serve():
            outcome = run("leaks", story, str(times), idp.jwks_url, idp.issue(expires_in=600))
        assert (outcome.status, outcome.err) == (0, "")
        assert json.loads(outcome.out) == {"more": self.nothing, "received": []}

    @pytest.mark.parametrize("story", ["closed_in_mid_flight", "aclosed_in_mid_flight"])
    def test_a_client_closed_during_a_flight_leaves_nothing_behind(self, idp, story):
        """A client that is closed while the provider hangs answers waiting callers with 503, fetches no more, and leaves nothing."""
        times = 5
        with idp.serve():
            token = idp.issue(expires_in=600)
            idp.fail("hang")
            with (
                idp.hold() as held,
                started("leaks", story, str(times - 1), idp.jwks_url, token) as process,
            ):
                for number in range(1, times + 1):
                    held.wait(number, within=PATIENCE)
                    process.stdin.write("go\n")
                    process.stdin.flush()
                outcome = end(process)
        assert (outcome.status, outcome.err) == (0, "")
        reported = json.loads(outcome.out)
        assert reported["more"] == self.nothing
        # Three that waited when it was closed, and one that came afterwards, each time.
        assert reported["received"] == ["fetch_failed"] * 4 * times
        assert idp.fetches == times


class TestManyLoops:
    def test_on_one_client(self, idp):
        """Eight loops in eight threads share one flight of one client, and all verify."""
        outcomes: list[str | None] = []

        async def story(number: int) -> None:
            tokens = [idp.issue(sub=str(number)) for _ in range(20)]
            verified = await asyncio.gather(*(client.verify(token) for token in tokens))
            assert {token.subject for token in verified} == {str(number)}
            outcomes.append(verified[0].subject)

        with idp.serve():
            client = AsyncJWKSClient(idp.provider)
            threads = [threading.Thread(target=lambda n=n: asyncio.run(story(n))) for n in range(8)]
            with idp.hold() as held:
                for thread in threads:
                    thread.start()
                held.wait()
            for thread in threads:
                thread.join(PATIENCE)
            assert sorted(outcomes) == [str(n) for n in range(8)]
            asyncio.run(client.verify(idp.issue()))
        assert idp.fetches == 1

    def test_a_loop_that_ends_does_not_end_anothers_flight(self, idp):
        """One loop ends during a flight; the flight that the other one shares lands."""
        with idp.serve(), idp.hold() as held:
            client = AsyncJWKSClient(idp.provider)
            outcomes: list[str | None] = []

            async def stay() -> None:
                outcomes.append((await client.verify(idp.issue(sub="stays"))).subject)

            async def leave() -> None:
                leaving = asyncio.create_task(client.verify(idp.issue()))
                await asyncio.sleep(0)
                assert not leaving.done()

            staying = threading.Thread(target=lambda: asyncio.run(stay()))
            staying.start()
            held.wait()
            asyncio.run(leave())
            assert outcomes == []
            held.release()
            staying.join(PATIENCE)
        assert outcomes == ["stays"]

    def test_closed_from_another_loop(self, idp):
        """``aclose()`` on one loop ends the flights of the others too, and their callers get an error."""
        with idp.serve(), idp.hold() as held:
            client = AsyncJWKSClient(idp.provider)
            outcomes: list[object] = []

            async def wait() -> None:
                outcomes.extend(
                    await asyncio.gather(client.verify(idp.issue()), return_exceptions=True)
                )

            waiting = threading.Thread(target=lambda: asyncio.run(wait()))
            waiting.start()
            held.wait()
            asyncio.run(client.aclose())
            waiting.join(PATIENCE)
        assert [one.code for one in outcomes] == ["fetch_failed"]

    def test_threads_that_come_and_go(self, idp):
        """A hundred short threads on one client, with a rotation among them, all verify, and each fetch is shared."""
        with idp.serve(), JWKSClient(idp.provider) as client:
            outcomes: list[str | None] = []
            for number in range(100):
                if number == 50:
                    idp.rotate()
                token = idp.issue()
                thread = threading.Thread(
                    target=lambda token=token: outcomes.append(client.verify(token).key_id)
                )
                thread.start()
                thread.join(PATIENCE)
        assert outcomes == ["key-1"] * 50 + ["key-2"] * 50
        assert idp.fetches == 2


def test_under_development_mode():
    """The stories of real concurrency pass in Python's development mode with every warning an error."""
    here = Path(__file__).parent
    stories = [
        "test_herds.py::TestOverTheWire::test_cold_threads",
        "test_herds.py::TestOrderOfAnswers",
        "test_outages.py::TestTwoHundredCallers",
        "test_processes.py::TestManyLoops",
    ]
    ended = subprocess.run(
        [
            *(sys.executable, *STRICT, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(str(here / story) for story in stories),
        ],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=6 * PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
