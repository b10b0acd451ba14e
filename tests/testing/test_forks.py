"""The testing kit in a test that forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, threading
import httpx
from jwks_client.testing import FakeClock, FakeProvider
from jwks_client.testing._locks import _locks

idp = FakeProvider(algorithm="ES256", clock=FakeClock())
token, held, go_on = idp.issue(sub="u1"), threading.Event(), threading.Event()

def hold():
    for lock in list(_locks):
        lock.acquire()
    held.set()
    go_on.wait(10)
    for lock in list(_locks):
        lock.release()

with idp.hold() as gate:
    pass
holding = threading.Thread(target=hold)
holding.start()
held.wait(10)
pid = os.fork()
if pid == 0:
    signal.alarm(10)
    with idp.client() as client:
        assert client.verify(token).subject == "u1"
        assert client.verify(idp.issue(sub="u2")).subject == "u2"
    with idp.serve() as base:
        assert httpx.get(f"{base}/.well-known/jwks.json").status_code == 200
    os._exit(0)
status = os.waitpid(pid, 0)[1]
go_on.set()
holding.join()
assert status == 0, status
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_wait_for_a_thread_of_its_parent():
    """A forked child uses a provider and its clock, whatever another thread did with them at the fork."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
