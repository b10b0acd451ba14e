"""Loopback servers that break the rules of HTTP, built on sockets so that no library repairs the faults.

No server here ends a connection by itself, unless its script says so: it waits on that connection for
the other side to close, and where a script drips, that wait is its pace. So a test that ends has shown
that the client gave up by itself, without reading a clock.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

PATIENCE = 10.0  # real seconds after which a working operation is long done
DRIP = 0.3  # real seconds between two bytes


class Peer:
    """The other side of one connection, for a server's script."""

    def __init__(self, connection: socket.socket, note: Callable[[bytes], None]) -> None:
        self._connection = connection
        self._note = note

    def read_request(self) -> bytes:
        """Return the head of the next request, or nothing if the other side has gone away."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            octet = self._connection.recv(1)
            if not octet:
                return b""
            head += octet
        self._note(head)
        return head

    def read(self) -> bytes:
        """Return the next bytes."""
        return self._connection.recv(65536)

    def send(self, octets: bytes) -> None:
        """Send all bytes; raise OSError, which ends the script, if the other side is gone."""
        self._connection.sendall(octets)

    def drip(self, octets: bytes) -> None:
        """Send one byte at a time, the last one over and over, until the other side is gone."""
        at = 0
        while not self.is_gone(DRIP):
            self.send(octets[at : at + 1] or octets[-1:])
            at += 1

    def is_gone(self, within: float | None) -> bool:
        """Wait at most ``within`` seconds (None: without limit) for the other side to close."""
        self._connection.settimeout(within)
        try:
            while self._connection.recv(1024):
                pass  # the peer still sends
        except TimeoutError:
            return False
        except OSError:
            pass
        else:
            return True
        finally:
            self._connection.settimeout(None)
        return True

    def hang_up(self) -> None:
        """Close this side."""
        self._connection.shutdown(socket.SHUT_WR)


Script = Callable[[Peer], Any]


def http(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole HTTP/1.1 response; ``_`` in a header's name stands for ``-``."""
    named = {"Content-Length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def answering(*answers: bytes) -> Script:
    """Return a script that sends these responses in turn, one per request, and the last one from then on."""
    left = list(answers)

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


class Server(socketserver.ThreadingTCPServer):
    """A server that plays a script to each connection, and knows the requests and the closed connections."""

    block_on_close = True  # none of its threads outlives the test

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self._script = script
        self._tls = tls
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._is_ending = False
        self._closed = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self.bugs: list[BaseException] = []
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.place = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.place}/jwks"

    def wait_asked(self, requests: int = 1) -> None:
        """Block until ``requests`` requests have arrived; raise AssertionError if they do not."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self.requests) >= requests, PATIENCE)
        assert done, f"{len(self.requests)} of {requests} requests have come"

    def wait_closed(self, connections: int = 1) -> None:
        """Block until clients have closed so many connections; raise AssertionError if they do not."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._closed >= connections, PATIENCE)
        assert done, f"clients closed {self._closed} of {connections} connections"

    def _note(self, request: bytes) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def get_request(self) -> Any:
        accepted = super().get_request()
        self.connections += 1
        return accepted

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        try:
            self._play(request)
        finally:
            with self._changed:
                self._open.discard(request)
                self._closed += not self._is_ending
                self._changed.notify_all()

    def _play(self, connection: socket.socket) -> None:
        with ExitStack() as stack:
            if self._tls is not None:
                connection = stack.enter_context(
                    self._tls.wrap_socket(connection.dup(), server_side=True)
                )
            peer = Peer(connection, self._note)
            with suppress(OSError):
                self._script(peer)
            peer.is_gone(None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        bug = sys.exception()
        if bug is not None and not isinstance(bug, OSError):  # the client ended it
            self.bugs.append(bug)

    def end(self) -> None:
        """Shut down open connections, count those still waiting, and join the threads."""
        self.shutdown()
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.get_request()[0].close()
        with self._changed:
            self._is_ending = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextmanager
def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve a script to each connection until the block ends."""
    server = Server(script, tls)
    accepting = threading.Thread(target=server.serve_forever, args=(0.02,), name="odd server")
    accepting.start()
    try:
        yield server
    finally:
        server.end()
        accepting.join(PATIENCE)
    assert not server.bugs, server.bugs


@contextmanager
def crowded() -> Iterator[str]:
    """Return the URL of a server whose queue is full: a further connection is neither made nor refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/jwks"
