"""The behaviour of every store, on real servers and a real directory."""

from __future__ import annotations

import threading

NAME = "keys-0123456789abcdef"
VALUE = b"jwks_client/1 sealed 00\n{}\n" + b"QUJD" * 100


def test_a_value_is_read_by_another(open_store):
    """One process reads byte for byte what another wrote; a missing value is None."""
    one, other = open_store(), open_store()
    assert other.read(NAME, 4096) is None
    one.write(NAME, VALUE, 60)
    found = other.read(NAME, 4096)
    assert found.value == VALUE
    one.write(NAME, b"second", 60)
    assert other.read(NAME, 4096).value == b"second"


def test_a_store_with_a_clock_reports_ages(open_clocked_store):
    """Redis and a directory report how long ago a value was written."""
    store = open_clocked_store()
    store.write(NAME, VALUE, 60)
    assert 0 <= store.read(NAME, 4096).age < 30


def test_a_long_value_is_truncated(open_store):
    """A value longer than the limit is recognized, and is not transferred whole."""
    store = open_store()
    store.write(NAME, b"x" * 100_000, 60)
    assert 100 < len(store.read(NAME, 100).value) < 200


def test_names_are_separate(open_store):
    """Records and leases of other names are other values."""
    store = open_store()
    store.write(NAME, VALUE, 60)
    assert store.read(NAME + "x", 4096) is None
    assert store.claim(NAME + ":lease", 60)
    assert store.read(NAME, 4096).value == VALUE


def test_one_of_many_gets_the_lease(open_store):
    """Of eight claims of a lease at once, at most one succeeds, and one succeeds in the end."""
    stores = [open_store() for _ in range(8)]
    start, won = threading.Barrier(8), []

    def claim(store):
        start.wait()
        won.append(store.claim(NAME, 60))

    threads = [threading.Thread(target=claim, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1
    assert not any(store.claim(NAME, 60) for store in stores)


def test_only_its_holder_can_release_a_lease(open_store):
    """A released lease is free; releasing another holder's lease changes nothing."""
    one, other = open_store(), open_store()
    assert one.claim(NAME, 60)
    other.release(NAME)
    assert not other.claim(NAME, 60)
    one.release(NAME)
    assert other.claim(NAME, 60)
    one.release(NAME)
    assert not one.claim(NAME, 60)


def test_a_repr_shows_no_secret(open_store):
    """The repr of a store shows neither its secret nor a password."""
    assert "0123456789abcdef" not in repr(open_store())
