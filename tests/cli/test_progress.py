"""What is shown while a command waits on the network."""

import os
import subprocess
import sys
import threading

import pytest
from running import PATIENCE

from jwks_client.testing import FakeProvider


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
@pytest.mark.parametrize("command", ["keys", "doctor"])
def test_a_wait_is_shown_on_a_terminal(command):
    """On a terminal standard error says what is waited for; standard output stays plain in its pipe."""
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
        shown = b""
        while b"asking http" not in shown:
            shown += os.read(terminal, 4096)
        held.release()
        stdout, _ = process.communicate()
        watch.cancel()
    os.close(terminal)
    assert base_url.encode() in shown
    assert process.returncode == 0
    assert b"key-1" in stdout or command == "doctor"
    assert b"\x1b" not in stdout
    assert b"asking" not in stdout
