"""Commands as processes, and what is left of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PATIENCE = 60.0  # real seconds after which what works is long done


@contextmanager
def running(
    *arguments: str, patience: float = PATIENCE, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """``jwks-client`` with these arguments, in a process that ends with the block or the patience."""
    with subprocess.Popen(
        [sys.executable, "-m", "jwks_client.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    ) as process:
        # So that nothing which is read in the block can wait for ever.
        watch = threading.Timer(patience, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            watch.join()
            process.kill()


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """``jwks-client`` with these arguments and this standard input, to its end."""
    with running(*arguments, **environment) as process:
        stdout, stderr = process.communicate(stdin)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def connect(base_url: str) -> socket.socket:
    """A connection."""
    place = urlsplit(base_url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE)


def wait_for_end(base_url: str) -> None:
    """Wait until nothing takes connections there; TimeoutError if something goes on to."""
    for _ in range(100):
        try:
            connection = connect(base_url)
        except ConnectionRefusedError:
            return
        # Nothing is said on it, so it lasts as long as the other side.
        with connection, suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    raise TimeoutError(f"{base_url} closes connections and still takes them")


def is_listening(base_url: str) -> bool:
    """Whether anything takes connections there."""
    try:
        connect(base_url).close()
    except ConnectionRefusedError:
        return False
    return True
