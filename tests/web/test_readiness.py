"""Readiness: keys are loaded and kept fresh in the background, with or without requests."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Self

import httpx
import pytest
from asgi_calls import Call, client_of, fine, http_scope
from test_wsgi_middleware import Called, environ_of
from test_wsgi_middleware import fine as fine_wsgi

from jwks_client import AsyncJWKSClient, CachePolicy, JWKSClient, events
from jwks_client import wsgi as for_wsgi
from jwks_client._client import keeper
from jwks_client.asgi import JWKSMiddleware
from jwks_client.errors import KeysUnavailableError
from jwks_client.testing import FakeClock, FakeProvider

PATIENCE = 20.0  # real seconds after which a working operation is long done
SCOPE = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
FETCHED = (events.KeysFetched, events.KeysUnchanged, events.KeysRotated)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let keepers look at the fake clock often."""
    monkeypatch.setattr(keeper, "LONGEST_SLEEP", 0.005)


class Emitted:
    """A listener with gates for the events it gets."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: events.Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def count(self, *kinds: Any) -> int:
        return sum(isinstance(one, kinds) for one in self.events)

    def until(self, count: int, *kinds: Any) -> None:
        """Wait until so many events of these kinds were emitted."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count(*kinds) >= count, PATIENCE)


class Server:
    """An ASGI server that runs the lifespan of an app in a thread, from start to end."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self.left: set[str] = set()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._live()))

    async def _live(self) -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, str]:
            kind = next(messages)
            if kind == "lifespan.shutdown":
                self._started.set()
                await self._ending.wait()
            return {"type": kind}

        async def send(message: Any) -> None:
            assert message["type"].endswith(".complete"), message

        await self._app(dict(SCOPE), receive, send)
        for _ in range(3):
            await asyncio.sleep(0)
        self.left = {task.get_name() for task in asyncio.all_tasks()}

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE)
        self._loop.close()
        assert "jwks-client keeper" not in self.left


@pytest.fixture(params=["threads", "tasks"])
def asynchronous(request: pytest.FixtureRequest, idp: FakeProvider) -> Iterator[Any]:
    """Make async clients of a fake provider, whose flights are threads or tasks."""
    with idp.serve() as _:
        made: list[AsyncJWKSClient] = []

        def make(*providers: Any, **settings: Any) -> AsyncJWKSClient:
            settings.setdefault("clock", idp.clock)
            if request.param == "tasks":
                settings["http"] = httpx.AsyncClient(transport=idp.transport)
            made.append(AsyncJWKSClient(*(providers or [idp.provider]), **settings))
            return made[-1]

        yield make
        for client in made:
            asyncio.run(client.aclose())


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


# ready


def test_ready_is_true_once_the_keys_are_loaded_and_from_then_on(drive, idp, clock):
    """`ready` stays true when the keys expire during an outage: readiness is not health."""
    client = drive.client(idp)
    assert client.ready is False
    drive.warm_up()
    assert client.ready is True
    idp.fail(503)
    clock.advance(10**6)
    with pytest.raises(KeysUnavailableError):
        drive.verify(idp.issue())
    assert client.ready is True
    assert drive.health("issuer.test").state == "expired"


def test_ready_does_no_io_and_needs_no_loop(idp):
    """`ready` is a property on both clients and needs no event loop."""
    for client in (AsyncJWKSClient(idp.provider), JWKSClient(idp.provider)):
        assert client.ready is False
    assert idp.fetches == 0


def test_ready_waits_for_every_required_provider(drive, clock):
    """Providers with required_at_start=False do not count; without providers `ready` is true."""
    from dataclasses import replace

    first = FakeProvider(issuer="https://first.test", clock=clock)
    second = FakeProvider(issuer="https://second.test", clock=clock)
    second.fail(503)
    for required in (True, False):
        provider = replace(second.provider, required_at_start=required)
        from driver import ByHost

        client = drive.client(
            first.provider, provider, transport=ByHost([first, second]), clock=clock
        )
        with pytest.raises(KeysUnavailableError):
            drive.warm_up()
        assert client.ready is not required
    assert drive.client(resolve=lambda _: None, clock=clock).ready is True


# Under ASGI, with a lifespan.


def test_an_app_that_starts_during_an_outage_recovers_without_a_request(
    asynchronous, idp, clock, emitted
):
    """Backoff and Retry-After are obeyed, and the keys are loaded as soon as the provider responds."""
    idp.fail(503)
    client = asynchronous(listeners=[emitted], cache=CachePolicy(failure_backoff=(8, 8)))
    with Server(JWKSMiddleware(fine, client)):
        emitted.until(1, events.FetchFailed)
        for failures in (2, 3):
            clock.advance(3.9)  # the backoff is at least half of eight seconds
            assert emitted.count(events.FetchFailed) == failures - 1
            clock.advance(4.1)
            emitted.until(failures, events.FetchFailed)
        assert not client.ready
        idp.recover()
        clock.advance(8)
        emitted.until(1, events.KeysFetched)
        assert client.ready


def test_the_background_obeys_retry_after(asynchronous, idp, clock, emitted):
    """A provider that asks for four minutes gets no request for four minutes."""
    idp.fail(503, headers={"Retry-After": "240"})
    client = asynchronous(listeners=[emitted])
    with Server(JWKSMiddleware(fine, client)):
        emitted.until(1, events.FetchFailed)
        clock.advance(239)
        assert 0 < client._keeper.step() <= 1
        assert idp.fetches == 1
        clock.advance(1)
        emitted.until(2, events.FetchFailed)
    assert idp.fetches == 2


def test_keys_are_kept_fresh_without_requests(asynchronous, idp, clock, emitted):
    """An idle replica's keys stay fresh for hours."""
    client = asynchronous(listeners=[emitted])
    with Server(JWKSMiddleware(fine, client)):
        emitted.until(1, *FETCHED)
        for fetches in range(2, 12):
            clock.advance(299)  # within the lifetime of 300 s, and past due whatever the jitter
            emitted.until(fetches, *FETCHED)
        assert client.health()["issuer.test"].state == "fresh"
    assert idp.fetches == 11


@pytest.mark.parametrize("how", ["keep_fresh", "refresh_ahead"])
def test_keeping_fresh_can_be_turned_off(asynchronous, idp, clock, emitted, how):
    """With keep_fresh=False the keys are loaded at startup, and then the background work ends."""
    cache = CachePolicy(refresh_ahead=None if how == "refresh_ahead" else 0.8)
    client = asynchronous(listeners=[emitted], cache=cache)
    others = set(threading.enumerate())  # of other tests' clients
    with Server(JWKSMiddleware(fine, client, keep_fresh=how != "keep_fresh")):
        emitted.until(1, *FETCHED)
        clock.advance(290)
        for thread in set(threading.enumerate()) - others:
            if thread.name == "jwks-client keeper":
                thread.join(PATIENCE)
                assert not thread.is_alive()
        assert client._keeper.step() is None
    assert idp.fetches == 1


def test_two_middlewares_of_a_client_have_one_keeper(asynchronous, idp, clock, emitted):
    """Two middlewares of a client, nested or not, share one keeper."""
    client = asynchronous(listeners=[emitted])
    others = set(threading.enumerate())
    with Server(JWKSMiddleware(JWKSMiddleware(fine, client), client)):
        emitted.until(1, *FETCHED)
        clock.advance(299)
        emitted.until(2, *FETCHED)
        begun = set(threading.enumerate()) - others
        assert len([one for one in begun if one.name == "jwks-client keeper"]) <= 1
    assert idp.fetches == 2


def test_providers_are_renewed_one_at_a_time_and_spread_out(idp, clock):
    """Key sets that were loaded together are not all renewed together."""
    from dataclasses import replace

    names = [f"p{number}" for number in range(4)]
    with idp.serve() as base:
        client = JWKSClient(
            *(
                replace(idp.provider, name=name, jwks_url=f"{base}/.well-known/jwks.json?{name}")
                for name in names
            ),
            clock=clock,
        )
        client.warm_up()
        caches = [source.cache for source in client._sources.values()]
        for cache in caches:  # whatever its jitter
            moments = [cache.wanted_at(place / 4) for place in range(4)]
            assert moments == sorted(set(moments))
            assert cache.fresh_until == moments[0] < moments[-1] < 300
        client._keeper._keep_fresh = True
        clock.advance(299)
        flight = client._keeper.step()
        assert isinstance(flight, keeper.Flight)
        assert sum(source.last_flight is flight for source in client._sources.values()) == 1
        assert sum(source.begun == 2 for source in client._sources.values()) == 1
        client.close()
        assert client._keeper.step() is None


# Without a lifespan, and under WSGI.


def test_without_lifespan_the_first_request_begins_the_warm_up_even_if_excluded(
    asynchronous, idp, emitted
):
    """Without lifespan nothing is fetched before the first request, and a health check is enough to load the keys."""
    client = asynchronous(listeners=[emitted])
    app = JWKSMiddleware(fine, client, exclude=["/health"])

    async def story() -> None:
        assert idp.fetches == 0
        for _ in range(3):
            assert (await Call().to(app, http_scope(None, "/health"))).status == 200
        await asyncio.to_thread(emitted.until, 1, events.KeysFetched)

    asyncio.run(story())
    assert idp.fetches == 1


def test_a_loop_that_ended_does_not_stop_the_warm_up(idp, clock, emitted):
    """With a caller-supplied client the next event loop continues the warm-up that the last one left."""
    idp.fail(503)
    client = client_of(idp, listeners=[emitted], cache=CachePolicy(failure_backoff=(1, 1)))
    app = JWKSMiddleware(fine, client, exclude=["/health"])

    async def once() -> None:
        await Call().to(app, http_scope(None, "/health"))
        await asyncio.to_thread(emitted.until, 1, events.FetchFailed)

    asyncio.run(once())
    assert not client.ready
    idp.recover()
    clock.advance(2)

    async def again() -> None:
        await Call().to(app, http_scope(None, "/health"))
        await asyncio.to_thread(emitted.until, 1, events.KeysFetched)

    asyncio.run(again())


@pytest.fixture
def sync_client(idp: FakeProvider, emitted: Emitted) -> Iterator[JWKSClient]:
    http = httpx.Client(transport=idp.transport)
    client = JWKSClient(idp.provider, http=http, clock=idp.clock, listeners=[emitted])
    yield client
    client.close()


def test_under_wsgi_the_first_request_begins_the_warm_up(idp, clock, emitted, sync_client):
    """Making the middleware starts nothing, so a server may fork afterwards."""
    before = threading.active_count()
    app = for_wsgi.JWKSMiddleware(fine_wsgi, sync_client, exclude=["/health"])
    assert (idp.fetches, threading.active_count()) == (0, before)
    idp.fail(503)
    assert Called(app, environ_of(None, "/health")).status == "200 OK"
    emitted.until(1, events.FetchFailed)
    idp.recover()
    clock.advance(31)
    emitted.until(1, events.KeysFetched)
    assert sync_client.ready
    assert Called(app, environ_of(None, "/health")).status == "200 OK"


def test_a_failure_to_load_is_logged_once(idp, clock, emitted, sync_client, caplog):
    """A failed warm-up is logged once at WARNING with its reason, and not again with each attempt."""
    idp.fail(503)
    app = for_wsgi.JWKSMiddleware(fine_wsgi, sync_client, exclude=["/health"])
    Called(app, environ_of(None, "/health"))
    for failures in (1, 2, 3):
        emitted.until(failures, events.FetchFailed)
        clock.advance(31)
    sync_client.close()
    warnings = [one.message for one in caplog.records if one.name == "jwks_client"]
    assert len(warnings) == 1
    assert warnings[0].startswith("keys could not be loaded: fetch_failed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_begins_its_own_warm_up(idp, clock, emitted, sync_client):
    """A worker of a server that preloads the app begins its own warm-up with its first request."""
    app = for_wsgi.JWKSMiddleware(fine_wsgi, sync_client, exclude=["/health"])
    idp.fail(503)
    Called(app, environ_of(None, "/health"))
    emitted.until(1, events.FetchFailed)
    sync_client._after_fork()  # the child's side of a fork
    assert [sync_client._keeper._claim.acquire(blocking=False)] == [True]
    sync_client._keeper._claim.release()
    idp.recover()
    clock.advance(31)
    Called(app, environ_of(None, "/health"))
    emitted.until(1, events.KeysFetched)


def test_a_fork_without_hooks_starts_one_keeper(idp, monkeypatch):
    """In a child that uWSGI forked, the first fetch does not make the client forget its keeper."""
    client, started, parent = idp.client(), [], os.getpid()
    monkeypatch.setattr(client._keeper, "_start", lambda: started.append(os.getpid()))
    client._keeper.begin(keep_fresh=True)
    monkeypatch.setattr("os.getpid", lambda: -1)
    for _ in range(2):
        client._keeper.begin(keep_fresh=True)
        client.verify(idp.issue())
    assert started == [parent, -1]


def test_a_dropped_client_ends_its_keeper(idp, clock):
    """A test suite that makes an app for each test leaves no threads behind."""
    with idp.serve():
        emitted = Emitted()
        others = set(threading.enumerate())  # of other tests' clients
        client = AsyncJWKSClient(idp.provider, clock=clock, listeners=[emitted])
        app = JWKSMiddleware(fine, client, exclude=["/health"])
        asyncio.run(Call().to(app, http_scope(None, "/health")))
        emitted.until(1, events.KeysFetched)
        begun = set(threading.enumerate()) - others
        (thread,) = [one for one in begun if one.name == "jwks-client keeper"]
        gone = weakref.ref(client)
        del client, app
        gc.collect()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert gone() is None


# required


def test_a_required_start_waits_for_the_required_providers_only(clock, emitted):
    """A provider that is not required at startup is loaded in the background once it responds."""
    from dataclasses import replace

    first = FakeProvider(issuer="https://first.test", clock=clock)
    second = FakeProvider(issuer="https://second.test", clock=clock)
    with first.serve(), second.serve(), second.hold() as held:
        optional = replace(second.provider, name="second", required_at_start=False)
        client = AsyncJWKSClient(
            optional,
            replace(first.provider, name="first"),
            clock=clock,
            listeners=[emitted],
        )
        with Server(JWKSMiddleware(fine, client, warm_up="required")):
            assert client.ready
            assert client.health()["second"].state == "cold"
            held.wait()
            held.release()
            emitted.until(2, events.KeysFetched)
        asyncio.run(client.aclose())


def test_a_clock_that_raises_ends_only_the_background_work(idp):
    """A clock that raises ends the background work and fails no request."""

    class Broken(FakeClock):
        broken = False

        def monotonic(self) -> float:
            if self.broken:
                raise OSError("no clock")
            return super().monotonic()

    clock = Broken(idp.clock.time())
    client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=clock)
    clock.broken = True
    assert keeper._step(weakref.ref(client._keeper)) is None
