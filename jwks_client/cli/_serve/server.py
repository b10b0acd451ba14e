"""Serve an ASGI app over HTTP until a signal or the end of standard input.

Must not depend on what the app is.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["base_url_of", "listen", "run"]


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Listen on this address and no other; port 0 is any free port.

    The system accepts connections from now on. Raises OSError if the port is in use, or this
    machine does not have the address.

    Arguments:
        port: 0 to 65535.
        host: an IP address, of version 4 or 6.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # socket.create_server does not name the protocol, and without it asyncio leaves Nagle's
    # algorithm on, which delays an answer in two writes by 40 ms.
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
    """Return the URL at which this machine reaches an app on this socket."""
    bound: str
    bound, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)  # noqa: S104 (no bind)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: Any,
    listener: socket.socket,
    *,
    announce: Callable[[], None],
    until_stdin_ends: bool = False,
    at_end: Callable[[], None] | None = None,
) -> None:
    """Serve an app until SIGINT or SIGTERM, both of which end it with status 0.

    Arguments:
        app: an ASGI app that supports ``lifespan``.
        listener: from `listen`.
        announce: prints where the app is. It is called when a signal ends the app in that way.
        until_stdin_ends: also end when standard input ends, so that this process does not outlive
            the process that started it and holds the other end of the pipe.
        at_end: called on the event loop at shutdown, before pending requests are awaited, so that
            it can release requests that would never end.
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

    # While it serves, uvicorn installs its own handlers. At its end it raises the signal again,
    # which without these handlers would cause a KeyboardInterrupt or kill the process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    announce()
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
