"""The decision table, row by row, and the facts that feed it. Pure: without client or clock."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from jwks_client import CachePolicy
from jwks_client._core.keysets.cache import (
    Budget,
    Change,
    Fetch,
    KeyCache,
    Need,
    Refuse,
    Use,
    change_between,
    selected,
)
from jwks_client._core.keysets.discovery import Discovered
from jwks_client._core.keysets.fetch import Failed, Fetched, Validators
from jwks_client._core.keysets.freshness import Freshness
from jwks_client._core.keysets.jwk import Found, Key, KeySet, Missing, Unfit, UnusableKey

LIFE, STALE_FOR = 300.0, 3600.0
KNOWN, UNKNOWN = Need("k1", "RS256"), Need("nobody", "RS256")
FAILURE = Failed(code="fetch_failed", message="no answer", requests=1)
# One instant in each state of a set that was requested at 0.
INSTANTS = {"fresh": 0.0, "due": 250.0, "stale": 300.0, "expired": 3900.0}


def key(kid: str | None = "k1", thumbprint: str = "t1", alg: str | None = None) -> Key:
    return Key(
        kid=kid,
        kty="RSA",
        crv=None,
        alg=alg,
        use=None,
        thumbprint=thumbprint,
        key=None,
        algorithms=frozenset({"RS256"}),
    )


def came(
    key_set: KeySet | None = None, life: float = LIFE, stale_for: float = STALE_FOR
) -> Fetched:
    return Fetched(
        key_set=KeySet((key(),)) if key_set is None else key_set,
        freshness=Freshness(life, stale_for),
        validators=Validators("https://i.test/jwks", '"1"', None),
        discovered=None,
        requests=1,
    )


def cold(**policy: object) -> KeyCache:
    made = CachePolicy(**policy)
    return KeyCache(policy=made, due_share=made.refresh_ahead)


def loaded(**policy: object) -> KeyCache:
    """Return a set that was requested at 0 by flight 1."""
    return cold(**policy).fetched(1, came(), began_at=0.0)


def failing(cache: KeyCache, *, now: float = 0.0, number: int = 2) -> KeyCache:
    return cache.failed(number, FAILURE, now, draw=0.0)


def resting(cache: KeyCache, now: float) -> KeyCache:
    """Return the cache with a backoff that is not over at ``now``."""
    return replace(cache, retry_at=now + 1)


def rested(cache: KeyCache, now: float) -> KeyCache:
    return replace(cache, retry_at=now)


class TestStates:
    @pytest.mark.parametrize(
        ("now", "state"),
        [
            (0.0, "fresh"),
            (239.9, "fresh"),
            (240.0, "due"),
            (299.9, "due"),
            (300.0, "stale"),
            (3899.9, "stale"),
            (3900.0, "expired"),
        ],
    )
    def test_boundaries(self, now, state):
        """A set is due from its share of the lifetime on, past at its end, and expired one stale time later."""
        assert loaded().state(now) == state

    def test_cold(self):
        """A cache without a set is cold, however late it is."""
        assert cold().state(1e9) == "cold"
        assert cold().fresh_until == float("-inf")

    def test_never_due_without_refresh_ahead(self):
        """With refresh_ahead=None a set is fresh to the end of its lifetime."""
        cache = loaded(refresh_ahead=None)
        assert cache.state(299.9) == "fresh"
        assert cache.fresh_until == 300.0

    def test_fresh_until_is_where_due_begins(self):
        """The token memory trusts a set exactly as long as it is fresh."""
        cache = loaded()
        assert cache.fresh_until == 240.0
        assert cache.state(cache.fresh_until) == "due"

    def test_fail_closed(self):
        """With a stale time of 0 a set expires the moment its lifetime ends."""
        cache = cold().fetched(1, came(stale_for=0.0), began_at=0.0)
        assert cache.state(300.0) == "expired"


class TestTable:
    """The rows of the decision table; the columns are the two assertions of each test."""

    def test_fresh(self):
        """Fresh: a found key is used; a missing key causes a fetch with a permit, else a refusal."""
        cache = loaded()
        assert cache.look_up(KNOWN, 0.0) == Use(Found((key(),)))
        assert cache.look_up(UNKNOWN, 0.0) == Fetch(Budget.UNKNOWN_KID)
        spent = replace(cache, permits=0.0, permits_at=0.0)
        assert spent.look_up(UNKNOWN, 0.0) == Refuse(known=True)

    def test_due(self):
        """Due: a found key is used and one background flight begins; a missing key is as when fresh."""
        cache, now = loaded(), INSTANTS["due"]
        assert cache.look_up(KNOWN, now) == Use(Found((key(),)), refresh=True)
        assert cache.look_up(KNOWN, now, in_flight=True) == Use(Found((key(),)))
        assert cache.look_up(UNKNOWN, now) == Fetch(Budget.UNKNOWN_KID)

    def test_due_in_backoff(self):
        """Due, after a failure: no flight until the backoff is over, then one."""
        now = INSTANTS["due"]
        cache = failing(loaded())
        assert cache.look_up(KNOWN, now) == Use(Found((key(),)), refresh=True)
        assert resting(cache, now).look_up(KNOWN, now) == Use(Found((key(),)))
        assert resting(cache, now).look_up(UNKNOWN, now) == Refuse(known=False)

    def test_past_after_failure(self):
        """Past its lifetime while the provider fails: used, marked stale; no caller waits, and one flight runs behind."""
        cache, now = failing(loaded()), INSTANTS["stale"]
        stale = Use(Found((key(),)), stale=True)
        assert resting(cache, now).look_up(KNOWN, now) == stale
        assert rested(cache, now).look_up(KNOWN, now) == replace(stale, refresh=True)
        assert rested(cache, now).look_up(KNOWN, now, in_flight=True) == stale
        assert rested(cache, now).look_up(UNKNOWN, now) == Fetch(Budget.ROUTINE)
        assert resting(cache, now).look_up(UNKNOWN, now) == Refuse(known=False)

    def test_past_after_failure_without_background_work(self):
        """The same with refresh_ahead=None: callers carry the fetch, and use stale keys during the backoff, even while `refresh` fetches."""
        cache, now = failing(loaded(refresh_ahead=None)), INSTANTS["stale"]
        assert rested(cache, now).look_up(KNOWN, now) == Fetch(Budget.ROUTINE)
        stale = Use(Found((key(),)), stale=True)
        assert resting(cache, now).look_up(KNOWN, now) == stale
        assert resting(cache, now).look_up(KNOWN, now, in_flight=True) == stale

    def test_past_after_success(self):
        """Past its lifetime without a failure: fetch, whether or not the key is found, without a permit."""
        cache, now = replace(loaded(), permits=0.0, permits_at=1e9), INSTANTS["stale"]
        assert cache.look_up(KNOWN, now) == Fetch(Budget.ROUTINE)
        assert cache.look_up(UNKNOWN, now) == Fetch(Budget.ROUTINE)

    @pytest.mark.parametrize("need", [KNOWN, UNKNOWN])
    def test_expired(self, need):
        """Expired: no key is used; fetch outside backoff, else refuse."""
        now = INSTANTS["expired"]
        assert loaded().look_up(need, now) == Fetch(Budget.ROUTINE)
        assert rested(failing(loaded()), now).look_up(need, now) == Fetch(Budget.ROUTINE)
        assert resting(failing(loaded()), now).look_up(need, now) == Refuse(known=False)

    def test_cold(self):
        """Cold: as expired."""
        assert cold().look_up(KNOWN, 0.0) == Fetch(Budget.ROUTINE)
        assert resting(failing(cold()), 5.0).look_up(KNOWN, 5.0) == Refuse(known=False)
        assert rested(failing(cold()), 5.0).look_up(KNOWN, 5.0) == Fetch(Budget.ROUTINE)

    @pytest.mark.parametrize("state", ["fresh", "due", "stale", "expired"])
    def test_an_in_flight_fetch_is_joined(self, state):
        """A caller without a key joins an in-flight fetch, without a permit and despite backoff."""
        now = INSTANTS[state]
        cache = replace(resting(failing(loaded()), now), permits=0.0, permits_at=now)
        assert isinstance(cache.look_up(UNKNOWN, now, in_flight=True), Fetch)

    @pytest.mark.parametrize("now", INSTANTS.values())
    def test_a_set_that_was_waited_for_is_used(self, now):
        """A caller that waited for a set is served from it, however old it is by then, without a second fetch."""
        cache = loaded()
        assert cache.look_up(KNOWN, now, just_fetched=True) == Use(Found((key(),)))
        assert cache.look_up(UNKNOWN, now, just_fetched=True) == Refuse(known=True)

    @pytest.mark.parametrize("state", ["fresh", "due"])
    def test_a_remembered_absent_kid_causes_no_fetch(self, state):
        """A remembered absence is checked before the permit, and before a flight is joined."""
        now = INSTANTS[state]
        assert loaded().look_up(UNKNOWN, now, missed=True) == Refuse(known=True)
        assert loaded().look_up(UNKNOWN, now, missed=True, in_flight=True) == Refuse(known=True)

    def test_during_an_outage_a_refusal_is_not_a_verdict(self):
        """While the last attempt failed, a refusal says that the keys are unknown and is not a verdict on the token."""
        cache = resting(failing(loaded()), 1.0)
        assert cache.look_up(UNKNOWN, 1.0, missed=True) == Refuse(known=False)

    def test_a_known_kid_never_causes_a_fetch(self):
        """A known kid whose algorithm does not fit, or whose entry is unusable, is decided without a fetch."""
        bad = UnusableKey(
            index=1, kid="bad", kty="RSA", alg=None, use=None, code="weak_key", reason="weak"
        )
        cache = cold().fetched(1, came(KeySet((key(),), (bad,))), began_at=0.0)
        for need in (Need("k1", "ES256"), Need("bad", "RS256")):
            decision = cache.look_up(need, 0.0)
            assert isinstance(decision, Use)
            assert not isinstance(decision.selection, Found)


class TestBudgets:
    def test_the_bucket_empties_and_fills(self):
        """The bucket allows two unknown-kid fetches at once, then one per interval."""
        cache = loaded()
        for _ in range(2):
            assert cache.has_permit(100.0)
            cache = cache.paid(Budget.UNKNOWN_KID, 100.0)
        assert not cache.has_permit(109.9)
        assert cache.has_permit(110.0)

    def test_the_bucket_never_overflows(self):
        """A quiet day saves up no more than the burst."""
        cache = loaded().paid(Budget.UNKNOWN_KID, 0.0)
        for _ in range(2):
            cache = cache.paid(Budget.UNKNOWN_KID, 86_400.0)
        assert not cache.has_permit(86_400.0)

    def test_a_clock_that_steps_back_grants_nothing(self):
        """A time before the last spending refills nothing."""
        cache = loaded()
        for _ in range(2):
            cache = cache.paid(Budget.UNKNOWN_KID, 100.0)
        assert not cache.has_permit(0.0)

    def test_flood_bound(self):
        """Over t seconds any number of unknown kids causes at most 2 + t/10 fetches."""
        cache, fetches = cold().fetched(1, came(life=1e9), began_at=0.0), 0
        for now in (tenth / 10 for tenth in range(600)):
            if isinstance(cache.look_up(UNKNOWN, now), Fetch):
                cache, fetches = cache.paid(Budget.UNKNOWN_KID, now), fetches + 1
        assert fetches <= 2 + 60 / 10
        assert fetches >= 7

    def test_routine_fetches_cost_nothing(self):
        """A routine refresh leaves the other budgets unchanged."""
        cache = loaded()
        assert cache.paid(Budget.ROUTINE, 5.0) == cache

    def test_one_bad_signature_fetch_per_interval(self):
        """A bad signature on a known kid causes at most one fetch per interval, and none during backoff."""
        cache = loaded()
        assert cache.may_recheck_kid(0.0)
        paid = cache.paid(Budget.BAD_SIGNATURE, 0.0)
        assert not paid.may_recheck_kid(59.9)
        assert paid.may_recheck_kid(60.0)
        assert paid.has_permit(0.0)
        assert not resting(failing(cache), 0.0).may_recheck_kid(0.0)


class TestBackoff:
    def test_backoff_doubles_up_to_the_longest(self):
        """The fixed half of each wait is 0.5, 1, 2, 4, 8, 15, 15 … seconds."""
        cache, waits = cold(), []
        for number in range(1, 9):
            cache = cache.failed(number, FAILURE, 100.0, draw=0.0)
            waits.append(cache.retry_at - 100.0)
        assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15]

    def test_the_other_half_of_a_backoff_is_drawn(self):
        """With the highest draw the wait is the whole backoff."""
        assert cold().failed(1, FAILURE, 0.0, draw=1.0).retry_at == 1.0

    def test_retry_after_is_obeyed(self):
        """The provider's Retry-After wins if it is longer, and only then."""
        asked = replace(FAILURE, retry_after=120.0)
        assert cold().failed(1, asked, 0.0, draw=0.0).retry_at == 120.0
        assert cold().failed(1, replace(FAILURE, retry_after=0.1), 0.0, draw=0.0).retry_at == 0.5

    def test_a_thousand_failures_do_not_overflow(self):
        """The exponent of the backoff is bounded."""
        cache = replace(cold(), failures=100_000)
        assert cache.failed(1, FAILURE, 0.0, draw=1.0).retry_at == 30.0

    def test_backoff_ends_with_its_time_or_with_success(self):
        """A success ends the backoff."""
        cache = failing(loaded(), now=10.0)
        assert cache.in_backoff(10.4)
        assert not cache.in_backoff(10.5)
        recovered = cache.fetched(3, came(), began_at=10.1)
        assert not recovered.in_backoff(10.2)
        assert (recovered.failure, recovered.failures) == (None, 0)
        # The failure stays in the history: health() shows it.
        assert recovered.failed_at == 10.0


class TestFacts:
    def test_a_set_replaces_the_old_one_whole(self):
        """A key that the new set lacks is withdrawn."""
        cache = loaded().fetched(2, came(KeySet((key("k2", "t2"),))), began_at=10.0)
        assert cache.look_up(KNOWN, 10.0) == Fetch(Budget.UNKNOWN_KID)
        assert cache.asked_at == 10.0

    def test_a_failure_keeps_the_good_set(self):
        """A failed fetch removes nothing."""
        cache = failing(loaded())
        assert cache.key_set == loaded().key_set
        assert cache.look_up(KNOWN, 1.0) == Use(Found((key(),)))

    def test_older_flights_never_overwrite_newer_facts(self):
        """A flight that ends after a later one changes nothing, good or bad."""
        cache = cold().fetched(5, came(), began_at=50.0)
        late = came(KeySet((key("old", "t0"),)))
        assert cache.fetched(4, late, began_at=40.0) is cache
        assert cache.fetched(5, late, began_at=50.0) is cache
        assert cache.failed(4, FAILURE, 60.0, draw=0.0) is cache
        assert cache.failed(5, FAILURE, 60.0, draw=0.0) is cache

    def test_an_equal_set_keeps_its_identity(self):
        """An equal new set is the same object, so entries that are bound to it stay valid."""
        cache = loaded()
        assert cache.fetched(2, came(), began_at=5.0).key_set is cache.key_set

    def test_a_304_renews_the_set(self):
        """A 304 keeps the set and begins a new lifetime, the former one unless the response names another."""
        cache = cold().fetched(1, came(life=120.0), began_at=0.0)
        found = Discovered("https://i.test/jwks", 9.0)
        renewed = replace(came(), key_set=None, freshness=None, discovered=found)
        after = cache.fetched(2, replace(renewed), began_at=100.0)
        assert after.key_set is cache.key_set
        assert (after.asked_at, after.lifetime, after.stale_for) == (100.0, 120.0, STALE_FOR)
        assert after.discovered == found

    def test_requests_are_counted(self):
        """Every GET of the key set counts, those of failed flights included."""
        cache = loaded().failed(2, replace(FAILURE, requests=2), 1.0, draw=0.0)
        assert cache.requests == 3


class TestChange:
    @pytest.mark.parametrize(
        ("old", "new", "change"),
        [
            ((), (key(),), Change(("k1",), (), ())),
            ((key(),), (key(),), Change((), (), ())),
            ((key(),), (key("k2", "t2"),), Change(("k2",), ("k1",), ())),
            ((key(),), (key("k1", "t2"),), Change((), (), ("k1",))),
            ((key(None, "t1"),), (key(None, "t2"),), Change(("t2",), ("t1",), ())),
        ],
    )
    def test_a_rotation_names_added_removed_and_replaced_keys(self, old, new, change):
        """A rotation lists kids as added, removed or replaced; keys without a kid are listed by thumbprint."""
        assert change_between(KeySet(old) if old else None, KeySet(new)) == change

    def test_selections_are_compared_by_material(self):
        """Two selections are equal when they stand for the same material."""
        one, other = Found((key(),)), Found((key(thumbprint="t2"),))
        assert selected(one) == selected(Found((key(),)))
        assert selected(one) != selected(other)
        assert selected(Missing()) == selected(Unfit()) == ()


def test_no_cell_uses_an_expired_or_absent_key():
    """A key past its stale time is never used, and neither is an absent key, in any state."""
    for flags in itertools.product([False, True], repeat=3):
        missed, in_flight, failed = flags
        cache = failing(loaded()) if failed else loaded()
        for now in (3900.0, 1e9):
            decision = cache.look_up(KNOWN, now, missed=missed, in_flight=in_flight)
            assert not isinstance(decision, Use)
        for now in INSTANTS.values():
            decision = cache.look_up(UNKNOWN, now, missed=missed, in_flight=in_flight)
            assert not isinstance(decision, Use)


def test_a_keeper_fetches_a_cold_set_at_once_and_later_ones_in_the_last_part():
    """A keeper fetches a cold set at once, after a failure when the backoff is over, and then spread over time."""
    assert cold().wanted_at(0.5) < 0
    failed = failing(cold())
    assert failed.wanted_at(0.5) == failed.retry_at
    fetched = loaded()
    left = fetched.asked_at + fetched.lifetime - fetched.fresh_until
    assert fetched.wanted_at(0) == fetched.fresh_until
    assert fetched.wanted_at(1) == fetched.fresh_until + left / 2
    assert loaded(refresh_ahead=None).wanted_at(0.5) > 1e9
    failed = failing(fetched, now=fetched.fresh_until)
    assert failed.wanted_at(0) == failed.retry_at > fetched.fresh_until


def test_a_keeper_pauses_between_two_fetches_however_short_the_lifetime_is():
    """With ``min_ttl=0`` and ``no-store``, an idle server asks the provider at most once a second."""
    for lifetime in (0.0, 0.1):
        short = replace(loaded(), lifetime=lifetime)
        assert short.wanted_at(0.5) == short.asked_at + 1
