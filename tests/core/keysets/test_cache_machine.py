"""Random walks of `KeyCache` against a plain model: no sequence of events breaks an invariant."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jwks_client import CachePolicy
from jwks_client._core.keysets.cache import Budget, Fetch, KeyCache, Need, Refuse, Use
from jwks_client._core.keysets.fetch import Failed, Fetched, Validators
from jwks_client._core.keysets.freshness import Freshness
from jwks_client._core.keysets.jwk import Found, Key, KeySet

KIDS = ["a", "b", "c", "d"]
STEPS = [0.0, 0.3, 1.0, 7.0, 10.0, 45.0, 60.0, 240.0, 300.0, 3600.0, 86_400.0]


def key(kid: str, material: int) -> Key:
    return Key(
        kid=kid,
        kty="RSA",
        crv=None,
        alg=None,
        use=None,
        thumbprint=f"{kid}{material}",
        key=None,
        algorithms=frozenset({"RS256"}),
    )


class Walk(RuleBasedStateMachine):
    """A process with one flight at a time; the model remembers plainly what happened and when."""

    @initialize(
        refresh_ahead=st.sampled_from([0.8, 0.5, None]),
        stale=st.sampled_from([0.0, 100.0, 3600.0]),
    )
    def begin(self, refresh_ahead: float | None, stale: float) -> None:
        self.policy = CachePolicy(refresh_ahead=refresh_ahead, stale_if_error=stale)
        self.cache = KeyCache(policy=self.policy, due_share=refresh_ahead)
        self.now = 1000.0
        self.flights = 0
        self.in_flight: tuple[int, float] | None = None
        self.published: dict[str, int] = {}  # the content of the newest accepted response
        self.newest = 0
        self.asked_at = 0.0
        self.life = 0.0
        self.stale_for = 0.0
        self.failed_last = False
        self.rest_until = 0.0
        self.unknown_fetches: list[float] = []
        self.rechecks: list[float] = []

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: float) -> None:
        self.now += step

    def _take_off(self, budget: Budget) -> None:
        assert self.in_flight is None
        self.cache = self.cache.paid(budget, self.now)
        self.flights += 1
        self.in_flight = (self.flights, self.now)

    @rule(kid=st.sampled_from([*KIDS, "never"]), missed=st.booleans())
    def a_token_comes(self, kid: str, missed: bool) -> None:
        in_flight = self.in_flight is not None
        decision = self.cache.look_up(
            Need(kid, "RS256"), self.now, missed=missed, in_flight=in_flight
        )
        age = self.now - self.asked_at
        resting = self.failed_last and self.now < self.rest_until
        match decision:
            case Use(selection=Found(keys=keys)):
                assert {one.thumbprint for one in keys} == {f"{kid}{self.published[kid]}"}
                assert age < self.life + self.stale_for
                assert age < self.life or self.failed_last
                assert decision.stale == (age >= self.life)
                if decision.refresh:
                    assert self.policy.refresh_ahead is not None
                    assert not in_flight
                    assert not resting
                    self._take_off(Budget.ROUTINE)
            case Fetch(budget=budget):
                assert in_flight or not resting
                if not in_flight:
                    if budget is Budget.UNKNOWN_KID:
                        assert kid not in self.published
                        self.unknown_fetches.append(self.now)
                    self._take_off(budget)
            case Refuse(known=known):
                assert known != self.failed_last
                assert kid not in self.published or age >= self.life
            case _:
                raise AssertionError(decision)

    @rule()
    def a_signature_fails(self) -> None:
        if self.published and self.in_flight is None and self.cache.may_recheck_kid(self.now):
            assert not (self.failed_last and self.now < self.rest_until)
            self.rechecks.append(self.now)
            self._take_off(Budget.BAD_SIGNATURE)

    @precondition(lambda self: self.in_flight is not None)
    @rule(
        kids=st.lists(st.sampled_from(KIDS), min_size=1, unique=True),
        material=st.integers(0, 2),
        life=st.sampled_from([60.0, 300.0, 3600.0]),
        renewed=st.booleans(),
    )
    def the_flight_brings(self, kids: list[str], material: int, life: float, renewed: bool) -> None:
        number, began = self.in_flight
        self.in_flight = None
        renewed = renewed and self.cache.key_set is not None
        came = Fetched(
            key_set=None if renewed else KeySet(tuple(key(kid, material) for kid in kids)),
            freshness=None if renewed else Freshness(life, self.policy.stale_if_error),
            validators=Validators("u", None, None),
            discovered=None,
            requests=1,
        )
        self.cache = self.cache.fetched(number, came, began)
        self.newest, self.asked_at, self.failed_last = number, began, False
        if not renewed:
            self.published = dict.fromkeys(kids, material)
            self.life, self.stale_for = life, self.policy.stale_if_error

    @precondition(lambda self: self.in_flight is not None)
    @rule(asked=st.sampled_from([None, 5.0, 120.0]), draw=st.floats(0, 1))
    def the_flight_fails(self, asked: float | None, draw: float) -> None:
        number, _ = self.in_flight
        self.in_flight = None
        failure = Failed(code="fetch_failed", message="no", retry_after=asked, requests=1)
        self.cache = self.cache.failed(number, failure, self.now, draw)
        self.newest, self.failed_last = number, True
        self.rest_until = self.cache.retry_at
        rest = round(self.rest_until - self.now, 6)
        assert max(0.5, asked or 0) <= rest <= max(30, asked or 0)

    @rule(kids=st.lists(st.sampled_from(KIDS), min_size=1, unique=True), good=st.booleans())
    def a_late_answer_of_an_old_flight_comes(self, kids: list[str], good: bool) -> None:
        before, number = self.cache, self.newest // 2
        came = Fetched(
            key_set=KeySet(tuple(key(kid, 9) for kid in kids)),
            freshness=Freshness(1e9, 1e9),
            validators=Validators("u", None, None),
            discovered=None,
            requests=1,
        )
        failure = Failed(code="fetch_failed", message="late")
        after = (
            before.fetched(number, came, self.now)
            if good
            else before.failed(number, failure, self.now, 0.0)
        )
        assert after is before

    @invariant()
    def unknown_kids_stay_in_their_budget(self) -> None:
        times = getattr(self, "unknown_fetches", [])
        for place, start in enumerate(times):
            for count, end in enumerate(times[place:], start=1):
                assert count <= 2 + (end - start) / 10 + 1e-6

    @invariant()
    def rechecks_stay_in_their_budget(self) -> None:
        times = getattr(self, "rechecks", [])
        assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(times))


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class TestWalk(Walk.TestCase):
    """No sequence of responses, failures, kids and clock steps breaks an invariant."""
