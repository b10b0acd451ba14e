"""The memory of verified tokens changes no result, whatever happens in whatever order."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memo_world import LAYOUTS, MOODS, World
from odd_json import steady, weighted

from jwks_client import CachePolicy, TokenError

SIZES = (0, 3, 1024)  # the first has no memory; with three, tokens evict each other
POLICIES = [
    CachePolicy(ttl=100, stale_if_error=100, failure_backoff=(1, 5)),
    CachePolicy(ttl=100, stale_if_error=0, refresh_ahead=None),
    CachePolicy(),
]

# A token is good in its layout, except for at most two oddities.
oddities = st.one_of(
    st.tuples(st.just("idp"), st.just("there")),
    st.tuples(st.just("lives"), st.sampled_from([1, 20, 90, 250, 5000, None])),
    st.tuples(st.just("iat"), st.sampled_from([-400, -50, 20, 40])),
    st.tuples(st.just("nbf"), st.sampled_from([0, 20, 45])),
    st.tuples(st.just("aud"), st.sampled_from(["web", ["web", "api"], "x", None])),
    st.tuples(st.just("tenant"), st.sampled_from([None, "a", "b", "c"])),
    st.tuples(st.just("org"), st.sampled_from(["b", "c", None])),
    st.tuples(st.just("kid"), st.sampled_from([None, "nobody"])),
    st.tuples(st.just("typ"), st.sampled_from(["at+jwt", "other"])),
)
tokens = st.none() | st.lists(oddities, max_size=2)

# Keys live 100 seconds (or 300, or as the response says) and are due after 80.
seconds = st.sampled_from([0.5, 1.0, 9.0, 20.0, 29.0, 31.0, 60.0, 79.0, 81.0, 310.0, 5000.0])
places = st.sampled_from(["here", "there"])
edges = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["exp", "nbf", "iat", "too_old"]),
    st.sampled_from([0, 5, 30]),
    st.sampled_from([-0.5, 0, 0.5]),
)
times = [
    st.tuples(st.just("time"), seconds),
    st.tuples(st.just("time"), seconds),
    st.tuples(st.just("wall"), seconds, st.sampled_from([1, -1])),
    st.tuples(st.just("edge"), edges),
    st.tuples(st.just("edge"), edges),
]
fetches = [
    st.tuples(st.just("refresh"), st.integers(0, 2)),
    st.tuples(st.just("life"), places, st.sampled_from([None, 0, 250, 100_000])),
    st.tuples(st.just("fail"), places, st.sampled_from([503, 404, "empty", "html"])),
    st.tuples(st.just("fail"), places, st.just(httpx.ConnectError("no"))),
    st.tuples(st.just("ask_later"), places),
    st.just(("recover",)),
    st.just(("recover",)),
]
keys = [
    st.tuples(st.just("rotate"), places, st.booleans()),
    st.tuples(st.just("swap"), places),
    st.tuples(st.just("withdraw"), places, st.sampled_from([0, -1])),
]
minds = [
    st.tuples(st.just("mood"), st.sampled_from(MOODS)),
    st.tuples(st.just("tenant"), st.sampled_from("aabc"), st.booleans()),
    st.just(("make_up",)),
]
odd_calls = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["octets", "tampered", "org a", "org b", "pinned first", "pinned last"]),
)


def steps(layout):
    """Return steps: a token is issued or not; something happens; then every token comes, some in odd ways."""
    changes = [*times * 2, *fetches, *keys]
    if layout.startswith(("moody", "tenants", "resolved")):
        changes += minds * 4
    if layout.startswith("resolved"):
        changes.append(st.tuples(st.just("forget"), st.sampled_from("ab")))
    return st.tuples(tokens, weighted(*changes), st.lists(odd_calls, max_size=2))


def happens(what, *how):
    return (None, (what, *how), [])


def issued(**wish):
    return (list(wish.items()), ("time", 0), [])


def refreshed(which):
    return happens("refresh", which)


class Walk:
    """One world, and the last four tokens that were issued in it."""

    def __init__(self, world, layout, policy):
        self.world = world
        self.usual = {"idp": "here", "lives": 400, "iat": 0, "nbf": None, "aud": "api", "org": "a"}
        self.usual |= {"tenant": None, "kid": "own", "typ": "JWT"}
        if layout.startswith(("tenants", "resolved")):
            self.usual["tenant"] = "a"
        self.tokens = []
        self.accepted = 0
        world.begin(layout, policy)
        self.step(None, ("time", 0), [])

    def step(self, token, change, odd):
        if token is not None or not self.tokens:
            self.issue(**dict(token or []))
        what, *how = change
        getattr(self if hasattr(self, what) else self.world, what)(*how)
        for one, _ in self.tokens:
            self.accepted += isinstance(self.world.same("verify", one), dict)
        for place, how in odd:
            self.come_oddly(self.tokens[place % len(self.tokens)][0], how)

    def issue(self, **wish):
        wish = {**self.usual, **wish}
        idp = getattr(self.world, wish["idp"])
        now = int(self.world.clock.time())
        claims = {"org": wish["org"], "aud": wish["aud"], "iat": now + wish["iat"]}
        claims["nbf"] = None if wish["nbf"] is None else now + wish["nbf"]
        if wish["lives"] is not None:
            claims["exp"] = now + wish["lives"]
        if wish["tenant"] is not None:
            claims |= {"tid": wish["tenant"], "iss": f"https://login.test/{wish['tenant']}"}
        headers = {"typ": wish["typ"]}
        if wish["kid"] != "own":
            headers["kid"] = wish["kid"]
        token = idp.issue(scope="x y", expires_in=None, headers=headers, **claims)
        self.tokens = [(token, claims), *self.tokens[:3]]

    def time(self, seconds):
        self.world.clock.advance(seconds)

    def wall(self, seconds, sign):
        self.world.clock.jump_wall(sign * seconds)

    def edge(self, edge):
        """Move to a time at which a token's verdict may change: by waiting, or by the wall clock if it is past."""
        place, kind, leeway, beyond = edge
        _, claims = self.tokens[place % len(self.tokens)]
        instant = {"exp": claims.get("exp"), "nbf": claims["nbf"], "iat": claims["iat"]}
        at = claims["iat"] + 60 if kind == "too_old" else instant[kind]
        if at is not None:
            early = kind in {"nbf", "iat"}
            left = at + (-leeway if early else leeway) + beyond - self.world.clock.time()
            self.world.clock.advance(left) if left > 0 else self.world.clock.jump_wall(left)

    def come_oddly(self, token, how):
        given, options = token, {}
        match how:
            case "octets":
                given = token.encode()
            case "tampered":
                given = f"{token[:-8]}AAAAAAAA"
            case "org a" | "org b":
                options = {"claim_values": {"org": how[-1]}}
            case "pinned first":
                options = {"provider": self.world.names[0]}
            case "pinned last":
                options = {"provider": self.world.names[-1]}
        for _ in range(2):  # so that the second call finds the first one's state
            self.world.same("verify", given, **options)


CHANGED_MIND = TokenError("invalid_claim", "not today", claim="org")
# Cases that a memory is most likely to overlook, each in as few steps as possible.
STORIES = {
    "the key is withdrawn": ("one", [(None, ("withdraw", "here", 0), []), refreshed(0)]),
    "the keys become due": ("one", [happens("time", 241)]),
    "it expires": ("one", [issued(lives=90), happens("edge", (0, "exp", 30, 0))]),
    "nbf comes to lie ahead": ("one", [issued(nbf=20), happens("wall", 15, -1)]),
    "iat comes to lie ahead": ("one", [issued(iat=20), happens("wall", 15, -1)]),
    "it is too old": ("strict", [happens("edge", (0, "too_old", 30, 0))]),
    "the call wants another value": (
        "one",
        [(None, ("time", 0), [(0, "org a"), (0, "org b"), (0, "pinned first")])],
    ),
    "another provider is wanted": (
        "two ages",
        [(None, ("time", 0), [(0, "pinned first"), (0, "pinned last"), (0, "pinned first")])],
    ),
    "a tenant goes": ("tenants", [happens("tenant", "a", False)]),
    "a tenant goes, and another provider takes it": (
        "tenants first",
        [happens("tenant", "a", False), happens("tenant", "a", True)],
    ),
    "a resolved tenant goes": ("resolved", [happens("tenant", "a", False), happens("time", 201)]),
    "a resolved tenant is forgotten": (
        "resolved",
        [happens("tenant", "a", False), happens("forget", "a")],
    ),
    "a resolved tenant is described again": (
        "resolved",
        [happens("mood", False), happens("time", 161), happens("time", 1)],
    ),
    "resolved tenants push each other out": (
        "resolved",
        [
            issued(tenant="b"),
            (None, ("time", 1), [(1, "octets"), (0, "octets")]),
            issued(tenant="c"),
            happens("time", 61),
        ],
    ),
    "a check changes its mind": ("moody", [happens("mood", False), happens("mood", None)]),
    "the first one's check changes its mind": (
        "moody first",
        [happens("mood", False), happens("mood", None)],
    ),
    "the first one's check changes its mind about a claim": (
        "moody first",
        [happens("mood", CHANGED_MIND), happens("mood", None)],
    ),
    "it was too old for the first one": (
        "two ages",
        [happens("time", 95), happens("wall", 50, -1)],
    ),
    "the first one's keys become due": (
        "two key sets of one issuer",
        [happens("time", 20), refreshed(1), happens("time", 221)],
    ),
}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("layout", "way"), STORIES.values(), ids=STORIES)
def test_hard_cases_do_not_reveal_the_memory(kind, layout, way):
    """Clients that remember 0, 3 and 1024 tokens have the same results, requests and events in known hard cases."""
    with World(kind, SIZES).opened() as world:
        walk = Walk(world, layout, CachePolicy())
        for token, change, odd in way:
            walk.step(token, change, odd)
        assert walk.accepted


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "examples"), [("sync", 8), ("async", 3)])
def test_no_sequence_of_steps_reveals_the_memory(kind, examples, layout):
    """Clients that remember 0, 3 and 1024 tokens have the same results, requests and events, step by step."""
    accepted = []

    def walk(policy, way):
        with World(kind, SIZES).opened() as world:
            one = Walk(world, layout, policy)
            for token, change, odd in way:
                one.step(token, change, odd)
            accepted.append(one.accepted)

    ways = st.lists(steps(layout), min_size=10, max_size=25)
    steady(examples, kind, layout)(given(st.sampled_from(POLICIES), ways)(walk))()
    assert sum(accepted) > 5 * examples  # or nothing could be remembered
