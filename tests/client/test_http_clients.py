"""HTTP clients of the application's own, and event loops that come and go."""

import asyncio
import contextvars
import gc
import gzip
import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import httpx2
import pytest
import respx
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
from jwks_client.testing import FakeProvider

VENDORS = pytest.mark.parametrize("vendor", [httpx, httpx2], ids=["httpx", "httpx2"])


@pytest.fixture
def served(idp: FakeProvider) -> Iterator[FakeProvider]:
    """A provider on real loopback HTTP."""
    with idp.serve():
        yield idp


class Injected:
    """Makes HTTP clients for a driver, as an application would, and closes them at the end."""

    def __init__(self, drive: Driver) -> None:
        self._drive = drive
        self._made: list[Any] = []

    def open(self, vendor: Any, **settings: Any) -> Any:
        """A client of the kind that the driver's own client takes."""
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
    """HTTP clients made for one test."""
    made = Injected(drive)
    yield made
    drive.settle()
    made.close()


class TestInjected:
    @VENDORS
    def test_it_is_what_asks(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """A client of httpx or of httpx2 fetches, with its own settings and our headers."""
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
        """A new key is found, a failure is ours whichever vendor's exceptions it came from."""
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

    @VENDORS
    def test_the_library_s_time_limits_hold_on_it(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """A client without a timeout of its own does not make a fetch last for ever."""
        served.fail("hang")
        policy = FetchPolicy(attempt_timeout=0.3, deadline=60, retries=0)
        drive.client(served, http=injected.open(vendor, timeout=None), fetch=policy)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.start("keys").result(PATIENCE)
        assert caught.value.code == "fetch_timeout"
        drive.settle()

    @VENDORS
    def test_the_library_s_connect_limit_holds_on_it(
        self, drive: Driver, injected: Injected, idp: FakeProvider, vendor: Any
    ) -> None:
        """As above, where no connection comes about."""
        policy = FetchPolicy(connect_timeout=0.3, attempt_timeout=60, deadline=60, retries=0)
        with crowded() as url:
            provider = replace(idp.provider, jwks_url=url)
            drive.client(provider, http=injected.open(vendor, timeout=None), fetch=policy)
            with pytest.raises(KeysUnavailableError) as caught:
                drive.start("keys").result(PATIENCE)
            assert caught.value.code == "fetch_timeout"
            drive.settle()

    @VENDORS
    def test_the_library_s_deadline_holds_on_it(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """As above, where only the deadline is near."""
        served.fail("hang")
        policy = FetchPolicy(attempt_timeout=60, deadline=0.5)
        drive.client(served, http=injected.open(vendor, timeout=None), fetch=policy)
        with pytest.raises(KeysUnavailableError) as caught:
            drive.start("keys").result(PATIENCE)
        assert caught.value.code == "fetch_timeout"
        drive.settle()

    @VENDORS
    def test_it_stays_open(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """It is the caller's: neither a fetch, nor a failure, nor closing our client closes it."""
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
    def test_once_closed_it_fails_as_a_fetch(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """An application that closes it early gets our error from then on."""
        http = injected.open(vendor)
        drive.client(served, http=http)
        injected.close()
        with pytest.raises(KeysUnavailableError) as caught:
            drive.verify(served.issue())
        assert caught.value.code == "fetch_failed"
        assert isinstance(caught.value.__cause__, RuntimeError)

    @VENDORS
    def test_its_connection_is_given_back(
        self, drive: Driver, injected: Injected, served: FakeProvider, vendor: Any
    ) -> None:
        """An answer that is not read to its end is closed: a pool of one serves the next fetch."""
        http = injected.open(vendor, limits=vendor.Limits(max_connections=1))
        drive.client(served, http=http, fetch=FetchPolicy(max_body=10))
        with pytest.raises(KeysUnavailableError) as caught:
            drive.keys()
        assert caught.value.code == "bad_key_set"
        drive.client(served, http=http, fetch=FetchPolicy(attempt_timeout=1, retries=0))
        assert len(drive.keys()) == 1

    def test_what_it_raises_is_never_let_out(self, drive: Driver, idp: FakeProvider) -> None:
        """A custom client may raise anything: the caller sees ``fetch_failed``, and no text of it."""

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
    def test_its_responses_are_closed(self, drive: Driver, idp: FakeProvider, body: str) -> None:
        """Whatever became of an answer, it is closed by us and not left to the collector."""
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

    def test_a_falsy_client_is_a_client(self, drive: Driver, idp: FakeProvider) -> None:
        """Only None stands for none: one that counts as false is used all the same."""

        class Pool(httpx.Client if drive.kind == "sync" else httpx.AsyncClient):  # type: ignore[misc]
            def __len__(self) -> int:
                return 0

        http = drive._call(Pool, (), {"transport": idp.transport})
        drive._http.append(http)
        drive.client(idp, http=http)
        assert drive.verify(idp.issue()).subject == "u1"


class TestWrongKind:
    @pytest.mark.parametrize("http", [httpx.AsyncClient, httpx2.AsyncClient])
    def test_the_sync_client_cannot_await(self, idp: FakeProvider, http: Callable[[], Any]) -> None:
        """An async HTTP client is refused when the client is made, by the setting's name."""
        with pytest.raises(ConfigurationError) as caught:
            JWKSClient(idp.provider, http=http())
        assert caught.value.field == "http"
        assert "http" in str(caught.value)
        assert "httpx.Client" in str(caught.value)

    @pytest.mark.parametrize("make", [httpx.Client, httpx2.Client])
    def test_the_async_client_does_not_block(
        self, idp: FakeProvider, make: Callable[[], Any]
    ) -> None:
        """A sync HTTP client, which would block the event loop, likewise."""
        with make() as http, pytest.raises(ConfigurationError) as caught:
            AsyncJWKSClient(idp.provider, http=http)
        assert caught.value.field == "http"
        assert "httpx.AsyncClient" in str(caught.value)

    @pytest.mark.parametrize("http", [object(), "https://proxy", 7, False, httpx, httpx.Limits()])
    @pytest.mark.parametrize("client", [JWKSClient, AsyncJWKSClient])
    def test_what_is_no_client_at_all(
        self, idp: FakeProvider, client: Callable[..., Any], http: object
    ) -> None:
        """Anything that cannot build and send requests is refused by both."""
        with pytest.raises(ConfigurationError) as caught:
            client(idp.provider, http=http)
        assert caught.value.field == "http"


class TestMocks:
    def test_respx(self, drive: Driver, idp: FakeProvider) -> None:
        """Users who mock httpx with respx need nothing injected: our own client is mocked too."""
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
    def test_answers_that_are_read_whole_already(
        self, drive: Driver, injected: Injected, idp: FakeProvider, encoding: str | None
    ) -> None:
        """A ``MockTransport`` hands over whole answers, decoded ones too: taken as they are."""
        body = json.dumps(idp.jwks()).encode()
        headers = {} if encoding is None else {"Content-Encoding": encoding}

        def answer(request: httpx.Request) -> httpx.Response:
            sent = gzip.compress(body) if encoding == "gzip" else body
            return httpx.Response(200, content=sent, headers=headers)

        http = injected.open(httpx, transport=httpx.MockTransport(answer))
        drive.client(idp.provider, http=http, clock=idp.clock)
        assert drive.verify(idp.issue(sub="u1")).subject == "u1"

    def test_the_limit_holds_for_them_too(
        self, drive: Driver, injected: Injected, idp: FakeProvider
    ) -> None:
        """``max_body`` is judged on what was handed over."""
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
        """Nor by a client that follows them for everybody else."""
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
    """Nothing of the async client is tied to one event loop."""

    def test_one_loop_after_another(self, served: FakeProvider) -> None:
        """One client serves ``asyncio.run`` after ``asyncio.run``, fetching in each."""
        client = AsyncJWKSClient(served.provider, clock=served.clock)
        first, second = served.issue(sub="u1"), served.issue(sub="u2")
        assert asyncio.run(client.verify(first)).subject == "u1"
        assert asyncio.run(client.verify(second)).subject == "u2"
        assert served.fetches == 1
        served.rotate()
        assert asyncio.run(client.verify(served.issue(sub="u3"))).subject == "u3"
        assert served.fetches == 2
        asyncio.run(client.aclose())

    def test_two_loops_at_once(self, idp: FakeProvider) -> None:
        """Two loops that run share a flight, and both verify."""
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
                while not elsewhere():  # noqa: ASYNC110 (the other loop tells nobody that it waits)
                    await asyncio.sleep(0)
                held.release()
                assert (await here).subject == "here"
                assert (await there).subject == "there"

        asyncio.run(story())
        assert idp.fetches == 1

    def test_a_run_that_ends_in_mid_flight(self, idp: FakeProvider) -> None:
        """``asyncio.run`` cancels what is left when it ends: the next run fetches anew."""
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

    def test_a_loop_closed_in_mid_flight(
        self, idp: FakeProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A loop that is closed under a flight takes it along; a new loop verifies at once."""
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
            # The provider is still silent, but the lost flight is nobody's: another is begun.
            new = asyncio.new_event_loop()
            verifying = new.create_task(client.verify(token))
            new.run_until_complete(held.wait_async(2))
            held.release()
            assert new.run_until_complete(verifying).subject == "u1"
        new.run_until_complete(client.aclose())
        new.close()
        assert client.health()["issuer.test"].state == "fresh"

        # And it is not kept, with all that hangs on it, for as long as the client lives.
        lost = weakref.ref(loop)
        del loop
        gc.collect()
        assert lost() is None
        caplog.clear()  # asyncio says of the lost task that it was pending

    def test_a_client_made_in_one_loop_and_closed_in_another(self, served: FakeProvider) -> None:
        """Neither making nor closing it needs the loop in which it fetched."""

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
    """A flight is nobody's request: whoever is cancelled cancels nothing."""

    def run(self, idp: FakeProvider, story: Callable[[AsyncJWKSClient], Any]) -> None:
        async def within() -> None:
            async with httpx.AsyncClient(transport=idp.transport) as http:
                async with AsyncJWKSClient(idp.provider, http=http, clock=idp.clock) as client:
                    await story(client)

        asyncio.run(within())

    def test_a_cancelled_leader_fails_no_follower(self, idp: FakeProvider) -> None:
        """Who began the flight goes away; who waits gets its keys, from the same one fetch."""

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
        """The caller's own time limit ends its waiting, as TimeoutError of its own, no more."""

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
        """Siblings cancelled by a bad token leave the flight to others."""

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

    def test_a_cancelled_flight_is_no_flight(self, idp: FakeProvider) -> None:
        """Should the flight's own task be cancelled, who waits begins another and is served."""

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

    def test_a_flight_has_no_context_of_its_leader(self, idp: FakeProvider) -> None:
        """What a request set in its context is not seen by the fetch that it happened to begin."""
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
