"""A fork waits for work of other threads whose locks a child could not release."""

from __future__ import annotations

import ssl
import threading
from types import SimpleNamespace

import pytest
from driver import PATIENCE

from jwks_client._client import network
from jwks_client._client.fork_gate import ForkGate, no_fork


@pytest.fixture
def gate():
    return ForkGate()


def inside(gate, leave):
    """Start a thread that enters a gate and stays until it may leave."""
    entered = threading.Event()

    def stay():
        with gate:
            entered.set()
            leave.wait(PATIENCE)

    thread = threading.Thread(target=stay, daemon=True)
    thread.start()
    assert entered.wait(PATIENCE)
    return thread


def test_a_fork_waits_until_every_thread_has_left(gate, monkeypatch):
    """Threads inside do not wait for each other, and a fork waits for all of them."""
    leave, waits, forked = threading.Event(), threading.Event(), threading.Event()
    threads = [inside(gate, leave), inside(gate, leave)]
    wait_for = gate._changed.wait_for
    monkeypatch.setattr(gate._changed, "wait_for", lambda *so: (waits.set(), wait_for(*so))[1])

    def fork():
        gate.before()
        assert not gate._inside
        gate.after_in_parent()
        forked.set()

    forking = threading.Thread(target=fork, daemon=True)
    forking.start()
    assert waits.wait(PATIENCE)
    assert not forked.is_set()
    leave.set()
    assert forked.wait(PATIENCE)
    for thread in [forking, *threads]:
        thread.join(PATIENCE)


def test_a_thread_inside_may_fork(gate):
    """It does not wait for itself, and it is still inside in the parent and in the child."""
    with gate:
        with gate:
            gate.before()
            gate.after_in_parent()
        gate.before()
        gate.after_in_child()
        assert gate._inside == {threading.get_ident(): 1}
    assert gate._inside == {}


def test_a_child_forgets_the_threads_of_its_parent(gate):
    """The threads inside do not exist in the child, so a fork of the child does not wait for them."""
    leave = threading.Event()
    thread = inside(gate, leave)
    gate.after_in_child()
    assert gate._inside == {}
    with gate:
        assert [*gate._inside] == [threading.get_ident()]
    gate._inside[thread.ident] = 1  # as in the parent, where this thread goes on
    leave.set()
    thread.join(PATIENCE)


@pytest.mark.parametrize("secure", [True, False])
def test_a_tls_context_is_made_inside(monkeypatch, secure):
    """OpenSSL takes locks then, which the child of a fork would wait for forever."""
    found = []
    made = ssl.create_default_context()

    def context(*_):
        found.append(threading.get_ident() in no_fork._inside)
        return made

    stand_in = SimpleNamespace(SSLContext=context, PROTOCOL_TLS_CLIENT=ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(network, "ssl", stand_in)
    authorities = SimpleNamespace(context=context)
    network._Transport(network.Way(), authorities)._make(network.Way(), secure=secure).close()
    assert found == [True]
    assert threading.get_ident() not in no_fork._inside
