"""The three ways to a `FakeProvider` behave alike: httpx transport, ASGI app, loopback HTTP."""

import asyncio
import gc
import http.client
import socket
import threading
from contextlib import suppress

import httpx
import pytest
from driver import NO_TLS

from jwks_client.testing import FakeProvider

KEYS = "/.well-known/jwks.json"
OIDC = "/.well-known/openid-configuration"
RFC_8414 = "/.well-known/oauth-authorization-server"


class Wire:
    """A way to send requests to a provider."""

    def __init__(self, kind, idp):
        self.kind = kind
        self.idp = idp

    def ask(self, path, method="GET", base=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = {"method": method, "url": (base or self.idp.base_url) + path, "headers": headers}
        if self.kind in ("served", "transport"):
            transport = self.idp.transport if self.kind == "transport" else None
            settings = {"transport": transport, "trust_env": False, "verify": NO_TLS}
            with httpx.Client(**settings, timeout=10) as client:
                return client.request(**request)
        transport = self.idp.transport
        if self.kind == "app":
            transport = httpx.ASGITransport(self.idp.app)

        async def ask():
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(**request)

        return asyncio.run(ask())


@pytest.fixture(params=["transport", "async transport", "app", "served"])
def wire(request, idp):
    """Return each way to reach ``idp``."""
    if request.param == "served":
        with idp.serve():
            yield Wire(request.param, idp)
    else:
        yield Wire(request.param, idp)


class Asked:
    """Calls that run in threads, and the list to which each outcome (a value or an error) is added."""

    def __init__(self, *calls):
        self.outcomes = []
        self._threads = [threading.Thread(target=self._run, args=(call,)) for call in calls]
        for thread in self._threads:
            thread.start()

    def _run(self, call):
        try:
            self.outcomes.append(call())
        except Exception as error:
            self.outcomes.append(error)

    def wait_on(self):
        """Return whether all are still without an outcome, a moment later."""
        self._threads[0].join(0.05)
        return all(thread.is_alive() for thread in self._threads)

    def ended(self):
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a request is not answered"
        return self.outcomes


def threads_of_servers():
    return [one.name for one in threading.enumerate() if one.name.startswith("fake-provider")]


# Served documents.


def test_the_key_set_is_served(wire):
    """The published key set is served under its own media type, with its length."""
    answer = wire.ask(KEYS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.json() == wire.idp.jwks()
    wire.idp.rotate()
    assert wire.ask(KEYS).json() == wire.idp.jwks()


@pytest.mark.parametrize("path", [OIDC, RFC_8414])
def test_the_metadata_name_the_key_set(wire, path):
    """Discovery, by OpenID Connect or RFC 8414, names issuer and key set."""
    answer = wire.ask(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["issuer"] == wire.idp.issuer
    assert answer.json()["jwks_uri"] == wire.idp.jwks_url
    assert wire.ask(answer.json()["jwks_uri"].removeprefix(wire.idp.base_url)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/jwks.json", "/.well-known", KEYS + "/", "/x" + KEYS])
def test_other_paths_are_not_found(wire, path):
    """A wrong path is 404, so a wrong URL is noticed."""
    assert wire.ask(path).status_code == 404
    assert wire.idp.fetches == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "DELETE"])
def test_only_get_is_answered(wire, method):
    """Another method is 405, and does not count as a fetch."""
    answer = wire.ask(KEYS, method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert wire.idp.fetches == 0


def test_a_query_changes_nothing(wire):
    """The path decides, whatever the query is."""
    assert wire.ask(KEYS + "?fresh=1").status_code == 200
    assert wire.idp.requests[0].path == KEYS


def test_documents_are_under_the_path_of_the_issuer():
    """The documents of an issuer with a path are where OpenID Connect and RFC 8414 place them."""
    idp = FakeProvider(issuer="https://issuer.test/t/1/", algorithm="ES256")
    wire = Wire("transport", idp)
    for path in ("/t/1" + KEYS, "/t/1" + OIDC, RFC_8414 + "/t/1"):
        assert wire.ask(path, base="https://issuer.test").status_code == 200
    for path in (KEYS, OIDC, RFC_8414, "/t/1" + RFC_8414, "/t/1/" + KEYS):
        assert wire.ask(path, base="https://issuer.test").status_code == 404


def test_requests_are_recorded_and_counted(wire):
    """Requests can be inspected, with header names in lower case; a fetch is a GET of the key set."""
    wire.ask(OIDC)
    wire.ask(KEYS, X_Trace="t1")
    wire.ask("/nowhere")
    assert [(one.method, one.path) for one in wire.idp.requests] == [
        ("GET", OIDC),
        ("GET", KEYS),
        ("GET", "/nowhere"),
    ]
    assert wire.idp.requests[1].headers["x-trace"] == "t1"
    assert wire.idp.fetches == 1


def test_a_record_cannot_be_changed(idp):
    """A returned record is a copy with frozen entries."""
    Wire("transport", idp).ask(KEYS)
    idp.requests.clear()
    [record] = idp.requests
    with pytest.raises(AttributeError):
        record.path = "/"


def test_the_answer_may_have_custom_headers(wire):
    """`answer_headers` are sent with the key set, over the usual ones, and with no other document."""
    wire.idp.answer_headers = {"Cache-Control": "max-age=60"}
    wire.idp.answer_headers["Content-Type"] = "text/plain"
    answer = wire.ask(KEYS)
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["content-type"] == "text/plain"
    assert answer.json() == wire.idp.jwks()
    assert "cache-control" not in wire.ask(OIDC).headers
    wire.idp.fail(503)
    assert "cache-control" not in wire.ask(KEYS).headers


@pytest.mark.parametrize(
    ("etag", "asked", "status"),
    [
        ('"a"', '"a"', 304),
        ('"a"', 'W/"a"', 304),
        ('W/"a"', '"a"', 304),
        ('"a"', '"b", "a"', 304),
        ('"a"', "*", 304),
        ('"a"', '"b"', 200),
        ('"a"', "a", 200),
    ],
)
def test_an_etag_is_compared(wire, etag, asked, status):
    """A request that names the ETag gets 304 without a body (RFC 9110, section 13.1.2)."""
    wire.idp.answer_headers = {"ETag": etag, "Cache-Control": "max-age=60"}
    answer = wire.ask(KEYS, If_None_Match=asked)
    assert answer.status_code == status
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, "max-age=60")
    assert bool(answer.content) == (status == 200)


def test_a_date_is_compared():
    """Last-Modified works in the same way, unless an ETag is sent (RFC 9110, section 13.1.3)."""
    idp = FakeProvider(algorithm="ES256")
    wire = Wire("transport", idp)
    then, later = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"
    assert wire.ask(KEYS, If_Modified_Since=then).status_code == 200
    assert wire.ask(KEYS, If_None_Match="*").status_code == 200
    idp.answer_headers = {"Last-Modified": then}
    assert wire.ask(KEYS, If_Modified_Since=then).status_code == 304
    assert wire.ask(KEYS, If_Modified_Since=later).status_code == 200
    assert wire.ask(KEYS, If_Modified_Since=then, If_None_Match='"a"').status_code == 200


# Failure.


@pytest.mark.parametrize("path", [KEYS, OIDC])
@pytest.mark.parametrize("status", [200, 301, 404, 410, 429, 500, 503])
def test_fail_with_a_status(wire, path, status):
    """Key set and metadata are answered with the status and a small JSON body, until recover."""
    wire.idp.fail(status, headers={"Retry-After": "7"})
    answer = wire.ask(path)
    assert answer.status_code == status
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json(), dict)
    assert wire.idp.fetches == (path == KEYS)
    wire.idp.recover()
    assert wire.ask(path).status_code == 200


def test_a_status_without_a_body_has_none(wire):
    """204 and 304 have no body (RFC 9110, section 6.4.1)."""
    for status in (204, 304):
        wire.idp.fail(status)
        answer = wire.ask(KEYS)
        assert (answer.status_code, answer.content) == (status, b"")
        assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("how", "content_type", "body"),
    [
        ("empty", "application/jwk-set+json", b'{"keys": []}'),
        ("html", "text/html; charset=utf-8", None),
        (b"\xff{", "application/jwk-set+json", b"\xff{"),
        (b"", "application/jwk-set+json", b""),
    ],
)
def test_fail_with_a_body(wire, how, content_type, body):
    """Key set and metadata are answered 200 with another body: no keys, a page, any bytes."""
    wire.idp.fail(how)
    answer = wire.ask(KEYS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.content == body if body is not None else answer.content.startswith(b"<!doctype")


@pytest.mark.parametrize("how", [httpx.ConnectError, OSError, ValueError("mine")])
def test_fail_with_an_exception(wire, how):
    """An exception comes out of transport and app; the server ends the connection without a response."""
    wire.idp.fail(how)
    kind = how if isinstance(how, type) else type(how)
    kind = httpx.RemoteProtocolError if wire.kind == "served" else kind
    for _ in range(2):
        with pytest.raises(kind) as caught:
            wire.ask(KEYS)
        assert wire.kind == "served" or isinstance(how, type) or caught.value is how
    assert wire.idp.fetches == 2


def test_fail_for_one_document(wire):
    """`only` leaves the other documents unaffected."""
    wire.idp.fail(404, only="openid-configuration")
    assert wire.ask(OIDC).status_code == 404
    assert wire.ask(RFC_8414).status_code == wire.ask(KEYS).status_code == 200
    wire.idp.fail(410, only="jwks.json")
    assert wire.ask(OIDC).status_code == 200
    assert wire.ask(KEYS).status_code == 410


@pytest.mark.parametrize("how", ["down", 99, 600, None, KeyboardInterrupt, 5.0, object])
def test_an_unknown_failure_is_refused(idp, how):
    """A wrong failure is an error at once, and the provider does not fail."""
    with pytest.raises(ValueError, match="how must be"):
        idp.fail(how)
    assert Wire("transport", idp).ask(KEYS).status_code == 200


def test_an_unknown_document_is_refused(idp):
    """A wrong document is an error at once that names the existing ones."""
    with pytest.raises(ValueError, match=r"jwks\.json"):
        idp.fail(503, only="keys")
    with pytest.raises(ValueError, match=r"jwks\.json"), idp.hold(only=KEYS):
        pass


# Hanging.


def test_a_hanging_request_ends_with_recover(wire):
    """A hanging request counts as a fetch, gets no response, and ends when the provider recovers."""
    wire.idp.fail("hang")
    with wire.idp.hold() as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
    assert asked.wait_on()  # it does not wait for the end of the hold
    assert wire.idp.fetches == 1
    wire.idp.recover()
    [error] = asked.ended()
    expected = {"app": ConnectionAbortedError, "served": httpx.RemoteProtocolError}
    assert type(error) is expected.get(wire.kind, httpx.ReadTimeout)
    assert wire.ask(KEYS).status_code == 200


def test_a_hanging_request_outlives_another_failure(idp):
    """Only recover ends a hanging request, even if the provider fails otherwise by then."""
    wire = Wire("transport", idp)
    idp.fail("hang")
    with idp.hold() as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
    idp.fail(503)
    assert wire.ask(KEYS).status_code == 503
    assert asked.wait_on()
    idp.recover()
    assert type(asked.ended()[0]) is httpx.ReadTimeout


@pytest.mark.parametrize("how", ["hang", "hold"])
def test_a_transport_waits_as_long_as_the_request_s_read_timeout(idp, how):
    """The request's own timeout ends it, as on the wire, without a test's help."""
    timeout = httpx.Timeout(10, read=0.02)

    async def ask():
        async with httpx.AsyncClient(transport=idp.transport, timeout=timeout) as client:
            await client.get(idp.jwks_url)

    with idp.hold():
        if how == "hang":
            idp.fail("hang")
        with (
            httpx.Client(transport=idp.transport, timeout=timeout) as client,
            pytest.raises(httpx.ReadTimeout) as caught,
        ):
            client.get(idp.jwks_url)
        assert caught.value.request.url == idp.jwks_url
        with pytest.raises(httpx.ReadTimeout):
            asyncio.run(ask())
    assert idp.fetches == 2


def test_the_loop_runs_on_while_requests_hang(idp):
    """Hanging asyncio requests block no loop and no thread, and can be cancelled."""
    idp.fail("hang")

    async def story():
        threads = threading.active_count()
        async with httpx.AsyncClient(transport=idp.transport, timeout=None) as client:
            with idp.hold() as held:
                tasks = [asyncio.create_task(client.get(idp.jwks_url)) for _ in range(50)]
                await held.wait_async(50)
            done, _ = await asyncio.wait(tasks, timeout=0.05)
            assert not done
            assert threading.active_count() == threads
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            idp.recover()
            return await asyncio.gather(*tasks[1:], return_exceptions=True)

    outcomes = asyncio.run(story())
    assert [type(one) for one in outcomes] == [httpx.ReadTimeout] * 49


def test_a_closed_loop_disturbs_no_other(idp):
    """A request of a closed loop does not disturb later ones."""
    loop = asyncio.new_event_loop()
    request = httpx.Request("GET", idp.jwks_url)
    with idp.hold() as held:
        asking = idp.transport.handle_async_request(request)
        task = loop.create_task(asking)
        loop.run_until_complete(held.wait_async())
        loop.close()
        later = Asked(lambda: Wire("transport", idp).ask(KEYS))
        held.wait(2)
    assert later.ended()[0].status_code == 200
    asking.close()
    task._log_destroy_pending = False


# Held requests.


def test_a_held_request_is_answered_when_released(wire):
    """A test can wait for a request's arrival, and release its response at any time."""
    with wire.idp.hold() as held:
        assert (held.arrived, repr(held)) == (0, "<Hold holding, 0 arrived>")
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
        assert held.arrived == 1
        assert asked.wait_on()
        held.release()
        held.release()
        assert asked.ended()[0].status_code == 200
    assert repr(held) == "<Hold released, 1 arrived>"


def test_a_held_response_is_that_of_the_moment_of_arrival(wire):
    """A change after the arrival does not affect a held response, as on a slow network."""
    before = wire.idp.jwks()
    with wire.idp.hold() as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
        wire.idp.rotate()
        wire.idp.fail(503)
        wire.idp.answer_headers["x-late"] = "1"
    [answer] = asked.ended()
    assert answer.json() == before
    assert "x-late" not in answer.headers


def test_a_failure_can_be_held(wire):
    """A failure at the moment of arrival is held too, even if the provider recovers before its release."""
    wire.idp.fail(503)
    with wire.idp.hold() as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
        wire.idp.recover()
        assert asked.wait_on()
    assert asked.ended()[0].status_code == 503


def test_an_exception_can_be_held(idp):
    """An exception is raised when released, not before."""
    idp.fail(httpx.ConnectError)
    with idp.hold() as held:
        asked = Asked(lambda: Wire("transport", idp).ask(KEYS))
        held.wait()
        assert asked.wait_on()
    assert type(asked.ended()[0]) is httpx.ConnectError


def test_the_end_of_the_block_releases(wire):
    """A test that fails while it holds leaves no request waiting."""
    asked = None
    with pytest.raises(KeyError), wire.idp.hold() as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
        raise KeyError
    assert asked.ended()[0].status_code == 200
    assert wire.ask(KEYS).status_code == 200


def test_requests_after_a_release_are_not_held(idp):
    """A hold ends with its release, within its block too, and counts no more requests."""
    with idp.hold() as held:
        held.release()
        assert Wire("transport", idp).ask(KEYS).status_code == 200
        assert held.arrived == 0


def test_several_can_be_waited_for(idp):
    """A test can wait for many requests, those that have already arrived included."""
    wire = Wire("transport", idp)
    with idp.hold() as held:
        asked = Asked(*[lambda: wire.ask(KEYS)] * 5)
        held.wait(5)
        held.wait(2)
        assert held.arrived == 5
    assert [one.status_code for one in asked.ended()] == [200] * 5


def test_waiting_in_vain_fails_the_test(idp):
    """A test that waits in vain fails and gives the number of arrivals, in threads and in asyncio."""
    with idp.hold() as held:
        asked = Asked(lambda: Wire("transport", idp).ask(KEYS))
        held.wait()
        with pytest.raises(AssertionError, match="1 of 2 requests"):
            held.wait(2, within=0.01)
        with pytest.raises(AssertionError, match="1 of 2 requests"):
            asyncio.run(held.wait_async(2, within=0.01))
    asked.ended()


def test_holds_can_be_nested(idp):
    """Of two requests, the younger can be released before the older one."""
    wire = Wire("transport", idp)
    with idp.hold() as first:
        older = Asked(lambda: wire.ask(KEYS))
        first.wait()
        idp.rotate()
        with idp.hold() as second:
            younger = Asked(lambda: wire.ask(KEYS))
            second.wait()
            assert (first.arrived, second.arrived) == (1, 1)
        assert len(younger.ended()[0].json()["keys"]) == 2
        assert older.outcomes == []
        third = Asked(lambda: wire.ask(KEYS))  # the older hold is still in force
        first.wait(2)
        assert third.outcomes == []
    assert len(older.ended()[0].json()["keys"]) == 1
    assert len(third.ended()[0].json()["keys"]) == 2


def test_one_document_can_be_held(idp):
    """`only` lets the requests for other documents pass, and does not count them."""
    wire = Wire("transport", idp)
    with idp.hold(only="jwks.json") as held:
        asked = Asked(lambda: wire.ask(KEYS))
        held.wait()
        assert wire.ask(OIDC).status_code == 200
        assert (held.arrived, asked.outcomes) == (1, [])
    assert asked.ended()[0].status_code == 200


def test_tasks_can_be_held(idp):
    """In asyncio a test awaits the arrival, on the loop of the request."""

    async def story():
        async with httpx.AsyncClient(transport=idp.transport) as client:
            with idp.hold() as held:
                tasks = [asyncio.create_task(client.get(idp.jwks_url)) for _ in range(3)]
                await held.wait_async(3)
                assert not any(task.done() for task in tasks)
                held.release()
                return await asyncio.gather(*tasks)

    assert [one.status_code for one in asyncio.run(story())] == [200] * 3


# The transport alone.


def test_the_transport_answers_for_any_host(idp):
    """The path decides, so a client may have the URL of a real provider."""
    answer = Wire("transport", idp).ask(KEYS, base="https://login.example.com")
    assert answer.json() == idp.jwks()


def test_the_body_is_streamed(idp):
    """A body is read as from a connection: raw, once, in pieces."""
    idp.fail(b"x" * 50_000)

    async def read():
        async with (
            httpx.AsyncClient(transport=idp.transport) as client,
            client.stream("GET", idp.jwks_url) as answer,
        ):
            assert not answer.is_stream_consumed
            return [chunk async for chunk in answer.aiter_raw()]

    with (
        httpx.Client(transport=idp.transport) as client,
        client.stream("GET", idp.jwks_url) as answer,
    ):
        assert not answer.is_stream_consumed
        chunks = list(answer.iter_raw())
    assert len(chunks) > 1
    assert chunks == asyncio.run(read())
    assert b"".join(chunks) == b"x" * 50_000


@pytest.mark.parametrize("kind", ["transport", "served"])
def test_fetches_are_counted_exactly(idp, kind):
    """64 concurrent requests of threads count as 64 fetches."""
    start = threading.Barrier(64)

    def ask():
        start.wait(10)
        return Wire(kind, idp).ask(KEYS).status_code

    with idp.serve():
        assert Asked(*[ask] * 64).ended() == [200] * 64
    assert idp.fetches == len(idp.requests) == 64


# The server alone.


def test_inside_serve_the_provider_names_the_served_url():
    """Provider, key-set URL and metadata name the served URL inside the block, and not afterwards."""
    idp = FakeProvider(algorithm="ES256")
    before = idp.provider
    with idp.serve() as base_url:
        assert base_url.startswith("http://127.0.0.1:")
        assert idp.base_url == base_url
        assert idp.provider.jwks_url == idp.jwks_url == base_url + KEYS
        assert idp.discovery_url == base_url + OIDC
        assert idp.issuer == idp.provider.issuer == "https://issuer.test"
        metadata = Wire("served", idp).ask(OIDC).json()
        assert (metadata["jwks_uri"], metadata["issuer"]) == (idp.jwks_url, "https://issuer.test")
    assert idp.provider == before


def test_without_an_issuer_the_base_url_is_the_issuer():
    """`issuer=None` makes the base URL the issuer of tokens, provider and metadata."""
    idp = FakeProvider(issuer=None, algorithm="ES256")
    with idp.serve() as base_url:
        assert idp.issuer == idp.provider.issuer == base_url
        assert Wire("served", idp).ask(OIDC).json()["issuer"] == base_url
        assert idp.provider.name == base_url.removeprefix("http://")
    assert idp.issuer == "https://issuer.test"


def test_an_issuer_with_a_path_is_served_at_the_root():
    """The served base URL has no path; a client made before still requests the issuer's path."""
    idp = FakeProvider(issuer="https://issuer.test/t/1", algorithm="ES256")
    with idp.serve():
        for path in (KEYS, OIDC, RFC_8414, "/t/1" + KEYS):
            assert Wire("served", idp).ask(path).status_code == 200


def test_a_connection_is_kept(idp):
    """One connection serves several requests, good and failing ones, until a response is withheld."""
    with idp.serve() as base_url:
        connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=10)
        for status in (200, 503, 304, 200):
            idp.recover() if status == 200 else idp.fail(status)
            connection.request("GET", KEYS)
            kept = connection.sock
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == status
            assert bool(body) == (status != 304)
            assert connection.sock is kept
        idp.fail(OSError)
        connection.request("GET", KEYS)
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()


@pytest.mark.parametrize("how", ["hang", "hold", "idle", "half a request"])
def test_a_server_leaves_nothing_behind(idp, how):
    """When the block ends, connections are shut and threads have ended, whatever they waited for."""
    with idp.hold(only="jwks.json") as held:
        with idp.serve() as base_url:
            host, _, port = base_url.removeprefix("http://").partition(":")
            line = socket.create_connection((host, int(port)), timeout=10)
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(9) == b"HTTP/1.1 "  # the connection has a thread now
            while line.recv(4096)[-1:] != b"}":
                pass
            if how == "half a request":
                line.sendall(b"GET / HTTP/1.1\r\nHost:")
            elif how != "idle":
                if how == "hang":
                    idp.fail("hang")
                line.sendall(f"GET {KEYS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                held.wait()
        with suppress(ConnectionResetError):  # what was sent was not read
            assert line.recv(1) == b""
        line.close()
        assert threads_of_servers() == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=10)
    gc.collect()  # an open socket would warn


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_refused_method_ends_the_connection(idp, method):
    """An unread body is not taken for the next request, and HEAD gets no body."""
    with idp.serve() as base_url:
        host, _, port = base_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(f"{method} {KEYS} HTTP/1.1\r\nContent-Length: 4\r\n\r\n".encode())
            answer = b""
            while chunk := line.recv(4096):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"\r\n\r\n" if method == "HEAD" else b"}")


def test_a_client_that_disconnects_is_forgotten(idp, capfd):
    """A client that disconnects before its response causes no log noise, and its thread ends."""
    with idp.serve() as base_url:
        host, _, port = base_url.removeprefix("http://").partition(":")
        with idp.hold() as held:
            line = socket.create_connection((host, int(port)), timeout=10)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
            line.sendall(f"GET {KEYS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            held.wait()
            line.close()
        assert Wire("served", idp).ask(KEYS).status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_can_be_chosen(idp):
    """`port` is where it is served; a port in use is an OSError, and nothing is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), idp.serve(port):
            pass
    assert idp.base_url == "https://issuer.test"
    with idp.serve(port) as base_url:
        assert base_url == f"http://127.0.0.1:{port}"
        assert Wire("served", idp).ask(KEYS).status_code == 200
    with idp.serve(port):
        assert Wire("served", idp).ask(KEYS).status_code == 200


def test_a_provider_is_served_once_at_a_time(idp):
    """A provider can be served once at a time; a second attempt leaves the first server unaffected."""
    with idp.serve() as base_url:
        with pytest.raises(RuntimeError, match=base_url), idp.serve():
            pass
        assert idp.base_url == base_url
        assert Wire("served", idp).ask(KEYS).status_code == 200
    assert threads_of_servers() == []


# The app alone.


def test_the_app_can_be_mounted(idp):
    """Under a mount the path below it decides."""

    async def ask():
        transport = httpx.ASGITransport(idp.app, root_path="/idp")
        async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as client:
            return await client.get("/idp" + KEYS)

    assert asyncio.run(ask()).json() == idp.jwks()


def test_the_app_runs_under_a_server(idp):
    """The app answers a server's lifespan, so the server starts and stops."""
    sent = []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(idp.app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_app_speaks_http_only(idp):
    """The app refuses a WebSocket."""
    with pytest.raises(NotImplementedError, match="websocket"):
        asyncio.run(idp.app({"type": "websocket"}, None, None))


@pytest.mark.parametrize("how", ["hang", "hold"])
def test_the_app_notices_a_disconnect(idp, how):
    """A waiting request ends when its client disconnects, and nothing is sent."""
    scope = {"type": "http", "method": "GET", "path": KEYS, "headers": [], "root_path": ""}

    async def story():
        messages = asyncio.Queue()
        await messages.put({"type": "http.request", "body": b"", "more_body": False})
        with idp.hold() as held:
            if how == "hang":
                idp.fail("hang")
            asking = asyncio.create_task(idp.app(scope, messages.get, None))
            await held.wait_async()
            await asyncio.sleep(0)
            assert not asking.done()
            await messages.put({"type": "http.disconnect"})
            async with asyncio.timeout(10):
                await asking
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(story()) == set()
