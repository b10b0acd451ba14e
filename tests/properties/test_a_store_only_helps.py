"""A store in any state plants no key, and no process is worse off than without it."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_json import steady, weighted
from store_world import World

places = st.integers(0, 2)
skews = st.sampled_from([0.0, 0.0, -600.0, 600.0])
seconds = st.sampled_from(
    [0.3, 0.6, 1.0, 1.0, 4.0, 9.0, 11.0, 25.0, 79.0, 85.0, 101.0, 150.0, 260.0]
)
times = st.tuples(st.just("time"), seconds)
rotations = st.tuples(st.just("rotate"), st.booleans())
keys = weighted(
    rotations, rotations, st.just(("swap",)), st.tuples(st.just("withdraw"), st.integers(0, 3))
)
failures = st.sampled_from([503, 404, "empty", httpx.ConnectError("no")])
outages = weighted(
    st.tuples(st.just("fail"), failures), st.just(("recover",)), st.just(("recover",))
)
actions = st.frozensets(st.sampled_from(["read", "write", "claim", "release"]))
faults = weighted(
    st.tuples(st.just("break_store"), places, actions),
    st.tuples(st.just("break_store"), places, st.just(frozenset())),
    st.just(("hang",)),
    *[st.just(("let_go",))] * 3,
    st.just(("wipe",)),
    st.just(("keep_leases",)),
)
COUNTED = ("accepted", "adopted")
FORGERIES = [
    *("another secret", "unsealed", "another provider's", "another body"),
    *("old version", "truncated", "garbage"),
]
hostile = weighted(
    *[st.tuples(st.just("plant"), st.just("replayed"), st.integers(0, 9))] * 2,
    st.tuples(st.just("plant"), st.sampled_from(FORGERIES), st.integers(0, 9)),
)
overlaps = st.tuples(st.just("overlap"), places, places, weighted(rotations, times, keys, outages))
hosts = weighted(
    st.tuples(st.just("restart"), places),
    st.tuples(st.just("restart"), places),
    st.tuples(st.just("jump"), places, skews),
    overlaps,
)
changes = weighted(times, times, times, keys, keys, outages, faults, hostile, hostile, hosts)
# The process that gets a token, and the key that signed it: the newest, the one before it, …
signers = weighted(
    *[st.integers(0, 1)] * 6, st.integers(0, 6), st.just("junk"), *[st.just("forged")] * 2
)
tokens = st.tuples(places, signers)
steps = st.tuples(changes, st.lists(tokens, min_size=1, max_size=3))


def walk(world, way):
    with world.running():
        for (what, *how), came in way:
            getattr(world, what)(*how)
            for place, which in came:
                world.verify(place, which)


def happens(what, *how):
    """Return a step without a token."""
    return ((what, *how), [])


def comes(place, which=0, after=0.0):
    """Return a step with a token for a process: of the newest key, of the key before it, …"""
    return (("time", after), [(place, which)])


CLOCKED, CLOCKLESS = True, False
STORIES = {
    "a record from before a withdrawal is replayed": (
        CLOCKED,
        (0, 0, 0),
        [
            comes(0),
            happens("rotate", True),
            comes(0, after=20),
            happens("withdraw", 0),
            happens("time", 400),
            happens("plant", "replayed", 0),
            comes(1, 1),
        ],
    ),
    "two kids that a record answered for, then one that it lacks": (
        CLOCKED,
        (0, 0, 0),
        [
            *(comes(0), comes(1)),
            *(happens("rotate", True), comes(1, after=20), comes(0, after=20)),
            *(happens("rotate", True), comes(1, after=1), happens("rotate", True)),
            *(comes(0, 1, after=5), comes(0, after=1)),
        ],
    ),
    "a record from just before a rotation": (
        CLOCKED,
        (0, 0, 0),
        [comes(0), happens("rotate", True), comes(1, after=0.5)],
    ),
    "a slow clock, and a store without one": (
        CLOCKLESS,
        (0, -600, 0),
        [comes(0), happens("rotate", False), comes(1, 1, after=260)],
    ),
    "an outage ends what a host with a slow clock may use": (
        CLOCKED,
        (0, -600, 0),
        [comes(0), happens("rotate", False), happens("fail", 503), comes(1, 1, after=260)],
    ),
}


@pytest.mark.parametrize(("clocked", "skewed", "way"), STORIES.values(), ids=STORIES)
def test_hard_cases_of_a_store_change_no_verdict(clocked, skewed, way):
    """A key that was not published lately is never used, and every verdict is possible without a store."""
    world = World(clocked=clocked, skews=skewed)
    walk(world, way)
    assert world.accepted


@pytest.mark.parametrize("how", FORGERIES)
@pytest.mark.parametrize("which", ["forged", 0])
def test_a_forged_record_plants_no_key(how, which):
    """A process that starts with a forged record in the store uses only the provider's keys."""
    world = World(clocked=CLOCKED, skews=(0, 0, 0))
    walk(world, [comes(0), happens("plant", how, 1), comes(1, which), comes(0, which, after=101)])
    assert world.accepted == (1 if which == "forged" else 3)


@pytest.mark.parametrize("clocked", [CLOCKED, CLOCKLESS], ids=["clock", "no clock"])
def test_a_store_plants_no_key_and_changes_no_verdict(clocked):
    """A key that was not published lately is never used, and every verdict is possible without a store.

    Responses, failures, wrong clocks, faults of the store and hostile records come in any order.
    """
    worlds = []

    def one(skewed, way):
        worlds.append(World(clocked=clocked, skews=skewed))
        walk(worlds[-1], way)

    ways = st.lists(steps, min_size=10, max_size=25)
    steady(60, clocked)(given(st.tuples(skews, skews, skews), ways)(one))()
    accepted, adopted = (sum(getattr(one, name) for one in worlds) for name in COUNTED)
    assert accepted > 300
    assert adopted > 60 or not clocked
