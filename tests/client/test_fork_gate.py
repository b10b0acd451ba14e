"""A fork waits for work of other threads whose locks a child could not release."""

from __future__ import annotations

import itertools
import ssl
import threading
from functools import partial
from types import SimpleNamespace

import pytest
from driver import PATIENCE
from interrupting import interrupted

from jwks_client._client import fork_gate, network
from jwks_client._client.fork_gate import ForkGate, no_fork
from jwks_client._client.latch import Latch


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


def test_a_fork_waits_until_every_thread_has_left(gate):
    """Threads inside do not wait for each other, and a fork waits for all of them."""
    leave, waits, forked = threading.Event(), threading.Event(), threading.Event()
    threads = [inside(gate, leave), inside(gate, leave)]

    class Watched(Latch):
        def wait(self, seconds: float) -> bool:
            waits.set()
            return super().wait(seconds)

    gate._left = Watched()

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
    gate._inside[thread.ident] = 1  # as in the parent, where this thread continues
    leave.set()
    thread.join(PATIENCE)


def test_a_thread_that_enters_during_a_fork_waits_for_its_end(gate):
    """A fork that has begun does not interrupt the work of a thread that enters later."""
    gate.before()
    entered = threading.Event()

    def enter():
        with gate:
            entered.set()

    entering = threading.Thread(target=enter, daemon=True)
    over = gate._forking[threading.get_ident()]
    entering.start()
    while not over._waiting:
        assert entering.is_alive()
    assert (entered.is_set(), gate._inside) == (False, {})
    gate.after_in_parent()
    assert entered.wait(PATIENCE)
    entering.join(PATIENCE)


def enter(gate):
    with gate:
        pass


def fork(gate):
    try:
        gate.before()
    finally:
        gate.after_in_parent()  # the interpreter ignores what the hook before it raised


@pytest.mark.parametrize("act", [enter, fork])
def test_a_signal_handler_may_raise_at_any_moment(monkeypatch, act):
    """Threads enter afterwards, and forks are delayed at most once."""
    monkeypatch.setattr(fork_gate, "_LONGEST", 0.01)
    for place in itertools.count(1):
        gate = ForkGate()
        if not interrupted(partial(act, gate), place, fork_gate, threading):
            break
        for _ in range(2):
            others = [
                threading.Thread(target=one, args=(gate,), daemon=True) for one in (enter, fork)
            ]
            for other in others:
                other.start()
                other.join(PATIENCE)
                assert not other.is_alive(), place
        assert (gate._inside, gate._forking) == ({}, {}), place
    assert place > 5


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
    network._Transport(network.Route(), authorities)._make(network.Route(), secure=secure).close()
    assert found == [True]
    assert threading.get_ident() not in no_fork._inside
