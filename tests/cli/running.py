"""Commands as processes, and checks that they leave nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PATIENCE = 60.0  # real seconds, far more than a working command needs


@contextmanager
def running(
    *arguments: str, patience: float = PATIENCE, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run ``jwks-client`` during the block, in a process that is killed when patience runs out."""
    with subprocess.Popen(
        [sys.executable, "-m", "jwks_client.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    ) as process:
        # So nothing that reads from it in the block can wait without end.
        watch = threading.Timer(patience, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            watch.join()
            process.kill()


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``jwks-client`` to its end with this standard input."""
    with running(*arguments, **environment) as process:
        stdout, stderr = process.communicate(stdin)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def connect(base_url: str) -> socket.socket:
    """Open a connection."""
    place = urlsplit(base_url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE)


def wait_for_end(base_url: str) -> None:
    """Wait until nothing accepts connections there; else raise TimeoutError."""
    for _ in range(100):
        try:
            connection = connect(base_url)
        except ConnectionRefusedError:
            return
        # Nothing is sent, so the connection lasts as long as the other side.
        with connection, suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    raise TimeoutError(f"{base_url} closes connections and still accepts new ones")


def is_listening(base_url: str) -> bool:
    """Return whether anything accepts connections there."""
    try:
        connect(base_url).close()
    except ConnectionRefusedError:
        return False
    return True
