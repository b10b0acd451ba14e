"""Both clients over real sockets, against servers that are slow, odd or hostile.

What is promised here is about real time, so real time passes: servers drip a byte each 0.3 seconds and
deadlines are short. Nothing measures it. A server never lets go by itself, so a call that returns, a
connection that is closed and a thread that ends show that a limit was kept; all other limits are far.
"""

import gc
import gzip
import json
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from driver import Driver
from servers import PATIENCE, Peer, Server, answering, crowded, http, serving

from jwks_client import FetchPolicy, KeysUnavailableError, Provider, __version__, providers
from jwks_client.testing import FakeProvider
from jwks_client.testing._keys.certificates import authority as kit_authority

FAR = 60  # seconds: a limit that must not be what ends it
SHORT = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=0.8)


@pytest.fixture
def key_set(idp: FakeProvider) -> bytes:
    """The key set of ``idp`` as it stands on the wire."""
    return json.dumps(idp.jwks()).encode()


@pytest.fixture
def authority() -> tuple[str, ssl.SSLContext]:
    """The kit's private CA: its file, and the TLS of a server that it vouches for."""
    own = kit_authority()
    return own.ca_file, own.server_context()


def at(url: str, **fields: Any) -> Provider:
    """A provider whose key set is at a URL."""
    return Provider(name="odd", issuer=providers.UNCHECKED, audience="api", jwks_url=url, **fields)


def failure(drive: Driver) -> KeysUnavailableError:
    """The error of asking the current client for keys, which must come while the test has patience."""
    with pytest.raises(KeysUnavailableError) as caught:
        drive.start("keys").result(PATIENCE)
    return caught.value


def settle(drive: Driver) -> None:
    """No thread and no task of the client is left, and no socket that only the collector would close."""
    drive.settle()
    gc.collect()  # of which a ResourceWarning would tell


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an error, nearest first."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


class TestDeadline:
    """FetchPolicy.deadline is total, whatever the server does meanwhile."""

    @staticmethod
    def is_given_up(drive: Driver, server: Server, policy: FetchPolicy = SHORT) -> None:
        """The caller is told ``fetch_timeout``, and the server sees its connection closed."""
        drive.client(at(server.url), fetch=policy)
        assert failure(drive).code == "fetch_timeout"
        settle(drive)
        server.wait_closed()

    def test_a_head_that_drips(self, drive: Driver) -> None:
        """A server that sends one byte of a header each 0.3 seconds, for ever, is given up."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        with serving(script) as server:
            self.is_given_up(drive, server)

    def test_headers_that_never_end(self, drive: Driver) -> None:
        """Whole header lines, one after the other, are no progress either."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n")
            while not peer.is_gone(0.1):
                peer.send(b"X-More: 1\r\n")

        with serving(script) as server:
            self.is_given_up(drive, server)

    def test_a_body_that_drips(self, drive: Driver, key_set: bytes) -> None:
        """Each byte of the body comes in time, and all of them do not."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(http(status="200 OK", Content_Length="500000"))
            peer.drip(key_set)

        with serving(script) as server:
            self.is_given_up(drive, server)

    def test_silence(self, drive: Driver) -> None:
        """A server that takes the request and never answers is given up."""
        with serving(Peer.read_request) as server:
            self.is_given_up(drive, server)
            assert len(server.requests) == 1

    def test_a_connection_that_is_neither_made_nor_refused(self, drive: Driver) -> None:
        """The caller is answered by the deadline; a thread that connects is gone a limit later."""
        with crowded() as url:
            drive.client(at(url), fetch=replace(SHORT, connect_timeout=1.5))
            assert failure(drive).code == "fetch_timeout"
            settle(drive)

    def test_a_name_that_resolves_too_late(
        self, drive: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The system's resolver cannot be interrupted: the caller is answered all the same."""
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
        settle(drive)

    def test_a_handshake_that_drips(
        self, drive: Driver, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """TLS that never comes about: as above."""
        ca_file, _ = authority

        def script(peer: Peer) -> None:
            peer.read()
            peer.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")

        with serving(script) as server:
            server.url = server.url.replace("http:", "https:")
            policy = replace(SHORT, connect_timeout=1.5, ca_file=ca_file)
            self.is_given_up(drive, server, policy)

    def test_an_answer_over_tls_that_drips(
        self, drive: Driver, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """A secured connection is cut like a plain one."""
        ca_file, tls = authority

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        with serving(script, tls=tls) as server:
            self.is_given_up(drive, server, replace(SHORT, ca_file=ca_file))

    @pytest.mark.parametrize(
        ("limit", "rest"),
        [("deadline", "silence"), ("deadline", "blanks"), ("attempt_timeout", "silence")],
    )
    def test_a_body_of_no_length_is_not_whole_where_it_is_cut(
        self, drive: Driver, key_set: bytes, limit: str, rest: str
    ) -> None:
        """A body that ends with its connection would look whole: not if the end was our doing."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + key_set)
            if rest == "blanks":  # which JSON allows at its end
                peer.drip(b" ")

        far = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=FAR, retries=0)
        with serving(script) as server:
            self.is_given_up(drive, server, replace(far, **{limit: 0.8}))
            assert drive.health("odd").key_count == 0

    def test_metadata_and_keys_share_it(self, drive: Driver, key_set: bytes) -> None:
        """One deadline for the whole conversation: each document in time is not both in time."""
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

    def test_nothing_is_asked_after_it(self, drive: Driver) -> None:
        """A retry that the deadline leaves no time for is not begun: no further connection."""
        with serving(Peer.read_request) as server:
            self.is_given_up(drive, server, replace(SHORT, retries=5))
        assert len(server.requests) == 1
        assert server.connections == 1

    def test_each_attempt_has_a_limit_of_its_own(self, drive: Driver) -> None:
        """``attempt_timeout`` is total for one attempt, drip or not, and the retry has it anew."""

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaa")

        policy = FetchPolicy(connect_timeout=FAR, attempt_timeout=0.5, deadline=FAR, retries=1)
        with serving(script) as server:
            drive.client(at(server.url), fetch=policy)
            assert failure(drive).code == "fetch_timeout"
            server.wait_closed(2)
            assert len(server.requests) == 2

    def test_making_the_connection_has_one_too(self, drive: Driver) -> None:
        """``connect_timeout`` ends an attempt whose other limits are far."""
        policy = FetchPolicy(connect_timeout=0.5, attempt_timeout=FAR, deadline=FAR, retries=0)
        with crowded() as url:
            drive.client(at(url), fetch=policy)
            assert failure(drive).code == "fetch_timeout"
            settle(drive)

    def test_the_second_attempt_may_succeed(self, drive: Driver, key_set: bytes) -> None:
        """A server that hung once is asked again within the deadline, and its answer counts."""
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
        """A client that is closed in mid-flight lets go of its connection and makes no other."""
        policy = FetchPolicy(connect_timeout=FAR, attempt_timeout=FAR, deadline=FAR)
        with serving(Peer.read_request) as server:
            drive.client(at(server.url), fetch=policy)
            asking = drive.start("keys")
            server.wait_asked()
            drive.close()
            with pytest.raises(KeysUnavailableError):
                asking.result(PATIENCE)
            server.wait_closed()
            settle(drive)
        assert server.connections == 1


class TestConnection:
    def test_each_flight_has_its_own_and_closes_it(self, drive: Driver, key_set: bytes) -> None:
        """Nothing is pooled: after each fetch the server sees the connection closed."""
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url))
            for number in (1, 2):
                drive.refresh()
                server.wait_closed(number)
            assert server.connections == 2

    @pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently"])
    def test_a_refusal_closes_it_too(self, drive: Driver, status: str) -> None:
        """The response object of a failed fetch is closed."""
        with serving(answering(http(b"no", status))) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "fetch_failed"
            server.wait_closed()

    def test_refused(self, drive: Driver, idp: FakeProvider) -> None:
        """Nobody listens: ``fetch_failed`` for whoever verifies, with the system's error behind it."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            drive.client(at(f"http://127.0.0.1:{taken.getsockname()[1]}/jwks"), clock=idp.clock)
            with pytest.raises(KeysUnavailableError) as caught:
                drive.verify(idp.issue())
        error = caught.value
        assert (error.code, error.http_status) == ("fetch_failed", 503)
        assert any(isinstance(cause, ConnectionRefusedError) for cause in causes(error))
        assert "http://127.0.0.1" in error.message

    def test_a_name_that_does_not_resolve(
        self, drive: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As above, with the resolver's error behind it."""

        def getaddrinfo(*question: object, **options: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        drive.client(at("https://nowhere.invalid/jwks"))
        error = failure(drive)
        assert error.code == "fetch_failed"
        assert any(isinstance(cause, socket.gaierror) for cause in causes(error))

    def test_closed_without_an_answer(self, drive: Driver, key_set: bytes) -> None:
        """A connection that breaks is tried once more, and that answer counts."""
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

    def test_always_closed_without_an_answer(self, drive: Driver) -> None:
        """Twice and never a third time; then ``fetch_failed`` with the cause."""

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
    def test_what_is_no_http_is_a_failure(self, drive: Driver, sent: bytes) -> None:
        """Another protocol on that port, or a broken one, is ``fetch_failed`` with the cause."""

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

    def test_a_proxy_is_asked_instead(self, drive: Driver, key_set: bytes) -> None:
        """With ``FetchPolicy(proxy=…)`` the request goes there and names the whole URL."""
        with serving(answering(http(key_set))) as server:
            url = "http://127.0.0.1:9/jwks"
            drive.client(at(url), fetch=FetchPolicy(proxy=f"http://{server.place}"))
            assert len(drive.keys()) == 1
            assert server.requests[0].startswith(f"GET {url} HTTP/1.1\r\n".encode())


class TestBody:
    def test_chunked_and_of_no_length(self, drive: Driver, key_set: bytes) -> None:
        """The ways of HTTP/1.1 to end a body are all good where the server ends it."""
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
    def test_one_that_is_cut_short_is_a_failure(
        self, drive: Driver, key_set: bytes, head: bytes
    ) -> None:
        """A connection that ends before the body says it does is no answer, though it looks whole."""
        said = b"%x\r\n%s\r\n" % (len(key_set), key_set) if b"chunked" in head else key_set

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + said)
            peer.hang_up()

        with serving(script) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "fetch_failed"

    def test_one_too_long_is_not_read_to_its_end(self, drive: Driver) -> None:
        """A chunked body without end is read up to ``max_body``; then its connection is closed."""
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
        # What the two socket buffers hold was sent and never read.
        assert sum(sent) < 32_000_000

    def test_exactly_max_body(self, drive: Driver, key_set: bytes) -> None:
        """One byte decides."""
        with serving(answering(http(key_set))) as server:
            drive.client(at(server.url), fetch=FetchPolicy(max_body=len(key_set)))
            assert len(drive.keys()) == 1
            drive.client(at(server.url), fetch=FetchPolicy(max_body=len(key_set) - 1))
            assert failure(drive).code == "bad_key_set"

    def test_gzip(self, drive: Driver, key_set: bytes) -> None:
        """What is asked for is also read."""
        body = gzip.compress(key_set)
        with serving(answering(http(body, Content_Encoding="gzip"))) as server:
            drive.client(at(server.url))
            assert len(drive.keys()) == 1
            assert b"\r\naccept-encoding: gzip\r\n" in server.requests[0].lower()

    def test_a_gzip_bomb(self, drive: Driver) -> None:
        """40 MB of blanks in 40 kB are refused, and nobody ever held them."""
        body = gzip.compress(b" " * 40_000_000)
        with serving(answering(http(body, Content_Encoding="gzip"))) as server:
            drive.client(at(server.url))
            failure(drive)  # what is imported on first use is not counted
            drive.client(at(server.url))
            tracemalloc.start()
            try:
                error = failure(drive)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert error.code == "bad_key_set"
        assert peak < 8_000_000

    def test_another_encoding_is_a_failure(self, drive: Driver, key_set: bytes) -> None:
        """A label that was not asked for is believed, so the body cannot be read."""
        with serving(answering(http(key_set, Content_Encoding="br"))) as server:
            drive.client(at(server.url))
            assert failure(drive).code == "bad_key_set"


class TestRequest:
    def test_what_is_sent(self, drive: Driver, key_set: bytes) -> None:
        """One GET that names both media types, one encoding, and this library with its version."""
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
        """They are sent as given, in the place of ours; a callable is asked for each fetch."""
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

    def test_conditional(self, drive: Driver, key_set: bytes) -> None:
        """The second request names the first answer's validators, and 304 keeps the keys."""
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
        """Not even to the same host: it is a failure like any other answer but 200."""
        with serving(answering(http(key_set, status, Location="/elsewhere"))) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert "redirect" in error.message
            assert len(server.requests) == 1

    def test_nor_by_a_client_that_follows_them(self, drive: Driver, key_set: bytes) -> None:
        """An injected client's ``follow_redirects=True`` does not hold for the key set."""
        made = {"sync": httpx.Client, "async": httpx.AsyncClient}[drive.kind](follow_redirects=True)
        drive._http.append(made)  # to be closed at the end
        with serving(answering(http(key_set, "302 Found", Location="/elsewhere"))) as server:
            drive.client(at(server.url), http=made)
            assert "redirect" in failure(drive).message
            assert len(server.requests) == 1


class TestTLS:
    def test_a_private_authority(
        self, drive: Driver, key_set: bytes, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """With ``FetchPolicy(ca_file=…)`` a server that the private CA vouches for is trusted."""
        ca_file, tls = authority
        with serving(answering(http(key_set)), tls=tls) as server:
            drive.client(at(server.url), fetch=FetchPolicy(ca_file=ca_file))
            assert len(drive.keys()) == 1

    def test_an_unknown_authority(
        self, drive: Driver, key_set: bytes, authority: tuple[str, ssl.SSLContext]
    ) -> None:
        """Without it the fetch fails, with the verification error behind it, and nothing is asked."""
        _, tls = authority
        with serving(answering(http(key_set)), tls=tls) as server:
            drive.client(at(server.url))
            error = failure(drive)
            assert error.code == "fetch_failed"
            assert any(isinstance(one, ssl.SSLCertVerificationError) for one in causes(error))
            assert server.requests == []

    def test_another_name(
        self,
        drive: Driver,
        key_set: bytes,
        authority: tuple[str, ssl.SSLContext],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A good certificate of another host is none."""
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
