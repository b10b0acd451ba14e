"""Flights belong to no caller: who waits for them, who gets their events, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
from driver import ByHost, is_flight

from jwks_client import (
    AsyncJWKSClient,
    CachePolicy,
    FetchPolicy,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
)
from jwks_client._core.keysets.fetch import Failed
from jwks_client.events import FetchFailed, KeysAwaited, KeysFetched, KeysRotated
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which a working operation is long done


def loops(idp: FakeProvider, **settings) -> AsyncJWKSClient:
    """Return an async client whose flights are tasks."""
    http = httpx.AsyncClient(transport=idp.transport)
    return AsyncJWKSClient(idp.provider, clock=idp.clock, http=http, **settings)


class TestListeners:
    def test_callers_do_not_wait_for_listeners(self, drive, idp):
        """A token is answered while a listener of its fetch has not returned."""
        go_on, received = threading.Event(), []

        def listen(event):
            if isinstance(event, KeysFetched):
                go_on.wait(PATIENCE)
                received.append(event)

        with idp.serve():
            drive.client(idp, listeners=[listen])
            try:
                drive.verify(idp.issue())
                assert received == []
            finally:
                go_on.set()
        drive.settle()
        assert len(received) == 1

    @pytest.mark.parametrize("method", ["refresh", "warm_up"])
    def test_refresh_and_warm_up_wait_for_listeners(self, drive, idp, method):
        """When `refresh` or `warm_up` returns, the listeners of its fetch were called."""
        received = []
        drive.client(idp, listeners=[received.append])
        drive.call(method)
        [fetched] = [event for event in received if isinstance(event, KeysFetched)]
        assert fetched.reason == {"refresh": "manual", "warm_up": "cold"}[method]
        assert (fetched.url, fetched.requests, fetched.source) == (idp.jwks_url, 1, "provider")

    def test_a_listener_may_refresh(self, idp):
        """A listener that calls `refresh` waits for a new flight, and never for its own."""
        received = []

        def listen(event):
            if isinstance(event, KeysFetched):
                idp.rotate()
                client.refresh()
            if isinstance(event, (KeysFetched, KeysRotated)):
                received.append(event)

        client = idp.client(listeners=[listen])
        client.refresh()
        assert [type(event) for event in received] == [KeysRotated, KeysFetched]
        assert received[0].fetch == received[1].fetch + 1

    def test_a_listener_may_close_the_client(self, idp):
        """A listener that closes the client does not wait for the flight of its event."""
        client = idp.client(listeners=[lambda event: client.close()])
        client.refresh()
        with pytest.raises(KeysUnavailableError):
            client.refresh()


class TestWaiting:
    def test_a_joiner_does_not_wait_for_long(self, idp):
        """While the set is usable, a caller that joins a fetch for an unknown kid gets 503 after a while."""
        reported = []
        client = idp.client(cache=CachePolicy(unknown_kid_wait=0.01), listeners=[reported.append])
        client.verify(idp.issue())
        idp.rotate()
        outcomes = []
        first = threading.Thread(target=lambda: outcomes.append(client.verify(idp.issue())))
        with idp.hold() as held:
            first.start()
            held.wait()
            with pytest.raises(KeysUnavailableError) as caught:
                client.verify(idp.issue())
            assert caught.value.retry_after >= 1
            assert not outcomes, "who began the fetch waits for its end"
        first.join(PATIENCE)
        assert outcomes[0].key_id == "key-2"
        client.close()
        assert {event.reason for event in reported if isinstance(event, KeysAwaited)} >= {
            "unknown_kid"
        }

    def test_a_joiner_whose_key_is_cached_waits_for_the_end(self, idp, clock):
        """Without background work, a joiner with a known kid is never 503: it uses the stale set if the fetch fails."""

        async def story() -> list[str | None]:
            client = loops(idp, cache=CachePolicy(refresh_ahead=None, unknown_kid_wait=0))
            await client.verify(idp.issue())
            idp.fail(500)
            clock.advance(300)
            await client.verify(idp.issue())
            clock.advance(1)
            with idp.hold():
                begun = asyncio.ensure_future(client.verify(idp.issue()))
                await asyncio.sleep(0)
                joined = asyncio.ensure_future(client.verify(idp.issue()))
                looked_up = asyncio.ensure_future(client.get_signing_key("key-1"))
                for _ in range(10):
                    await asyncio.sleep(0)
                assert not any(call.done() for call in (begun, joined, looked_up))
            kids = [(await begun).key_id, (await joined).key_id, (await looked_up).kid]
            await client.aclose()
            return kids

        assert asyncio.run(story()) == ["key-1"] * 3

    def test_a_joiner_with_a_bad_signature_does_not_wait_for_long(self, idp):
        """A caller that joins a fetch after a bad signature gets `bad_signature` after a while, never 503."""
        client = idp.client(cache=CachePolicy(unknown_kid_wait=0.01))
        client.verify(idp.issue())
        forged = FakeProvider(issuer=idp.issuer, clock=idp.clock, algorithm="ES256").issue()
        codes = []

        def verify() -> None:
            with pytest.raises(TokenError) as caught:
                client.verify(forged)
            codes.append(caught.value.code)

        first = threading.Thread(target=verify)
        with idp.hold() as held:
            first.start()
            held.wait()
            verify()
            assert codes == ["bad_signature"]
        first.join(PATIENCE)
        assert codes == ["bad_signature"] * 2


class TestLoops:
    def test_six_loops_and_a_rotation(self):
        """Six loops that need a new kid at once share one fetch, and all accept."""
        idp = FakeProvider(algorithm="ES256")
        with idp.serve():
            client = AsyncJWKSClient(idp.provider)
            asyncio.run(client.verify(idp.issue()))
            idp.rotate()
            outcomes = []
            together = threading.Barrier(6)

            def run(number: int) -> None:
                token = idp.issue(sub=str(number))
                together.wait(PATIENCE)
                outcomes.append(asyncio.run(client.verify(token)).key_id)

            threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
        assert outcomes == ["key-2"] * 6
        assert idp.fetches == 2

    def test_two_cancelled_callers_and_a_rotation(self, idp):
        """Flights that vanish with their loops cost no permit: the next token finds its key."""
        client = loops(idp)
        asyncio.run(client.verify(idp.issue()))

        async def leave(held) -> None:
            leaving = asyncio.create_task(client.verify(idp.issue(headers={"kid": "lost"})))
            await held.wait_async()
            leaving.cancel()

        for _ in range(3):
            with idp.hold() as held:
                asyncio.run(leave(held))
        idp.rotate()
        assert asyncio.run(client.verify(idp.issue())).key_id == "key-2"

    def test_a_loop_that_stopped_during_a_flight(self, idp):
        """A stopped loop that was not closed ends its flight, and another loop begins its own at once."""
        client = loops(idp)
        stopped = asyncio.new_event_loop()
        with idp.hold() as held:
            waiting = stopped.create_task(client.verify(idp.issue()))
            stopped.run_until_complete(held.wait_async())
        assert asyncio.run(client.verify(idp.issue(sub="u2"))).subject == "u2"
        waiting.cancel()
        for task in asyncio.all_tasks(stopped):
            task.cancel()
        stopped.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
        stopped.run_until_complete(asyncio.sleep(0))
        stopped.close()

    def test_its_deadline(self, idp):
        """An overdue task reports its requests, and ends once."""
        received, wrong = [], []

        async def story() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, what: wrong.append(what))
            fetch = FetchPolicy(deadline=0.2)
            client = loops(idp, fetch=fetch, listeners=[received.append])
            with idp.hold(), pytest.raises(KeysUnavailableError):
                await client.verify(idp.issue())
            await asyncio.gather(
                *asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True
            )
            await asyncio.sleep(0)

        asyncio.run(story())
        [failed] = [event for event in received if isinstance(event, FetchFailed)]
        assert (failed.code, failed.requests) == ("fetch_timeout", 1)
        assert wrong == []

    def test_without_a_loop(self, idp):
        """Under trio, the error says what to do instead, even for a token that was verified or is malformed."""
        client, known = idp.async_client(), idp.issue()
        asyncio.run(client.verify(known))
        calls = [client.warm_up, client.aclose]
        calls += [partial(client.verify, token) for token in (known, idp.issue(), "junk", 1)]
        for call in calls:
            with pytest.raises(RuntimeError, match="JWKSClient in a thread"):
                trio.run(call)


def test_a_flight_that_did_not_run_proves_nothing(idp, monkeypatch):
    """A server that stops its threads between requests causes no failure, and the next request fetches."""
    received = []
    client = idp.client(listeners=[received.append])
    [source] = client._sources.values()
    launch, ends = client._flights._crew.launch, []
    monkeypatch.setattr(client._flights._crew, "launch", lambda *flight: ends.append(flight))
    client._flights.refresh_behind(source)
    [(_, flight, end)] = ends
    flight.overdue_at -= 60  # as if the process had stood still for a minute
    end(Failed(code="fetch_timeout", message="too late"))
    assert client.health()[idp.provider.name].last_error is None
    monkeypatch.setattr(client._flights._crew, "launch", launch)
    assert client.verify(idp.issue(sub="u1")).subject == "u1"
    assert [type(event) for event in received if not isinstance(event, KeysAwaited)] == [
        KeysFetched
    ]


class TestNothingIsLeft:
    def test_after_warm_up(self):
        """No thread is left when `warm_up` returns, so a process may fork then without a warning."""
        idp = FakeProvider(algorithm="ES256")
        with idp.serve():
            for _ in range(10):
                client = JWKSClient(idp.provider)
                client.warm_up()
                alive = [one.name for one in threading.enumerate() if is_flight(one.name)]
                assert alive == []
                assert not client._keeper._claim.locked()

    def test_a_flight_that_starts_as_the_client_closes(self, idp, monkeypatch):
        """`close` does not raise while a flight's thread is about to start, and the flight vanishes."""
        client = idp.client()
        start = threading.Thread.start

        def close_and_start(thread):
            if thread.name.startswith("jwks-client") and not client._flights.closed:
                monkeypatch.setattr("jwks_client._client.sync.CLOSING", 0.01)
                client.close()
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", close_and_start)
        with pytest.raises(KeysUnavailableError):
            client.verify(idp.issue())
        assert idp.fetches == 0


def test_a_signal_handler_may_verify(idp):
    """A signal handler that interrupts a verification in its critical section verifies, and does not hang."""
    client = idp.client()
    client.warm_up()
    remember, verified = client._verifier.memo.remember, []

    class Interrupted(type(client._verifier.memo)):
        __slots__ = ()

        def remember(self, key, entry):
            verified.append(client.verify(idp.issue(sub="handler")).subject)  # as a handler would
            remember(key, entry)

    client._verifier.memo.__class__ = Interrupted
    assert client.verify(idp.issue(sub="main")).subject == "main"
    assert verified == ["handler"]


def test_a_handler_may_join_a_flight_that_it_kept_from_starting(idp, monkeypatch):
    """A handler that interrupts the very claim of a flight starts it, and both get the keys."""
    client = idp.client()
    launch, verified = client._flights._crew.launch, []

    def interrupted(*arguments):
        monkeypatch.setattr(client._flights._crew, "launch", launch)
        verified.append(client.verify(idp.issue(sub="handler")).subject)
        launch(*arguments)

    monkeypatch.setattr(client._flights._crew, "launch", interrupted)
    assert client.verify(idp.issue(sub="main")).subject == "main"
    assert verified == ["handler"]
    assert idp.fetches == 1


@pytest.mark.parametrize("step", ["look_up", "pay", "verified"])
def test_a_handler_may_verify_inside_a_step_of_the_resolver(idp, step):
    """A handler that interrupts a step verifies a token of a loaded tenant, and never waits for a new one."""
    others = [FakeProvider(issuer=f"https://{name}.test", clock=idp.clock) for name in ("a", "b")]
    known = {one.issuer: one.provider for one in (idp, *others)}
    transport = ByHost([idp, *others])
    http = httpx.Client(transport=transport)
    client = JWKSClient(resolve=known.get, clock=idp.clock, http=http)
    client.verify(idp.issue())
    table, outcomes = client._tenants._table, []
    real = getattr(table, step)

    def interrupted(*arguments, **options):
        setattr(table, step, real)
        outcomes.append(client.verify(idp.issue(sub="handler")).subject)
        with pytest.raises(KeysUnavailableError) as caught:
            client.verify(others[1].issue())
        outcomes.append(caught.value.code)
        client.forget(others[0].issuer)
        return real(*arguments, **options)

    setattr(table, step, interrupted)
    assert client.verify(others[0].issue(sub="main")).subject == "main"
    assert outcomes == ["handler", "resolver_failed"]
    assert client.verify(others[1].issue(sub="later")).subject == "later"


@pytest.mark.extended
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_at_any_moment():
    """Forked at gates inside a flight, and at 20 random moments of a warm-up, each child verifies."""
    script = Path(__file__).parent / "processes" / "fork_gates.py"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr


def test_a_flight_of_another_process_is_not_waited_for(monkeypatch):
    """A flight belongs to the process in which it began, even under uWSGI, which forks without Python's hooks."""
    idp = FakeProvider(algorithm="ES256")
    with idp.serve(), idp.hold() as held:
        client = JWKSClient(idp.provider)
        [source] = client._sources.values()
        client._flights.refresh_behind(source)
        held.wait()
        flight = source.last_flight
        assert flight.in_progress
        child = os.getpid() + 1
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: child)
            assert not flight.in_progress


@pytest.mark.parametrize("kind", [JWKSClient, AsyncJWKSClient])
def test_a_client_offers_what_is_documented(kind):
    """A client has exactly the documented names without an underscore."""
    documented = {
        *("verify", "get_signing_key", "get_signing_key_from_jwt", "keys", "refresh", "warm_up"),
        *("health", "explain", "forget", "ready", "usage"),
        "close" if kind is JWKSClient else "aclose",
    }
    named = {name for name in dir(kind) if not name.startswith("_")}
    assert named == documented
