"""HTTP clients of the application, and event loops that start and end."""

import asyncio
import contextlib
import contextvars
import gc
import gzip
import json
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import httpx2
import pytest
import respx
import uvloop
from driver import Driver
from servers import PATIENCE, crowded

from jwks_client import (
    AsyncJWKSClient,
    ConfigurationError,
    FetchPolicy,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
)
from jwks_client._client.http import Line, get
from jwks_client._client.latch import Latch
from jwks_client._core.keysets.fetch import Request, Response
from jwks_client.testing import FakeProvider

VENDORS = pytest.mark.parametrize("vendor", [httpx, httpx2], ids=["httpx", "httpx2"])


@pytest.fixture
def served(idp: FakeProvider) -> Iterator[FakeProvider]:
    """Serve a provider on real loopback HTTP."""
    with idp.serve():
        yield idp


class Injected:
    """A maker of HTTP clients for a driver, as an application would make them; it closes them at the end."""

    def __init__(self, drive: Driver) -> None:
        self._drive = drive
        self._made: list[Any] = []

    def open(self, vendor: Any, **settings: Any) -> Any:
        """Return a client of the kind that the driver's own client accepts."""
        make = vendor.Client if self._drive.kind == "sync" else vendor.AsyncClient
        made = self._drive._call(make, (), settings)
        self._made.append(made)
        return made

    def send(self, http: Any, url: str) -> Any:
        """Use such a client directly."""
        return self._drive._call(http.get, (url,), {})

    def close(self) -> None:
        for http in self._made:
            self._drive._call(http.close if self._drive.kind == "sync" else http.aclose, (), {})


@pytest.fixture
def injected(drive: Driver) -> Iterator[Injected]:
    """Return HTTP clients made for one test."""
    made = Injected(drive)
    yield made
    drive.settle()
    made.close()


class TestInjected:
    @VENDORS
    def test_an_injected_client_fetches(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """A client of httpx or of httpx2 fetches, with its own settings and the library's headers."""
        http = injected.open(vendor, headers={"X-Team": "a", "User-Agent": "theirs"})
        drive.client(served, http=http)
        assert drive.verify(served.issue(sub="u1")).subject == "u1"
        (request,) = served.requests
        assert request.headers["x-team"] == "a"
        assert request.headers["user-agent"].startswith("jwks-client-sdk/")
        assert request.headers["accept-encoding"] == "gzip"

    @VENDORS
    def test_a_story_of_rotation_and_outage(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """A new key is found, and a failure is an error of this library, whichever vendor's exception caused it."""
        drive.client(served, http=injected.open(vendor))
        drive.verify(served.issue())
        served.rotate()
        assert drive.verify(served.issue(sub="u2")).subject == "u2"
        served.fail(ConnectionResetError)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.refresh()
        assert caught.value.code == "fetch_failed"
        assert isinstance(caught.value.__cause__, vendor.RemoteProtocolError)
        assert drive.verify(served.issue(sub="u3")).subject == "u3"

    @pytest.mark.extended
    @VENDORS
    def test_the_library_s_time_limits_apply_to_an_injected_client(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """An injected client without a timeout does not make a fetch last without end."""
        served.fail("hang")
        policy = FetchPolicy(attempt_timeout=0.3, deadline=60, retries=0)
        drive.client(served, http=injected.open(vendor, timeout=None), fetch=policy)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.start("keys").result(PATIENCE)
        assert caught.value.code == "fetch_timeout"
        drive.settle()

    @pytest.mark.extended
    @VENDORS
    def test_the_library_s_connect_limit_applies_to_an_injected_client(
        self, drive: Driver, injected: Injected, idp: FakeProvider, vendor: Any
    ) -> None:
        """The library's connect timeout applies to an injected client."""
        policy = FetchPolicy(connect_timeout=0.3, attempt_timeout=60, deadline=60, retries=0)
        with crowded() as url:
            provider = replace(idp.provider, jwks_url=url)
            drive.client(provider, http=injected.open(vendor, timeout=None), fetch=policy)
            with pytest.raises(KeysUnavailableError) as caught:
                drive.start("keys").result(PATIENCE)
            assert caught.value.code == "fetch_timeout"
            drive.settle()

    @pytest.mark.extended
    @VENDORS
    def test_the_library_s_deadline_applies_to_an_injected_client(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """The library's deadline applies to an injected client."""
        served.fail("hang")
        policy = FetchPolicy(attempt_timeout=60, deadline=0.5)
        drive.client(served, http=injected.open(vendor, timeout=None), fetch=policy)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.start("keys").result(PATIENCE)
        assert caught.value.code == "fetch_timeout"
        drive.settle()

    @VENDORS
    def test_an_injected_client_stays_open(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """Neither a fetch, nor a failure, nor closing the library's client closes an injected client."""
        http = injected.open(vendor)
        drive.client(served, http=http)
        drive.keys()
        served.fail(500)
        with pytest.raises(KeysUnavailableError):
            drive.refresh()
        drive.close()
        assert not http.is_closed
        served.recover()
        assert injected.send(http, served.jwks_url).status_code == 200

    @VENDORS
    def test_a_closed_injected_client_is_a_failed_fetch(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """After an application closes its client, each fetch raises an error of this library."""
        http = injected.open(vendor)
        drive.client(served, http=http)
        injected.close()
        with pytest.raises(KeysUnavailableError) as caught:
            drive.verify(served.issue())
        assert caught.value.code == "fetch_failed"
        assert isinstance(caught.value.__cause__, RuntimeError)

    @VENDORS
    def test_an_injected_client_s_connection_is_returned(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """A response that is not read to its end is closed, so a pool of one connection serves the next fetch."""
        http = injected.open(vendor, limits=vendor.Limits(max_connections=1))
        drive.client(served, http=http, fetch=FetchPolicy(max_body=10))
        with pytest.raises(KeysUnavailableError) as caught:
            drive.keys()
        assert caught.value.code == "bad_key_set"
        drive.client(served, http=http, fetch=FetchPolicy(attempt_timeout=1, retries=0))
        assert len(drive.keys()) == 1

    def test_no_exception_of_an_injected_client_gets_out(
        self, drive: Driver, idp: FakeProvider
    ) -> None:
        """An injected client may raise anything: the caller gets ``fetch_failed`` without its text."""

        class Strange:
            def build_request(self, method: str, url: str, **options: Any) -> Any:
                raise LookupError("said by the custom client")

            send = build_request

        drive.client(idp.provider, http=Strange(), clock=idp.clock)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.verify(idp.issue())
        assert caught.value.code == "fetch_failed"
        assert isinstance(caught.value.__cause__, LookupError)
        assert "said by the custom client" not in str(caught.value)

    @pytest.mark.parametrize("body", ["short", "long", "broken"])
    def test_an_injected_client_s_responses_are_closed(
        self, drive: Driver, idp: FakeProvider, body: str
    ) -> None:
        """This library closes every response and leaves none to the garbage collector."""
        closed: list[str] = []
        kept: list[Any] = []

        class Answer:
            status_code = 200
            headers: ClassVar[dict[str, str]] = {}
            is_stream_consumed = False

            def iter_raw(self) -> Iterator[bytes]:
                if body == "broken":
                    raise httpx.ReadError("reset")
                yield json.dumps(idp.jwks()).encode() if body == "short" else bytes(100_000)

            async def aiter_raw(self) -> AsyncIterator[bytes]:
                for octets in self.iter_raw():
                    yield octets

            def close(self) -> None:
                closed.append("sync")

            async def aclose(self) -> None:
                closed.append("async")

        class Client:
            def build_request(self, method: str, url: str, **options: Any) -> str:
                return url

            def send(self, request: str, **options: Any) -> Any:
                kept.append(Answer())
                return kept[-1]

        class AsyncClient(Client):
            async def send(self, request: str, **options: Any) -> Any:
                return super().send(request, **options)

        http = Client() if drive.kind == "sync" else AsyncClient()
        drive.client(idp.provider, http=http, fetch=FetchPolicy(max_body=50_000, retries=0))
        if body == "short":
            assert len(drive.keys()) == 1
        else:
            with pytest.raises(KeysUnavailableError):
                drive.keys()
        assert closed == [drive.kind]

    def test_a_response_of_many_small_chunks_blocks_no_event_loop(self, idp: FakeProvider) -> None:
        """Other tasks of the loop run while a hostile server's response of one-byte chunks is read."""
        content = idp.jwks()

        class Answer:
            status_code = 200
            headers: ClassVar[dict[str, str]] = {}
            is_stream_consumed = False

            async def aiter_raw(self) -> AsyncIterator[bytes]:
                for octet in json.dumps(content).encode().ljust(10_000):
                    yield bytes([octet])  # one read from the socket held them all

            async def aclose(self) -> None: ...

        class Client:
            def build_request(self, method: str, url: str, **options: Any) -> str:
                return url

            async def send(self, request: str, **options: Any) -> Answer:
                return Answer()

        async def story() -> int:
            turns, client = 0, AsyncJWKSClient(idp.provider, http=Client())
            keys = asyncio.create_task(client.keys())
            while not keys.done():
                await asyncio.sleep(0)
                turns += 1
            assert len(await keys) == 1
            await client.aclose()
            return turns

        assert asyncio.run(story()) >= 100

    def test_a_falsy_client_is_used(self, drive: Driver, idp: FakeProvider) -> None:
        """Only None means "no client": a client that counts as false is used."""

        class Pool(httpx.Client if drive.kind == "sync" else httpx.AsyncClient):  # type: ignore[misc]
            def __len__(self) -> int:
                return 0

        http = drive._call(Pool, (), {"transport": idp.transport})
        drive._http.append(http)
        drive.client(idp, http=http)
        assert drive.verify(idp.issue()).subject == "u1"


def test_a_connection_is_not_cut_after_its_response(served: FakeProvider) -> None:
    """A flight that ends late, or with `close`, leaves a connection alone that the caller's client uses again."""
    url = served.provider.jwks_url
    assert url is not None
    steps: list[str] = []
    with httpx.Client() as http:
        line = Line()
        answer = get(http, Request(url, ()), line, FetchPolicy())
        assert isinstance(answer, Response)
        line.cut()
        again = http.get(url, extensions={"trace": lambda name, _: steps.append(name)})
    assert again.status_code == 200
    assert "connection.connect_tcp.started" not in steps


class TestUvloop:
    def test_a_wait_does_not_end_early(self) -> None:
        """uvloop's timers may fire up to 1.5 ms early; a timeout of this library does not end before its time."""

        async def story() -> list[float]:
            early: list[float] = []
            for number in range(40):
                until = time.monotonic() + 0.004 + number * 0.00003
                await Latch().waited(until - time.monotonic())
                early.append(until - time.monotonic())
            return early

        with contextlib.closing(uvloop.new_event_loop()) as loop:
            assert max(loop.run_until_complete(story())) <= 0

    def test_a_broken_connection_is_retried_and_named(self, served: FakeProvider) -> None:
        """On uvloop, whose sockets cannot be shut down, a broken connection is an error as on asyncio."""
        served.fail(ConnectionResetError)

        async def story() -> None:
            async with httpx.AsyncClient() as http:
                async with AsyncJWKSClient(served.provider, http=http) as client:
                    with pytest.raises(KeysUnavailableError) as caught:
                        await client.refresh()
            assert isinstance(caught.value.__cause__, httpx.RemoteProtocolError)

        with contextlib.closing(uvloop.new_event_loop()) as loop:
            loop.run_until_complete(story())
        assert len(served.requests) == 2


class TestWrongKind:
    @pytest.mark.parametrize("http", [httpx.AsyncClient, httpx2.AsyncClient])
    def test_the_sync_client_refuses_an_async_http_client(
        self, idp: FakeProvider, http: Callable[[], Any]
    ) -> None:
        """The sync client refuses an async HTTP client by the setting's name."""
        with pytest.raises(ConfigurationError) as caught:
            JWKSClient(idp.provider, http=http())
        assert caught.value.field == "http"
        assert "http" in str(caught.value)
        assert "httpx.Client" in str(caught.value)

    @pytest.mark.parametrize("make", [httpx.Client, httpx2.Client])
    def test_the_async_client_refuses_a_sync_http_client(
        self, idp: FakeProvider, make: Callable[[], Any]
    ) -> None:
        """The async client refuses a sync HTTP client, which would block the event loop."""
        with make() as http, pytest.raises(ConfigurationError) as caught:
            AsyncJWKSClient(idp.provider, http=http)
        assert caught.value.field == "http"
        assert "httpx.AsyncClient" in str(caught.value)

    @pytest.mark.parametrize("http", [object(), "https://proxy", 7, False, httpx, httpx.Limits()])
    @pytest.mark.parametrize("client", [JWKSClient, AsyncJWKSClient])
    def test_an_object_that_is_not_a_client_is_refused(
        self, idp: FakeProvider, client: Callable[..., Any], http: object
    ) -> None:
        """Both clients refuse an object that cannot build and send requests."""
        with pytest.raises(ConfigurationError) as caught:
            client(idp.provider, http=http)
        assert caught.value.field == "http"


class TestMocks:
    def test_respx_mocks_the_library_s_own_client(self, drive: Driver, idp: FakeProvider) -> None:
        """respx mocks the library's own client, so its users need not inject one."""
        with respx.mock() as mock:
            route = mock.get(idp.jwks_url).respond(json=idp.jwks())
            drive.client(idp.provider, clock=idp.clock)
            assert drive.verify(idp.issue(sub="u1")).subject == "u1"
            assert route.call_count == 1
            route.respond(503, headers={"Retry-After": "60"})
            with pytest.raises(KeysUnavailableError) as caught:
                drive.refresh()
            assert caught.value.retry_after == 60
            route.mock(side_effect=httpx.ConnectTimeout)
            with pytest.raises(KeysUnavailableError) as caught:
                drive.refresh()
            assert caught.value.code == "fetch_timeout"

    @pytest.mark.parametrize("encoding", [None, "gzip", "identity"])
    def test_responses_that_were_read_already_are_used_as_they_are(
        self, drive: Driver, injected: Injected, idp: FakeProvider, encoding: str | None
    ) -> None:
        """A ``MockTransport`` gives whole, decoded responses, which are used as they are."""
        body = json.dumps(idp.jwks()).encode()
        headers = {} if encoding is None else {"Content-Encoding": encoding}

        def answer(request: httpx.Request) -> httpx.Response:
            sent = gzip.compress(body) if encoding == "gzip" else body
            return httpx.Response(200, content=sent, headers=headers)

        http = injected.open(httpx, transport=httpx.MockTransport(answer))
        drive.client(idp.provider, http=http, clock=idp.clock)
        assert drive.verify(idp.issue(sub="u1")).subject == "u1"

    def test_the_limit_applies_to_responses_that_were_read_already(
        self, drive: Driver, injected: Injected, idp: FakeProvider
    ) -> None:
        """``max_body`` applies to a response that was read already."""
        body = json.dumps(idp.jwks()).encode()
        answer = lambda request: httpx.Response(200, content=body)
        http = injected.open(httpx, transport=httpx.MockTransport(answer))
        drive.client(idp.provider, http=http, fetch=FetchPolicy(max_body=len(body)))
        assert len(drive.keys()) == 1
        drive.client(idp.provider, http=http, fetch=FetchPolicy(max_body=len(body) - 1))
        with pytest.raises(KeysUnavailableError) as caught:
            drive.keys()
        assert caught.value.code == "bad_key_set"

    def test_a_mock_s_redirect_is_not_followed(
        self, drive: Driver, injected: Injected, idp: FakeProvider
    ) -> None:
        """A mock's redirect is not followed, even by a client that follows redirects."""
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(302, headers={"Location": "https://elsewhere.test/jwks"})

        http = injected.open(httpx, transport=httpx.MockTransport(answer), follow_redirects=True)
        drive.client(idp.provider, http=http)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.keys()
        assert caught.value.code == "fetch_failed"
        assert asked == [idp.jwks_url]


class TestLoops:
    """The async client is not tied to one event loop."""

    def test_one_loop_after_another(self, served: FakeProvider) -> None:
        """One client serves ``asyncio.run`` after ``asyncio.run``, and fetches in each."""
        client = AsyncJWKSClient(served.provider, clock=served.clock)
        first, second = served.issue(sub="u1"), served.issue(sub="u2")
        assert asyncio.run(client.verify(first)).subject == "u1"
        assert asyncio.run(client.verify(second)).subject == "u2"
        assert served.fetches == 1
        served.rotate()
        assert asyncio.run(client.verify(served.issue(sub="u3"))).subject == "u3"
        assert served.fetches == 2
        asyncio.run(client.aclose())

    def test_two_loops_share_a_flight(self, idp: FakeProvider) -> None:
        """Two running loops share a flight, and both verify."""
        client = AsyncJWKSClient(
            idp.provider, http=httpx.AsyncClient(transport=idp.transport), clock=idp.clock
        )

        async def story() -> None:
            with idp.hold() as held:
                here = asyncio.create_task(client.verify(idp.issue(sub="here")))
                await held.wait_async()
                there = asyncio.create_task(
                    asyncio.to_thread(asyncio.run, client.verify(idp.issue(sub="there")))
                )
                [flight] = client._flights._flying
                elsewhere = lambda: (
                    {one.get_loop() for one in flight.landed._waiting} - {flight.loop}
                )
                while not elsewhere():  # noqa: ASYNC110 (the other loop does not report that it waits)
                    await asyncio.sleep(0)
                held.release()
                assert (await here).subject == "here"
                assert (await there).subject == "there"

        asyncio.run(story())
        assert idp.fetches == 1

    def test_a_callable_of_headers_uses_no_thread_of_the_loop(self, idp: FakeProvider) -> None:
        """``headers`` may hang without taking a thread that the application needs, or delaying ``asyncio.run``."""
        names: list[str] = []

        def headers() -> dict[str, str]:
            names.append(threading.current_thread().name)
            return {"X-Vault": "secret"}

        async def story() -> None:
            async with httpx.AsyncClient(transport=idp.transport) as http:
                provider = replace(idp.provider, headers=headers)
                async with AsyncJWKSClient(provider, http=http, clock=idp.clock) as client:
                    await client.verify(idp.issue())

        asyncio.run(story())
        assert names == [f"jwks-client {idp.provider.name}"]

    def test_a_run_that_ends_during_a_flight_loses_the_flight(self, idp: FakeProvider) -> None:
        """``asyncio.run`` cancels a remaining flight at its end, and the next run fetches again."""
        client = AsyncJWKSClient(
            idp.provider, http=httpx.AsyncClient(transport=idp.transport), clock=idp.clock
        )
        token = idp.issue()

        async def leave() -> None:
            waiting = asyncio.create_task(client.verify(token))
            await held.wait_async()
            assert not waiting.done()

        with idp.hold() as held:
            asyncio.run(leave())
        assert asyncio.run(client.verify(token)).subject == "u1"
        assert idp.fetches == 2

    def test_a_loop_closed_during_a_flight_loses_the_flight(
        self, idp: FakeProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A closed loop loses its flight, and a new loop verifies at once."""
        client = AsyncJWKSClient(
            idp.provider, http=httpx.AsyncClient(transport=idp.transport), clock=idp.clock
        )
        token = idp.issue()

        async def something_shorter() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.verify(token)
            await held.wait_async()

        loop = asyncio.new_event_loop()
        with idp.hold() as held:
            loop.run_until_complete(something_shorter())
            loop.close()
            # The provider is still silent, but the lost flight does not count: another is begun.
            new = asyncio.new_event_loop()
            verifying = new.create_task(client.verify(token))
            new.run_until_complete(held.wait_async(2))
            held.release()
            assert new.run_until_complete(verifying).subject == "u1"
        new.run_until_complete(client.aclose())
        new.close()
        assert client.health()["issuer.test"].state == "fresh"

        # The lost flight, with everything that it refers to, is not kept for the life of the client.
        lost = weakref.ref(loop)
        del loop
        gc.collect()
        assert lost() is None
        caplog.clear()  # asyncio logs that the lost task was pending

    def test_a_client_made_in_one_loop_and_closed_in_another(self, served: FakeProvider) -> None:
        """Neither making nor closing a client needs the loop in which it fetched."""

        async def make() -> AsyncJWKSClient:
            client = AsyncJWKSClient(served.provider, clock=served.clock)
            await client.verify(served.issue())
            return client

        client = asyncio.run(make())
        asyncio.run(client.aclose())

        async def after() -> str:
            served.rotate()
            with pytest.raises(KeysUnavailableError) as caught:
                await client.refresh()
            return caught.value.code

        assert asyncio.run(after()) == "fetch_failed"


class TestCancellation:
    """A flight belongs to no request, so a cancelled caller cancels nothing."""

    def run(self, idp: FakeProvider, story: Callable[[AsyncJWKSClient], Any]) -> None:
        async def within() -> None:
            async with httpx.AsyncClient(transport=idp.transport) as http:
                async with AsyncJWKSClient(idp.provider, http=http, clock=idp.clock) as client:
                    await story(client)

        asyncio.run(within())

    def test_a_cancelled_leader_fails_no_follower(self, idp: FakeProvider) -> None:
        """The caller that began a flight is cancelled; waiting callers get its keys, from the same fetch."""

        async def story(client: AsyncJWKSClient) -> None:
            with idp.hold() as held:
                leader = asyncio.create_task(client.verify(idp.issue(sub="leader")))
                await held.wait_async()
                followers = [
                    asyncio.create_task(client.verify(idp.issue(sub=f"u{n}"))) for n in range(50)
                ]
                await asyncio.sleep(0)  # each of them now waits
                leader.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await leader
                assert not any(one.done() for one in followers)
                held.release()
                verified = await asyncio.gather(*followers)
            assert [one.subject for one in verified] == [f"u{n}" for n in range(50)]
            assert idp.fetches == 1

        self.run(idp, story)

    def test_a_leader_that_runs_out_of_time(self, idp: FakeProvider) -> None:
        """A caller's own time limit ends its wait with its own TimeoutError, and nothing else."""

        async def story(client: AsyncJWKSClient) -> None:
            with idp.hold() as held:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await client.verify(idp.issue())
                follower = asyncio.create_task(client.verify(idp.issue(sub="u2")))
                await held.wait_async()
                held.release()
                assert (await follower).subject == "u2"
            assert idp.fetches == 1

        self.run(idp, story)

    def test_a_task_group_that_fails(self, idp: FakeProvider) -> None:
        """Tasks that are cancelled while another token is refused leave the flight to others."""

        async def story(client: AsyncJWKSClient) -> None:
            with idp.hold() as held:
                outside = asyncio.create_task(client.verify(idp.issue(sub="outside")))
                with pytest.raises(ExceptionGroup) as caught:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(client.verify(idp.issue(sub="inside")))
                        await held.wait_async()
                        group.create_task(client.verify("no.token"))
                assert caught.group_contains(TokenError)
                held.release()
                assert (await outside).subject == "outside"
            assert idp.fetches == 1

        self.run(idp, story)

    def test_a_cancelled_flight_is_begun_again(self, idp: FakeProvider) -> None:
        """If a flight's own task is cancelled, waiting callers begin another flight and are served."""

        async def story(client: AsyncJWKSClient) -> None:
            with idp.hold() as held:
                waiting = asyncio.create_task(client.verify(idp.issue()))
                await held.wait_async()
                (flight,) = (
                    one for one in asyncio.all_tasks() if one.get_name().startswith("jwks-client")
                )
                flight.cancel()
                await held.wait_async(2)
                held.release()
                assert (await waiting).subject == "u1"
            assert idp.fetches == 2
            assert client.health()["issuer.test"].last_failure is None

        self.run(idp, story)

    def test_a_flight_does_not_run_in_its_leader_s_context(self, idp: FakeProvider) -> None:
        """A fetch does not see the context variables of the request that began it."""
        request = contextvars.ContextVar("request", default="nobody's")
        seen: list[str] = []

        async def story(client: AsyncJWKSClient) -> None:
            client._http.event_hooks = {"request": [note]}  # type: ignore[union-attr]
            request.set("the leader's")
            await client.verify(idp.issue())

        async def note(_: httpx.Request) -> None:
            seen.append(request.get())

        self.run(idp, story)
        assert seen == ["nobody's"]
