"""Both clients over real sockets, against slow, odd or hostile servers.

These promises are about real time, so real time passes: servers drip a byte each 0.3 seconds and deadlines
are short. No test measures time. A server never ends a connection by itself, so a call that returns, a
connection that is closed and a thread that ends show that a limit was kept; all other limits are far away.
"""

import gc
import gzip
import json
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from driver import Driver, is_flight
from servers import PATIENCE, Peer, Server, answering, crowded, http, serving

from jwks_client import FetchPolicy, KeysUnavailableError, Provider, __version__, providers
from jwks_client.testing import FakeProvider
from jwks_client.testing._keys.certificates import authority as kit_authority

FAR = 60  # seconds: a limit that must not be the one that counts
SHORT = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=0.8)


@pytest.fixture
def key_set(idp: FakeProvider) -> bytes:
    """Return the key set of ``idp`` as it is on the wire."""
    return json.dumps(idp.jwks()).encode()


@pytest.fixture
def authority() -> tuple[str, ssl.SSLContext]:
    """Return the kit's private CA: its file, and the TLS of a server that it trusts."""
    own = kit_authority()
    return own.ca_file, own.server_context


def at(url: str, **fields: Any) -> Provider:
    """Return a provider whose key set is at a URL."""
    return Provider(name="odd", issuer=providers.UNCHECKED, audience="api", jwks_url=url, **fields)


def failure(drive: Driver) -> KeysUnavailableError:
    """Return the error of asking the current client for keys, which must come within the test's patience."""
    with pytest.raises(KeysUnavailableError) as caught:
        drive.start("keys").result(PATIENCE)
    return caught.value


def assert_nothing_left(drive: Driver) -> None:
    """Assert that no thread, task or unclosed socket of the client is left."""
    drive.settle()
    gc.collect()  # which a ResourceWarning would report


def causes(error: BaseException) -> Iterator[BaseException]:
    """Return the exceptions behind an error, nearest first."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


class TestDeadline:
    """FetchPolicy.deadline is total, whatever the server does until then."""

    @staticmethod
    def assert_given_up(drive: Driver, server: Server, policy: FetchPolicy = SHORT) -> None:
        """Assert that the caller gets ``fetch_timeout`` and the server sees its connection closed."""
        drive.client(at(server.url), fetch=policy)
        assert failure(drive).code == "fetch_timeout"
        assert_nothing_left(drive)
        server.wait_closed()

    def test_a_dripping_head_ends_with_the_deadline(self, drive: Driver) -> None:
        """A server that sends one byte of a header each 0.3 seconds without end is abandoned at the deadline."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        with serving(script) as server:
            self.assert_given_up(drive, server)

    def test_endless_headers_end_with_the_deadline(self, drive: Driver) -> None:
        """Whole header lines without end do not extend the deadline."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n")
            while not peer.is_gone(0.1):
                peer.send(b"X-More: 1\r\n")

        with serving(script) as server:
            self.assert_given_up(drive, server)

    def test_a_dripping_body_ends_with_the_deadline(self, drive: Driver, key_set: bytes) -> None:
        """A body whose bytes each come in time still ends with the deadline."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(http(status="200 OK", Content_Length="500000"))
            peer.drip(key_set)

        with serving(script) as server:
            self.assert_given_up(drive, server)

    def test_a_silent_server_is_abandoned_at_the_deadline(self, drive: Driver) -> None:
        """A server that reads the request and never responds is abandoned at the deadline."""
        with serving(Peer.read_request) as server:
            self.assert_given_up(drive, server)
            assert len(server.requests) == 1

    def test_a_connection_that_is_neither_made_nor_refused_ends_with_the_deadline(
        self, drive: Driver
    ) -> None:
        """The caller gets its error by the deadline, and the connecting thread ends one limit later."""
        with crowded() as url:
            drive.client(at(url), fetch=replace(SHORT, connect_timeout=1.5))
            assert failure(drive).code == "fetch_timeout"
            assert_nothing_left(drive)

    @pytest.mark.parametrize("where", ["connecting", "handshake", "head", "body"])
    def test_nothing_is_left_one_attempt_after_the_deadline(
        self, drive: Driver, authority: tuple[str, ssl.SSLContext], where: str
    ) -> None:
        """The thread and socket of a stuck flight are gone one ``attempt_timeout`` later, wherever it is stuck."""
        ca_file, _ = authority
        policy = FetchPolicy(
            connect_timeout=FAR, attempt_timeout=1, deadline=0.3, retries=0, ca_file=ca_file
        )

        def script(peer: Peer) -> None:
            if where == "handshake":
                peer.read()
                peer.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX: a" if where == "head" else http(b" " * 99))

        with ExitStack() as stack:
            if where == "connecting":
                url, server = stack.enter_context(crowded()), None
            else:
                server = stack.enter_context(serving(script))
                url = server.url
            if where == "handshake":
                url = url.replace("http:", "https:")
            drive.client(at(url), fetch=policy)
            assert failure(drive).code == "fetch_timeout"
            for thread in [one for one in threading.enumerate() if is_flight(one.name)]:
                thread.join(policy.attempt_timeout + 2)  # a busy machine is late
                assert not thread.is_alive()
            if server is not None:
                server.wait_closed()
            assert_nothing_left(drive)

    def test_a_slow_resolver_does_not_delay_the_caller(
        self, drive: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The system's resolver cannot be interrupted, but the caller gets its error by the deadline."""
        resolving, let_go = threading.Event(), threading.Event()

        def getaddrinfo(*question: object, **options: object) -> object:
            resolving.set()
            let_go.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        drive.client(at("https://slow.invalid/jwks"), fetch=SHORT)
        assert failure(drive).code == "fetch_timeout"
        assert resolving.is_set()
        assert not let_go.is_set()
        let_go.set()
        assert_nothing_left(drive)

    def test_a_dripping_handshake_ends_with_the_deadline(
        self, drive: Driver, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """A TLS handshake that never completes is abandoned at the deadline."""
        ca_file, _ = authority

        def script(peer: Peer) -> None:
            peer.read()
            peer.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")

        with serving(script) as server:
            server.url = server.url.replace("http:", "https:")
            policy = replace(SHORT, connect_timeout=1.5, ca_file=ca_file)
            self.assert_given_up(drive, server, policy)

    def test_a_dripping_body_over_tls_ends_with_the_deadline(
        self, drive: Driver, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """A TLS connection is closed at the deadline like a plain one."""
        ca_file, tls = authority

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        with serving(script, tls=tls) as server:
            self.assert_given_up(drive, server, replace(SHORT, ca_file=ca_file))

    @pytest.mark.parametrize(
        ("limit", "rest"),
        [("deadline", "silence"), ("deadline", "blanks"), ("attempt_timeout", "silence")],
    )
    def test_a_body_without_a_length_is_not_whole_when_it_was_cut(
        self, drive: Driver, key_set: bytes, limit: str, rest: str
    ) -> None:
        """A body without a length ends with its connection, so a connection that this library closed must not make it look whole."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + key_set)
            if rest == "blanks":  # white space, which JSON allows at its end
                peer.drip(b" ")

        far = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=FAR, retries=0)
        with serving(script) as server:
            self.assert_given_up(drive, server, replace(far, **{limit: 0.8}))
            assert drive.health("odd").key_count == 0

    def test_metadata_and_keys_share_the_deadline(self, drive: Driver, key_set: bytes) -> None:
        """One deadline covers the whole conversation, even if each document is in time."""
        place = ""

        def script(peer: Peer) -> None:
            request = peer.read_request()
            peer.is_gone(0.5)
            document = {"issuer": place, "jwks_uri": f"{place}/jwks"}
            is_metadata = b"openid-configuration" in request
            peer.send(http(json.dumps(document).encode() if is_metadata else key_set))
            peer.hang_up()

        with serving(script) as server:
            place = server.url.removesuffix("/jwks")
            url = f"{place}/.well-known/openid-configuration"
            provider = Provider(
                name="odd", issuer=place, audience=providers.UNCHECKED, discovery_url=url
            )
            drive.client(provider, fetch=SHORT)
            assert failure(drive).code == "fetch_timeout"
            drive.client(provider, fetch=FetchPolicy(attempt_timeout=FAR, deadline=FAR))
            assert len(drive.keys()) == 1

    def test_no_request_follows_the_deadline(self, drive: Driver) -> None:
        """A retry that the deadline leaves no time for makes no connection."""
        with serving(Peer.read_request) as server:
            self.assert_given_up(drive, server, replace(SHORT, retries=5))
        assert len(server.requests) == 1
        assert server.connections == 1

    def test_each_attempt_has_its_own_limit(self, drive: Driver) -> None:
        """``attempt_timeout`` limits one attempt in total, dripping or not, and applies again to the retry."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        policy = FetchPolicy(connect_timeout=FAR, attempt_timeout=0.5, deadline=FAR, retries=1)
        with serving(script) as server:
            drive.client(at(server.url), fetch=policy)
            assert failure(drive).code == "fetch_timeout"
            server.wait_closed(2)
            assert len(server.requests) == 2

    def test_connecting_has_its_own_limit(self, drive: Driver) -> None:
        """``connect_timeout`` ends an attempt whose other limits are far away."""
        policy = FetchPolicy(connect_timeout=0.5, attempt_timeout=FAR, deadline=FAR, retries=0)
        with crowded() as url:
            drive.client(at(url), fetch=policy)
            assert failure(drive).code == "fetch_timeout"
            assert_nothing_left(drive)

    def test_the_second_attempt_may_succeed(self, drive: Driver, key_set: bytes) -> None:
        """A server that hung once is asked again within the deadline, and its second response counts."""
        seen: list[Peer] = []

        def script(peer: Peer) -> None:
            peer.read_request()
            seen.append(peer)
            if len(seen) > 1:
                peer.send(http(key_set))

        policy = FetchPolicy(connect_timeout=FAR, attempt_timeout=0.5, deadline=FAR)
        with serving(script) as server:
            drive.client(at(server.url), fetch=policy)
            assert len(drive.keys()) == 1
            assert drive.health("odd").fetches == 2

    def test_closing_the_client_does_not_wait_for_the_server(self, drive: Driver) -> None:
        """Closing a client during a flight closes its connection, and no other is made."""
        policy = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=FAR)
        with serving(Peer.read_request) as server:
            drive.client(at(server.url), fetch=policy)
            asking = drive.start("keys")
            server.wait_asked()
            drive.close()
            with pytest.raises(KeysUnavailableError):
                asking.result(PATIENCE)
            server.wait_closed()
            assert_nothing_left(drive)
        assert server.connections == 1


class TestConnection:
    def test_each_flight_opens_and_closes_its_own_connection(
        self, drive: Driver, key_set: bytes
    ) -> None:
        """Connections are not pooled: after each fetch the server sees the connection closed."""
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url))
            for number in (1, 2):
                drive.refresh()
                server.wait_closed(number)
            assert server.connections == 2

    @pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently"])
    def test_a_failed_fetch_closes_its_connection(self, drive: Driver, status: str) -> None:
        """The response of a failed fetch is closed."""
        with serving(answering(http(b"no", status))) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "fetch_failed"
            server.wait_closed()

    def test_a_refused_connection_is_a_failed_fetch(self, drive: Driver, idp: FakeProvider) -> None:
        """A refused connection is ``fetch_failed`` for a verification, with the system's error as a cause."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            drive.client(at(f"http://127.0.0.1:{taken.getsockname()[1]}/jwks"), clock=idp.clock)
            with pytest.raises(KeysUnavailableError) as caught:
                drive.verify(idp.issue())
        error = caught.value
        assert (error.code, error.http_status) == ("fetch_failed", 503)
        assert any(isinstance(cause, ConnectionRefusedError) for cause in causes(error))
        assert "http://127.0.0.1" in error.message

    def test_an_unknown_host_is_a_failed_fetch(
        self, drive: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An unknown host is ``fetch_failed``, with the resolver's error as a cause."""

        def getaddrinfo(*question: object, **options: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        drive.client(at("https://nowhere.invalid/jwks"))
        error = failure(drive)
        assert error.code == "fetch_failed"
        assert any(isinstance(cause, socket.gaierror) for cause in causes(error))

    def test_a_connection_closed_without_a_response_is_retried(
        self, drive: Driver, key_set: bytes
    ) -> None:
        """A broken connection is retried once, and the second response counts."""
        seen: list[Peer] = []

        def script(peer: Peer) -> None:
            peer.read_request()
            seen.append(peer)
            if len(seen) > 1:
                peer.send(http(key_set))
            peer.hang_up()

        with serving(script) as server:
            drive.client(at(server.url))
            assert len(drive.keys()) == 1
            assert server.connections == 2

    def test_two_connections_closed_without_a_response_are_a_failed_fetch(
        self, drive: Driver
    ) -> None:
        """A connection that breaks twice is ``fetch_failed`` with the cause, without a third attempt."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.hang_up()

        with serving(script) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert isinstance(error.__cause__, httpx.RemoteProtocolError)
            assert server.connections == 2

    @pytest.mark.parametrize(
        "sent",
        [
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"<html>\r\n\r\n",
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"\x15\x03\x01\x00\x02\x02\x16",
        ],
    )
    def test_anything_but_http_is_a_failed_fetch(self, drive: Driver, sent: bytes) -> None:
        """Another protocol on that port, or broken HTTP, is ``fetch_failed`` with the cause."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(sent)
            peer.hang_up()

        with serving(script) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert error.__cause__ is not None
            server.wait_closed()

    def test_a_configured_proxy_is_used(self, drive: Driver, key_set: bytes) -> None:
        """With ``FetchPolicy(proxy=…)`` the request goes to the proxy and names the whole URL."""
        with serving(answering(http(key_set))) as server:
            url = "http://127.0.0.1:9/jwks"
            drive.client(at(url), fetch=FetchPolicy(proxy=f"http://{server.place}"))
            assert len(drive.keys()) == 1
            assert server.requests[0].startswith(f"GET {url} HTTP/1.1\r\n".encode())


class TestBody:
    def test_chunked_bodies_and_bodies_without_a_length_are_read(
        self, drive: Driver, key_set: bytes
    ) -> None:
        """A chunked body, and one that ends with its connection, are accepted if the server ended them."""
        half = len(key_set) // 2
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for part in (key_set[:half], key_set[half:], b""):
            chunked += b"%x\r\n%s\r\n" % (len(part), part)
        for sent in (chunked, b"HTTP/1.0 200 OK\r\n\r\n" + key_set):

            def script(peer: Peer, sent: bytes = sent) -> None:
                peer.read_request()
                peer.send(sent)
                peer.hang_up()

            with serving(script) as server:
                drive.client(at(server.url))
                assert len(drive.keys()) == 1

    @pytest.mark.parametrize(
        "head", [b"Content-Length: 5000", b"Transfer-Encoding: chunked"], ids=["length", "chunked"]
    )
    def test_a_truncated_body_is_a_failed_fetch(
        self, drive: Driver, key_set: bytes, head: bytes
    ) -> None:
        """A connection that ends before its body does is a failure, even if the part looks whole."""
        said = b"%x\r\n%s\r\n" % (len(key_set), key_set) if b"chunked" in head else key_set

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + said)
            peer.hang_up()

        with serving(script) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "fetch_failed"

    def test_an_endless_body_is_not_read_to_its_end(self, drive: Driver) -> None:
        """An endless chunked body is read up to ``max_body``; then its connection is closed."""
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent: list[int] = []

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:  # until the other side is gone
                peer.send(chunk)
                sent.append(len(chunk))

        policy = FetchPolicy(max_body=100_000, attempt_timeout=FAR, deadline=FAR)
        with serving(script) as server:
            drive.client(at(server.url), fetch=policy)
            error = failure(drive)
            server.wait_closed()
        assert error.code == "bad_key_set"
        assert "max_body" in error.message
        # The content of the two socket buffers was sent and never read.
        assert sum(sent) < 32_000_000

    def test_a_body_of_exactly_max_body_is_accepted(self, drive: Driver, key_set: bytes) -> None:
        """A body of exactly ``max_body`` is accepted, and one byte more is refused."""
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url), fetch=FetchPolicy(max_body=len(key_set)))
            assert len(drive.keys()) == 1
            drive.client(at(server.url), fetch=FetchPolicy(max_body=len(key_set) - 1))
            assert failure(drive).code == "bad_key_set"

    def test_a_gzip_body_is_read(self, drive: Driver, key_set: bytes) -> None:
        """A gzip body, which the client asked for, is read."""
        body = gzip.compress(key_set)
        with serving(answering(http(body, Content_Encoding="gzip"))) as server:
            drive.client(at(server.url))
            assert len(drive.keys()) == 1
            assert b"\r\naccept-encoding: gzip\r\n" in server.requests[0].lower()

    def test_a_gzip_bomb_is_refused(self, drive: Driver) -> None:
        """40 MB of blanks in 40 kB are refused and never held in memory."""
        body = gzip.compress(b" " * 40_000_000)
        with serving(answering(http(body, Content_Encoding="gzip"))) as server:
            drive.client(at(server.url))
            failure(drive)  # so that imports on first use are not counted
            drive.client(at(server.url))
            tracemalloc.start()
            try:
                error = failure(drive)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert error.code == "bad_key_set"
        assert peak < 8_000_000

    def test_another_encoding_is_a_failed_fetch(self, drive: Driver, key_set: bytes) -> None:
        """A body labelled with another encoding cannot be read."""
        with serving(answering(http(key_set, Content_Encoding="br"))) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "bad_key_set"


class TestRequest:
    def test_the_request_of_a_fetch(self, drive: Driver, key_set: bytes) -> None:
        """A fetch is one GET that names both media types, one encoding, and this library with its version."""
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url))
            drive.keys()
            line, *headers = server.requests[0].decode().removesuffix("\r\n\r\n").split("\r\n")
            assert line == "GET /jwks HTTP/1.1"
            assert {name.lower(): value for name, value in (h.split(": ", 1) for h in headers)} == {
                "host": server.place,
                "accept": "application/jwk-set+json, application/json",
                "accept-encoding": "gzip",
                "user-agent": f"jwks-client-sdk/{__version__}",
                "connection": "keep-alive",
            }
            assert len(headers) == 5

    @pytest.mark.parametrize("called", [False, True])
    def test_the_application_s_headers_win(
        self, drive: Driver, key_set: bytes, called: bool
    ) -> None:
        """The application's headers are sent as given, in place of the library's; a callable is called for each fetch."""
        asked: list[str] = []

        def headers() -> dict[str, str]:
            asked.append("again")
            return given | {"X-Asked": str(len(asked))}

        given = {"user-agent": "mine/1", "X-Api-Key": "s3cret"}
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url, headers=headers if called else given))
            drive.refresh()
            drive.refresh()
            for number, request in enumerate(server.requests, 1):
                assert b"\r\nuser-agent: mine/1\r\n" in request
                assert b"\r\nX-Api-Key: s3cret\r\n" in request
                assert request.lower().count(b"user-agent:") == 1
                assert (b"\r\nX-Asked: %d\r\n" % number in request) == called
            assert len(server.requests) == 2

    def test_the_second_request_is_conditional(self, drive: Driver, key_set: bytes) -> None:
        """The second request has the first response's validators, and a 304 keeps the keys."""
        first = http(key_set, ETag='"v1"', Last_Modified="Tue, 14 Nov 2023 22:13:20 GMT")
        with serving(answering(first, b"HTTP/1.1 304 Not Modified\r\n\r\n")) as server:
            drive.client(at(server.url))
            keys = drive.keys()
            drive.refresh()
            assert drive.keys() is keys
            _, second = server.requests
            assert b'\r\nIf-None-Match: "v1"\r\n' in second
            assert b"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n" in second

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
    def test_a_redirect_is_not_followed(self, drive: Driver, key_set: bytes, status: str) -> None:
        """A redirect is a failure like any status but 200, even to the same host."""
        with serving(answering(http(key_set, status, Location="/elsewhere"))) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert "redirect" in error.message
            assert len(server.requests) == 1

    def test_a_redirect_is_not_followed_by_an_injected_client_either(
        self, drive: Driver, key_set: bytes
    ) -> None:
        """An injected client's ``follow_redirects=True`` does not apply to the key set."""
        made = {"sync": httpx.Client, "async": httpx.AsyncClient}[drive.kind](follow_redirects=True)
        drive._http.append(made)  # to be closed at the end
        with serving(answering(http(key_set, "302 Found", Location="/elsewhere"))) as server:
            drive.client(at(server.url), http=made)
            assert "redirect" in failure(drive).message
            assert len(server.requests) == 1


class TestTLS:
    def test_a_private_authority_is_trusted(
        self, drive: Driver, key_set: bytes, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """With ``FetchPolicy(ca_file=…)`` a server of the private CA is trusted."""
        ca_file, tls = authority
        with serving(answering(http(key_set)), tls=tls) as server:
            drive.client(at(server.url), fetch=FetchPolicy(ca_file=ca_file))
            assert len(drive.keys()) == 1

    def test_an_unknown_authority_is_refused(
        self, drive: Driver, key_set: bytes, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """Without ``ca_file`` the fetch fails with the verification error as a cause, and no request is sent."""
        _, tls = authority
        with serving(answering(http(key_set)), tls=tls) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert any(isinstance(one, ssl.SSLCertVerificationError) for one in causes(error))
            assert server.requests == []

    def test_a_certificate_for_another_host_is_refused(
        self,
        drive: Driver,
        key_set: bytes,
        authority: tuple[str, ssl.SSLContext],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A valid certificate for another host is refused."""
        ca_file, tls = authority
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, *rest, **options: real("127.0.0.1", *rest, **options)
        )
        with serving(answering(http(key_set)), tls=tls) as server:
            url = server.url.replace("127.0.0.1", "another.test")
            drive.client(at(url), fetch=FetchPolicy(ca_file=ca_file))
            error = failure(drive)
            assert any(isinstance(one, ssl.SSLCertVerificationError) for one in causes(error))
            assert server.requests == []
