"""Calls of a store: bounded, one at a time, none while it is down, answers checked."""

from __future__ import annotations

import os
import threading

import pytest
from driver import PATIENCE
from fake_stores import FakePace, FakeStore

from jwks_client._client.keysets.store_calls import StoreCalls, StoreUnusable, calls_of

LONG = 0.25


@pytest.fixture
def pace():
    return FakePace()


@pytest.fixture
def store(pace):
    store = FakeStore(pace)
    yield store
    store.let_go.set()


@pytest.fixture
def calls(store, pace):
    return StoreCalls(store, lambda: 1.0, pace)


def trouble(call, *arguments):
    with pytest.raises(StoreUnusable) as caught:
        call(*arguments)
    return caught.value.trouble


def test_answers_pass(calls, store):
    """A working store is read, written, claimed and released."""
    assert calls.read("n", 10, LONG) is None
    calls.write("n", b"v", 60, LONG)
    assert calls.read("n", 10, LONG) == (b"v", 0.0)
    assert calls.claim("l", 6, LONG) is True
    assert calls.claim("l", 6, LONG) is False
    calls.release("l", LONG)
    assert calls.claim("l", 6, LONG) is True
    assert not calls.is_down


def test_a_failure_begins_a_backoff(calls, store, pace):
    """After a failure the store gets no call for 1 s, 2 s, … 30 s, with one report each; then it is used again."""
    store.fail = {"read"}
    waits = []
    for _ in range(7):
        reported = trouble(calls.read, "n", 10, LONG)
        assert (reported.action, reported.code, reported.cause) == (
            "read",
            "store_error",
            "OSError",
        )
        waits.append(reported.retry_in)
        assert calls.is_down
        before = store.calls["read"]
        assert trouble(calls.read, "n", 10, LONG) is None
        assert store.calls["read"] == before
        pace.now += reported.retry_in
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    store.fail = set()
    assert calls.read("n", 10, LONG) is None
    store.fail = {"read"}
    assert trouble(calls.read, "n", 10, LONG).retry_in == 1


def test_one_slow_call_is_not_an_outage(calls, store, pace):
    """The first timeout is not reported and begins no backoff; the second in a row does both."""
    store.hang = {"read"}
    assert trouble(calls.read, "n", 10, LONG) is None
    assert calls.is_down  # while it hangs
    assert trouble(calls.claim, "n", 10, LONG) is None
    assert store.calls == {"read": 1}
    hanging = calls._hanging
    store.let_go.set()
    pace.hanging.clear()
    assert hanging.done.wait(PATIENCE)
    assert not calls.is_down
    store.let_go.clear()
    reported = trouble(calls.read, "n", 10, LONG)
    assert (reported.code, reported.cause, reported.retry_in) == ("store_timeout", None, 1)


def test_a_timeout_of_the_store_itself_counts_as_one(calls, store):
    """A TimeoutError of any library means that the store was slow, not wrong."""

    class TimeoutError(Exception):  # noqa: A001
        pass

    def slow(name, limit):
        raise TimeoutError

    store.read = slow
    assert trouble(calls.read, "n", 10, LONG) is None
    assert not calls.is_down
    assert trouble(calls.read, "n", 10, LONG).code == "store_timeout"


def test_no_thread_is_started_while_a_call_hangs(calls, store):
    """However often a hanging store is needed, one thread waits for it."""
    store.hang = {"read"}
    trouble(calls.read, "n", 10, LONG)
    before = threading.active_count()
    for _ in range(100):
        trouble(calls.read, "n", 10, LONG)
    assert threading.active_count() == before


def test_a_call_that_never_ends_is_reported_once_per_backoff(calls, store, pace):
    """A store that hangs forever is reported when it was needed a second later, then once per backoff."""
    store.hang = {"write"}
    assert trouble(calls.write, "n", b"v", 60, LONG) is None
    assert trouble(calls.read, "n", 10, LONG) is None  # perhaps it was only slow
    waits = []
    pace.now += 1
    for _ in range(3):
        reported = trouble(calls.read, "n", 10, LONG)
        assert (reported.action, reported.code) == ("write", "store_timeout")
        assert trouble(calls.read, "n", 10, LONG) is None
        waits.append(reported.retry_in)
        pace.now += reported.retry_in
    assert waits == [1, 2, 4]
    assert store.calls == {"write": 1}


def test_a_child_of_a_fork_has_no_call_outstanding(calls, store):
    """A call that hangs in the parent does not hang in the child."""
    store.hang = {"read"}
    trouble(calls.read, "n", 10, LONG)
    calls.after_fork()
    assert not calls.is_down


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("read", b"value"),
        ("read", ("value", 1.0)),
        ("read", (bytearray(b"v"), 1.0)),
        ("read", (b"v",)),
        ("read", (b"v", float("nan"))),
        ("read", (b"v", -1.0)),
        ("read", (b"v", float("inf"))),
        ("read", (b"v", "1")),
        ("read", (b"v", True)),
        ("claim", 1),
        ("claim", None),
        ("claim", "yes"),
    ],
    ids=str,
)
def test_answers_are_checked(calls, store, action, answer):
    """An answer of another type or out of range is a failure of the store, and nothing else."""
    if answer is None:
        store.claim = lambda name, seconds: None
    store.answers[action] = answer
    assert trouble(getattr(calls, action), "n", 10, LONG).code == "bad_answer"


def test_a_refused_record_is_reported_once_per_backoff(calls, pace):
    """An unusable record is reported, and again after half a minute."""
    assert calls.refuse("seal_wrong").code == "seal_wrong"
    assert calls.refuse("seal_wrong") is None
    pace.now += 30
    assert calls.refuse("seal_wrong") is not None


def test_the_text_of_a_custom_store_s_exception_is_not_reported(calls, store):
    """An exception of a custom store may hold a secret: its type is reported, and its text is not."""
    store.fail = {"write"}
    assert trouble(calls.write, "n", b"", 1, LONG).cause == "OSError"
    del store.fail
    FakeStore.__module__, before = "jwks_client.stores._x", FakeStore.__module__
    try:
        store.fail = {"write"}
        calls._retry_at = 0.0
        assert trouble(calls.write, "n", b"", 1, LONG).cause == "OSError: no store"
    finally:
        FakeStore.__module__ = before


def test_clients_of_a_process_share_the_calls_of_a_store(store):
    """One store has one backoff and one outstanding call, however many clients use it."""
    one = calls_of(store, lambda: 0.0)
    assert calls_of(store, lambda: 0.0) is one
    assert calls_of(FakeStore(store.pace), lambda: 0.0) is not one


def test_a_real_fork_leaves_no_lock_behind(store):
    """A child forked during a call can use the store."""
    calls = calls_of(store, lambda: 0.0)
    calls._turn.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if calls._turn.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0
