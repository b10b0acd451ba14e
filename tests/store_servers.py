"""Real servers for sharing key sets, each on a free loopback port and ended by its own process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a redis-server; yield its URL and its process."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", *options]
    with _running(command, "Ready to accept connections") as process:
        yield f"redis://127.0.0.1:{port}/0", process


@contextmanager
def memcached_server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a memcached; yield its address and its process."""
    port = free_port()
    command = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-vv"]
    if os.geteuid() == 0:
        command += ["-u", "nobody"]
    with _running(command, "server listening") as process:
        yield f"127.0.0.1:{port}", process


@contextmanager
def _running(command: list[str], ready: str) -> Iterator[subprocess.Popen[str]]:
    if shutil.which(command[0]) is None:
        missing = f"{command[0]} is not installed: apt-get install redis-server memcached"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = []
            while ready not in (line := process.stdout.readline()):
                said.append(line)
                assert line, "".join(said)
            # Its later output is read too, because a full pipe would block it.
            Thread(target=process.stdout.read, name=f"log of {command[0]}", daemon=True).start()
            yield process
        finally:
            process.kill()


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
