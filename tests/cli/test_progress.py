"""The spinner while a command waits for the network."""

import os
import subprocess
import sys
import threading

import pytest
from running import PATIENCE

from jwks_client.testing import FakeProvider


@pytest.mark.extended
@pytest.mark.skipif(os.name != "posix", reason="only POSIX has pseudo-terminals")
@pytest.mark.parametrize("command", ["keys", "doctor"])
def test_a_wait_is_shown_on_a_terminal(command):
    """A terminal on standard error shows the request in progress; a pipe on standard output is plain."""
    idp = FakeProvider(issuer=None)
    terminal, its_side = os.openpty()
    with (
        idp.serve() as base_url,
        idp.hold() as held,
        subprocess.Popen(
            [sys.executable, "-m", "jwks_client.cli", command, base_url, "--timeout", "30"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=its_side,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        ) as process,
    ):
        os.close(its_side)
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        output = b""
        while b"fetching http" not in output:
            output += os.read(terminal, 4096)
        held.release()
        stdout, _ = process.communicate()
        watch.cancel()
    os.close(terminal)
    assert base_url.encode() in output
    assert process.returncode == 0
    assert b"key-1" in stdout or command == "doctor"
    assert b"\x1b" not in stdout
    assert b"fetching" not in stdout
