"""A real HTTP server for an ASGI app, on 127.0.0.1 unless told otherwise, until it is told to end.

Owns: the socket, the signals, the end. May not know: what the app is, who may reach it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .responses import Message, Receive, Send

__all__ = ["base_url_of", "listen", "run"]


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A socket that listens on this address and no other; port 0 is any free one.

    From here on connections are taken, if not yet answered. A port that is taken is an OSError, and
    so is an address that this machine does not have.

    Arguments:
        port: 0 to 65535.
        host: an IP address, of version 4 or 6.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, as socket.create_server does not: only then does asyncio turn Nagle's
    # algorithm off, which costs an answer in two writes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two processes share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except BaseException:
        listener.close()
        raise
    return listener


def base_url_of(listener: socket.socket) -> str:
    """Where the app that is run on this socket is reached, from this machine at the least."""
    bound: str
    bound, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)  # noqa: S104 (no bind)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: Callable[[Message, Receive, Send], Any],
    listener: socket.socket,
    *,
    until_stdin_ends: bool = False,
    at_end: Callable[[], None] | None = None,
) -> None:
    """Serve an app until SIGINT or SIGTERM, either of which is a good end.

    Arguments:
        app: an ASGI app that knows ``lifespan``.
        listener: from `listen`.
        until_stdin_ends: end with standard input too. Whoever starts this process and holds the
            other side of that pipe takes it along, however it goes itself.
        at_end: called on the event loop once it is to end, before requests in progress are waited
            for: so that those which would wait for ever can be let go.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if at_end is not None:
                at_end()
            await super().shutdown(sockets)

    server = Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn has handlers of its own while it serves. When it has ended it raises the signal once
    # more, for these: without them that would be a KeyboardInterrupt or a death by SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if until_stdin_ends:
        threading.Thread(target=_watch_stdin, args=(end,), name="stdin", daemon=True).start()
    server.run(sockets=[listener])


def _watch_stdin(end: Callable[[], None]) -> None:
    # The file descriptor, not sys.stdin: its lock, held by a daemon thread, would break the exit.
    try:
        while os.read(0, 1024):
            pass
    except OSError:  # closed from the start
        pass
    end()
