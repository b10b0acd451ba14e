"""`FakeClock`: it moves only when a test moves it."""

import math
import threading

import pytest

from jwks_client.testing import FakeClock


def test_it_starts_at_the_given_time():
    """A clock starts at the given time, or at 1 700 000 000."""
    assert FakeClock().time() == 1_700_000_000
    assert FakeClock(5).time() == 5
    assert FakeClock(time=5.5).time() == 5.5


def test_it_stands_still():
    """Reading a clock does not move it."""
    clock = FakeClock()
    assert (clock.time(), clock.monotonic()) == (clock.time(), clock.monotonic())


def test_advance_moves_both_clocks():
    """`advance` moves the wall clock and the monotonic clock."""
    clock = FakeClock(100)
    before = clock.monotonic()
    clock.advance(2.5)
    clock.advance(0)
    assert clock.time() == 102.5
    assert clock.monotonic() - before == 2.5


@pytest.mark.parametrize("seconds", [21_600, -21_600])
def test_jump_wall_moves_only_the_wall_clock(seconds):
    """A wall clock that is set forward or back ages nothing."""
    clock = FakeClock()
    before = clock.monotonic()
    clock.jump_wall(seconds)
    assert clock.time() == 1_700_000_000 + seconds
    assert clock.monotonic() == before


def test_time_does_not_run_backwards():
    """A negative advance is refused, and moves nothing."""
    clock = FakeClock()
    with pytest.raises(ValueError, match="jump_wall"):
        clock.advance(-1)
    assert (clock.time(), clock.monotonic()) == (1_700_000_000, 0)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_only_finite_seconds_are_accepted(seconds):
    """NaN and Infinity would make every later comparison wrong, so they are refused."""
    clock = FakeClock()
    for call in (FakeClock, clock.advance, clock.jump_wall):
        with pytest.raises(ValueError, match="finite"):
            call(seconds)
    assert (clock.time(), clock.monotonic()) == (1_700_000_000, 0)


def test_threads_may_move_it_together():
    """Concurrent advances are all kept."""
    clock = FakeClock(0)
    start = threading.Barrier(8)

    def move():
        start.wait(10)
        for _ in range(500):
            clock.advance(1)

    threads = [threading.Thread(target=move) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clock.time() == clock.monotonic() == 4000


def test_its_repr_shows_the_time():
    """A failed assertion shows the clock's time."""
    assert repr(FakeClock(5)) == "FakeClock(time=5.0, monotonic=0.0)"
