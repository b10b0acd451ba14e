"""The table of resolved tenants: each of its rows, its size, and a random walk against a plain model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jwks_client import CachePolicy, ConfigurationError, Provider
from jwks_client._core.issuers.resolver_answers import Failure
from jwks_client._core.issuers.tenants import (
    BURST,
    MOST_ABSENT,
    PER_SECOND,
    REFUSED_FOR,
    Ask,
    Busy,
    Tenant,
    TenantTable,
    Unknown,
    Use,
)
from jwks_client._core.keysets.cache import KeyCache
from jwks_client._core.keysets.jwk import KeySet
from jwks_client._core.policy import TenantPolicy

TTL, STALE = 300.0, 3600.0
DUE = 0.8 * TTL
QUICK, SLOW = Failure("it raised"), Failure("it hung", slow=True)


class Keys:
    """A tenant's key source, as far as the table needs it."""

    def __init__(self):
        self.cache = KeyCache(
            policy=CachePolicy(), due_share=None, key_set=KeySet(()), asked_at=0.0, lifetime=1e9
        )


def tenant(issuer="a", **options):
    provider = Provider(
        name=issuer, issuer=issuer, audience="api", jwks_url="https://a.test/jwks", **options
    )
    return Tenant(provider, None, Keys())


def table(**settings):
    return TenantTable(TenantPolicy(**{"stale_if_error": STALE, **settings}))


def loaded(issuer="a", at=0.0, **settings):
    """Return a table with one tenant that call 1, begun at ``at``, resolved."""
    made, one = table(**settings), tenant(issuer)
    assert made.record_tenant(one, 1, at) == []
    return made, one


# The rows of the table.


def test_the_defaults_are_the_contract_s():
    """The defaults are 256 tenants, five minutes, a burst of twenty, five per second, and ten seconds for a refusal."""
    policy = TenantPolicy()
    assert (policy.max_resolved, policy.resolve_ttl, policy.stale_if_error) == (256, 300, 3600)
    assert (BURST, PER_SECOND, REFUSED_FOR, MOST_ABSENT) == (20, 5, 10, 1024)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_resolved", 0),
        ("max_resolved", 100_001),
        ("max_resolved", True),
        ("max_resolved", 1.5),
        ("resolve_ttl", 0),
        ("resolve_ttl", float("inf")),
        ("resolve_ttl", "300"),
    ],
)
def test_a_wrong_setting_is_refused(field, value):
    """A wrong setting is refused by its name when the table is made."""
    with pytest.raises(ConfigurationError) as caught:
        TenantPolicy(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("in_flight", [False, True])
def test_a_fresh_tenant_is_used(in_flight):
    """Until 0.8 of resolve_ttl the tenant is used without a resolver call and without a lock."""
    made, one = loaded(at=100)
    for now in (100, 100 + DUE - 1):
        assert made.look_up("a", now, in_flight=in_flight) == Use(one)
        assert made.get_fresh("a", now) is one
    assert made.get_fresh("a", 100 + DUE) is None
    assert made.get_fresh("b", 100) is None


def test_a_due_tenant_is_used_and_resolved_in_the_background():
    """From 0.8 of resolve_ttl one call runs in the background, and none during backoff after a failure."""
    made, one = loaded()
    assert made.look_up("a", DUE, in_flight=False) == Use(one, ask_in_background=True)
    assert made.look_up("a", DUE, in_flight=True) == Use(one)
    assert made.record_failure("a", 2, QUICK, DUE, 1.0) == 1
    assert made.look_up("a", DUE + 0.9, in_flight=False) == Use(one)
    assert made.look_up("a", DUE + 1, in_flight=False) == Use(one, ask_in_background=True)


def test_past_resolve_ttl_callers_wait_without_a_permit():
    """Loaded tenants do not pay: their callers wait for the resolver even if the bucket is empty."""
    made, _ = loaded()
    for _ in range(20):
        made.pay(TTL)
    assert made.look_up("a", TTL - 0.1, in_flight=False).ask_in_background
    assert made.look_up("a", TTL, in_flight=False) == Ask(pays=False)
    assert made.look_up("a", TTL, in_flight=True) == Ask(pays=False)


def test_while_the_resolver_fails_no_caller_waits_after_the_first_failure():
    """After the first failure the tenant is used for stale_if_error, and is resolved in the background once the backoff is over."""
    made, one = loaded()
    made.record_failure("a", 2, SLOW, TTL, 1.0)
    assert made.look_up("a", TTL + 0.5, in_flight=False) == Use(one)
    assert made.look_up("a", TTL + 1, in_flight=False) == Use(one, ask_in_background=True)
    assert made.look_up("a", TTL + 1, in_flight=True) == Use(one)
    assert made.look_up("a", TTL + STALE - 1, in_flight=False) == Use(one, ask_in_background=True)


def test_past_stale_if_error_the_tenant_is_unavailable():
    """Past stale_if_error a caller is refused during backoff, with the time to wait; afterwards callers call the resolver, or join the call."""
    made, _ = loaded()
    now = TTL + STALE
    made.record_failure("a", 2, SLOW, now, 1.0)
    assert made.look_up("a", now, in_flight=False) == Busy(1.0, SLOW)
    assert made.look_up("a", now, in_flight=True) == Ask(pays=False)
    assert made.look_up("a", now + 1, in_flight=False) == Ask(pays=False)


def test_stale_if_error_of_0_fails_closed():
    """With stale_if_error=0 the first failure past resolve_ttl ends the tenant's use."""
    made, _ = loaded(stale_if_error=0)
    made.record_failure("a", 2, QUICK, TTL, 1.0)
    assert made.look_up("a", TTL, in_flight=False) == Busy(1.0, QUICK)


def test_without_background_work_callers_wait_for_the_resolver():
    """Without background work a tenant is never due: past resolve_ttl callers wait, and during backoff they use the stale tenant."""
    made, one = loaded(ask_ahead=False)
    assert made.get_fresh("a", TTL - 1) is one
    assert made.look_up("a", TTL, in_flight=False) == Ask(pays=False)
    made.record_failure("a", 2, QUICK, TTL, 1.0)
    assert made.look_up("a", TTL, in_flight=False) == Use(one)
    assert made.look_up("a", TTL, in_flight=True) == Ask(pays=False)
    assert made.look_up("a", TTL + 1, in_flight=False) == Ask(pays=False)


def test_an_answer_makes_a_tenant_fresh_again():
    """A tenant's age counts from the beginning of the call, and an answer ends the row of failures."""
    made, one = loaded()
    made.record_failure("a", 2, QUICK, TTL, 1.0)
    assert made.record_tenant(one, 3, 400) == []
    assert (one.failure, one.failures, one.due_at) == (None, 0, 400 + DUE)
    assert made.get_fresh("a", 400 + DUE - 1) is one


# Issuers without a tenant.


def test_an_unknown_issuer_needs_a_permit():
    """A burst of twenty unknown issuers gets permits, then five per second; a caller that joins a call pays nothing."""
    made = table()
    for _ in range(20):
        assert made.look_up("x", 0, in_flight=False) == Ask(pays=True)
        made.pay(0)
    assert made.look_up("x", 0, in_flight=False) == Busy(pytest.approx(0.2))
    assert made.look_up("x", 0.1, in_flight=False) == Busy(pytest.approx(0.1))
    assert made.look_up("x", 0, in_flight=True) == Ask(pays=False)
    assert made.look_up("x", 0.2, in_flight=False) == Ask(pays=True)
    made.pay(0.2)
    assert isinstance(made.look_up("x", 0.2, in_flight=False), Busy)


def test_the_bucket_never_holds_more_than_twenty():
    """An idle day does not save up permits for a flood."""
    made = table()
    made.pay(0)
    for _ in range(20):
        assert made.look_up("x", 1e6, in_flight=False) == Ask(pays=True)
        made.pay(1e6)
    assert isinstance(made.look_up("x", 1e6, in_flight=False), Busy)


def test_a_refusal_is_remembered_for_ten_seconds():
    """A remembered refusal needs no call, even with an empty bucket and while a call is in progress."""
    made = table()
    assert made.record_absent("x", 1, 50) is None
    for _ in range(20):
        made.pay(50)
    for in_flight in (False, True):
        assert made.look_up("x", 59.9, in_flight=in_flight) == Unknown()
    assert isinstance(made.look_up("x", 50, in_flight=False), Unknown)
    assert made.look_up("x", 60, in_flight=False) == Ask(pays=True)


def test_a_refusal_drops_the_tenant():
    """A refusal drops the tenant and its remembered tokens at once."""
    made, one = loaded()
    assert made.record_absent("a", 2, DUE) is one
    assert (one.held, made.tenants, made.held("a")) == (False, (), None)
    assert made.look_up("a", DUE, in_flight=False) == Unknown()


def test_a_quick_failure_harms_only_the_token_that_asked():
    """After a quick failure the next token may call the resolver again, and pays; a second failure begins the backoff."""
    made = table()
    assert made.record_failure("x", 1, QUICK, 10, 1.0) == 0
    assert made.look_up("x", 10, in_flight=False) == Ask(pays=True)
    assert made.record_failure("x", 2, QUICK, 10, 1.0) == 2
    assert made.look_up("x", 11, in_flight=False) == Busy(1.0, QUICK)
    assert made.look_up("x", 11, in_flight=True) == Ask(pays=False)
    assert made.look_up("x", 12, in_flight=False) == Ask(pays=True)


def test_a_slow_failure_begins_the_backoff_at_once():
    """After the first slow failure the issuer is in backoff, so tokens do not each wait for a resolver that hangs."""
    made = table()
    assert made.record_failure("x", 1, SLOW, 10, 0.0) == 0.5
    assert made.look_up("x", 10, in_flight=False) == Busy(0.5, SLOW)


def test_backoff_doubles_to_its_longest():
    """Half of each backoff is fixed and half is drawn, for a loaded tenant and an unknown issuer alike."""
    made, _ = loaded()
    waits = [made.record_failure("a", 2 + n, SLOW, 0, 1.0) for n in range(80)]
    assert waits[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert waits[-1] == 30
    assert made.record_failure("a", 90, SLOW, 0, 0.0) == 15
    assert [made.record_failure("x", 1 + n, SLOW, 0, 1.0) for n in range(6)] == [1, 2, 4, 8, 16, 30]


def test_a_failure_of_long_ago_does_not_count():
    """An issuer that failed yesterday begins again with the shortest backoff."""
    made = table()
    for number in range(6):
        made.record_failure("x", 1 + number, SLOW, 0, 1.0)
    assert made.record_failure("x", 7, SLOW, 60.0, 1.0) == 1
    made.record_absent("y", 1, 0)
    assert made.record_failure("y", 2, SLOW, 10, 1.0) == 1


def test_the_number_of_remembered_issuers_without_a_tenant_is_bounded():
    """The oldest issuers are dropped, so a flood of issuers cannot fill the memory."""
    made = table()
    for number in range(3000):
        made.record_absent(f"x{number}", 1, 0)
    assert len(made._absent) == MOST_ABSENT
    assert made.look_up("x2999", 0, in_flight=False) == Unknown()
    assert made.look_up("x0", 0, in_flight=False) == Ask(pays=True)


def test_a_repeated_refusal_is_the_newest():
    """An issuer that is refused again moves to the end of the queue for removal."""
    made = table()
    for number in range(MOST_ABSENT):
        made.record_absent(f"x{number}", 1, 0)
    made.record_absent("x0", 2, 0)
    made.record_absent("another", 1, 0)
    assert made.look_up("x0", 0, in_flight=False) == Unknown()
    assert made.look_up("x1", 0, in_flight=False) == Ask(pays=True)


def test_an_answer_clears_what_was_remembered_of_the_issuer():
    """A tenant that was refused earlier is admitted like any other when its token verifies."""
    made = table(max_resolved=1)
    a, c = tenant("a"), tenant("c")
    made.record_tenant(a, 1, 0)
    made.verified(a, 0)
    made.record_absent("c", 2, 0)
    made.record_tenant(c, 3, REFUSED_FOR)
    assert made.verified(c, REFUSED_FOR) == [a]
    assert made.tenants == (c,)


# Order of calls.


def test_an_older_call_changes_nothing():
    """An older call changes nothing, whether the newest brought a tenant, a refusal or a failure."""
    made, _ = loaded()
    assert not made.is_news("a", 1)
    assert made.is_news("a", 2)
    made.record_failure("a", 5, QUICK, 0, 1.0)
    assert not made.is_news("a", 4)
    made.record_absent("a", 6, 0)
    assert not made.is_news("a", 6)
    assert made.is_news("a", 7)
    assert made.is_news("never heard of", 1)


# Room for tenants.


def test_tenants_that_verified_a_token_outlast_tenants_that_have_not():
    """The least recently used of the unverified tenants goes first, whatever was used last."""
    made = table(max_resolved=3)
    a, b, c, d, e = (tenant(name) for name in "abcde")
    for number, one in enumerate((a, b, c)):
        made.record_tenant(one, number, 0)
    assert made.verified(a, 0) == []
    made.get_fresh("b", 1)
    assert made.record_tenant(d, 4, 0) == [c]
    assert made.verified(d, 0) == []
    assert made.record_tenant(e, 5, 0) == [b]
    assert set(made.tenants) == {a, d, e}
    assert [one.held for one in (a, b, c, d, e)] == [True, False, False, True, True]


def test_a_new_tenant_evicts_a_verified_one_only_when_its_token_verifies():
    """A new tenant in a full table is admitted when its token verifies, and then the least recently used tenant goes."""
    made = table(max_resolved=2)
    a, b, c = (tenant(name) for name in "abc")
    for number, one in enumerate((a, b)):
        made.record_tenant(one, number, 0)
        made.verified(one, 0)
    assert made.record_tenant(c, 3, 0) == [c]
    assert (set(made.tenants), c.held) == ({a, b}, False)
    made.get_fresh("a", 1)
    assert made.verified(c, 1) == [b]
    assert set(made.tenants) == {a, c}
    assert c.held


def test_a_hit_in_the_memo_counts_as_use_of_the_tenant():
    """A tenant whose tokens all come from the memo is not the least recently used."""
    made = table(max_resolved=2)
    a, b, c = (tenant(name) for name in "abc")
    for number, one in enumerate((a, b)):
        made.record_tenant(one, number, 0)
        made.verified(one, 0)
    assert a.cache is a.source.cache
    made.record_tenant(c, 3, 0)
    assert made.verified(c, 0) == [b]


def test_a_lookup_counts_as_use():
    """A lookup counts as use, of a tenant that is due too."""
    made = table(max_resolved=2)
    a, b, c = (tenant(name) for name in "abc")
    made.record_tenant(a, 1, 0)
    made.record_tenant(b, 2, 0)
    made.look_up("a", DUE, in_flight=False)
    assert made.record_tenant(c, 3, 0) == [b]


@pytest.mark.parametrize(
    ("meanwhile", "now"),
    [
        (lambda made: made.forget("c"), 1),
        (lambda made: made.forget("a"), 1),
        (lambda made: made.record_absent("c", 9, 1), 1),
        (lambda made: made.record_failure("c", 9, QUICK, 1, 1.0), 1),
        (lambda made: None, REFUSED_FOR),  # by then a refusal might be forgotten
    ],
)
def test_a_new_tenant_without_room_is_not_admitted_after_a_newer_decision(meanwhile, now):
    """A tenant that was refused or forgotten in the meantime is not admitted when its token verifies."""
    made = table(max_resolved=1)
    a, c = tenant("a"), tenant("c")
    made.record_tenant(a, 1, 0)
    made.verified(a, 0)
    made.record_tenant(c, 2, 0)
    meanwhile(made)
    assert made.verified(c, now) == []
    assert not c.held


def test_a_new_tenant_without_room_does_not_evict_its_own_successor():
    """Two tokens of one tenant may each have resolved it; the tenant that the table holds stays."""
    made = table(max_resolved=1)
    first, second = tenant("c"), tenant("c")
    made.record_tenant(first, 1, 0)
    made.record_tenant(second, 2, 0)
    assert made.verified(first, 0) == []
    assert made.tenants == (second,)


def test_a_replaced_tenant_is_never_admitted_again():
    """A replaced tenant is not admitted again, even if its successor was evicted and an old token verifies."""
    full = table(max_resolved=1)
    old, new, other = tenant("a"), tenant("a", leeway=5), tenant("c")
    full.record_tenant(old, 1, 0.0)
    full.record_tenant(new, 2, 0.0)
    full.record_tenant(other, 3, 0.0)
    assert full.verified(other, 0.0) == []
    assert full.held("a") is None
    assert full.verified(old, 1.0) == []
    assert full.held("a") is None
    assert not old.held


def test_the_number_of_newest_answers_is_bounded():
    """Only the newest answers are known, in bounded number; a tenant beyond them is not admitted again."""
    full = table(max_resolved=1)
    first = tenant("first")
    full.record_tenant(first, 1, 0.0)
    for number in range(MOST_ABSENT):
        full.record_tenant(tenant(f"n{number}"), number + 2, 0.0)
    assert len(full._newest) == MOST_ABSENT
    assert full.verified(first, 0.0) == []
    assert not first.held


def test_another_answer_replaces_the_tenant_and_keeps_its_rank():
    """Another answer ends what the former rules remembered, but its issuer still counts as verified."""
    made, former = loaded(max_resolved=2)
    made.verified(former, 0)
    newer = tenant("a", leeway=5)
    assert made.record_tenant(newer, 2, 0) == [former]
    assert (former.held, newer.held, newer.verified) == (False, True, True)
    assert made.tenants == (newer,)


def test_memo_entries_of_a_tenant_end_with_it():
    """The keys of a dropped tenant vanish for memo entries made before and after."""
    made, one = loaded()
    assert one.cache.key_set is not None
    made.forget("a")
    assert one.cache.key_set is None
    assert one.cache.fresh_until < 0


def test_forget_drops_everything_known():
    """`forget` drops a tenant, a refusal and a failure; an issuer that is not known is not an error."""
    made, one = loaded()
    assert made.forget("a") is one
    assert made.look_up("a", 0, in_flight=False) == Ask(pays=True)
    made.record_absent("a", 2, 0)
    assert made.forget("a") is None
    assert made.look_up("a", 0, in_flight=False) == Ask(pays=True)
    made.record_failure("a", 3, SLOW, 0, 1.0)
    assert made.forget("a") is None
    assert made.look_up("a", 0, in_flight=False) == Ask(pays=True)
    assert made.forget("never heard of") is None


def test_a_tenant_that_is_forgotten_while_it_is_admitted_is_not_held():
    """A signal handler may call `forget` inside any other call, and the call counts."""
    made, one = table(), tenant()
    turns = made._uses

    class Interrupted:
        def __next__(self):
            made.forget("a")
            return next(turns)

    made._uses = Interrupted()
    assert made.record_tenant(one, 1, 0) == []
    assert made.held("a") is None
    assert not one.held


def test_the_leeway_for_unknown_issuers_is_the_largest_that_was_seen():
    """The leeway is at least a provider's usual one, because a tenant's own is not known before it is resolved."""
    made = table()
    assert made.leeway == 30
    made.record_tenant(tenant("a", leeway=5), 1, 0)
    assert made.leeway == 30
    made.record_tenant(tenant("b", leeway=120), 2, 0)
    made.forget("b")
    assert made.leeway == 120


def test_forged_tokens_that_name_all_tenants_harm_no_tenant_in_use():
    """With 10 000 allowed tenants, 256 slots and 200 in use, forged tokens cause at most 20 + 5 t calls, and no wait or refusal."""
    made = table()
    in_use = [f"used{n}" for n in range(200)]
    number = 0
    for name in in_use:
        number += 1
        made.record_tenant(tenant(name), number, 0)
        made.verified(made.held(name), 0)
    calls, seconds = 0, 60
    for tick in range(seconds * 100):
        now = tick / 100
        forged = f"allowed{tick * 7919 % 10_000}"
        decision = made.look_up(forged, now, in_flight=False)
        if isinstance(decision, Ask):
            made.pay(now)
            calls, number = calls + 1, number + 1
            made.record_tenant(tenant(forged), number, now)
        else:
            assert isinstance(decision, (Use, Busy))
        if tick % 50 == 0:
            assert all(made.get_fresh(name, now) for name in in_use)
    assert 20 < calls <= 20 + 5 * seconds
    assert len(made.tenants) == 256


# A random walk.

ISSUERS = ["a", "b", "c", "d", "e"]
STEPS = [0.0, 0.1, 0.5, 2.0, 5.0, 12.0, 60.0, 240.0, 300.0, 3600.0, 100_000.0]


class Walk(RuleBasedStateMachine):
    """Calls that begin and end in any order; a plain model remembers what the newest of each issuer said."""

    @initialize(
        room=st.integers(1, 4), stale=st.sampled_from([0.0, 100.0, 3600.0]), ahead=st.booleans()
    )
    def begin(self, room: int, stale: float, ahead: bool) -> None:
        self.table = table(max_resolved=room, stale_if_error=stale, ask_ahead=ahead)
        self.room, self.stale, self.ahead = room, stale, ahead
        self.now = 1000.0
        self.number = 0
        self.in_flight: list[tuple[int, str, float]] = []
        self.said: dict[
            str, tuple
        ] = {}  # the newest answer for an issuer: kind, number, time, tenant
        self.failed: dict[
            str, tuple[float, float]
        ] = {}  # when the last call failed, and its backoff
        self.paid: list[float] = []
        self.forgot: dict[str, int] = {}  # the newest call when an issuer was forgotten
        self.gone: list[Tenant] = []  # tenants that may never count again
        self.given: list[Tenant] = []

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: float) -> None:
        self.now += step

    def flying(self, issuer: str) -> bool:
        return any(one == issuer for _, one, _ in self.in_flight)

    def take_off(self, issuer: str) -> None:
        self.number += 1
        self.in_flight.append((self.number, issuer, self.now))

    @rule(issuer=st.sampled_from(ISSUERS))
    def a_token_comes(self, issuer: str) -> None:
        in_flight = self.flying(issuer)
        one = self.table.held(issuer)
        decision = self.table.look_up(issuer, self.now, in_flight=in_flight)
        failing = self.failed.get(issuer)
        resting = failing is not None and self.now < failing[0] + failing[1] - 1e-9
        match decision:
            case Use(tenant=used, ask_in_background=behind):
                assert used is one
                age = self.now - one.asked_at
                assert age < TTL or (failing is not None and age < TTL + self.stale)
                assert not behind or (self.ahead and not in_flight and age >= DUE - 1e-9)
                if behind:
                    assert not resting
                    self.take_off(issuer)
            case Ask(pays=pays):
                assert pays == (one is None and not in_flight)
                assert in_flight or not resting
                if pays:
                    self.paid.append(self.now)
                    self.table.pay(self.now)
                if not in_flight:
                    self.take_off(issuer)
            case Unknown():
                kind, _, at, _ = self.said[issuer]
                assert kind == "refused"
                assert self.now < at + REFUSED_FOR
                assert one is None
            case Busy(retry_after=wait, failure=failure):
                assert wait > 0
                assert not in_flight
                assert (failure is None) == (not resting)
                if failure is None:
                    assert one is None
            case _:
                raise AssertionError(decision)

    def end(self, at: int) -> tuple[int, str, float] | None:
        """End a call; return None if it is outdated, which the table knows."""
        number, issuer, began = self.in_flight.pop(at % len(self.in_flight))
        if number <= self.forgot.get(issuer, 0):
            return None  # the client drops it: it began before the issuer was forgotten
        known = self.said.get(issuer)
        held = self.table.held(issuer)
        news = self.table.is_news(issuer, number)
        if held is not None or (known is not None and known[0] != "came"):
            assert news == (known is None or number > known[1])
        return (number, issuer, began) if news else None

    @rule(at=st.integers(0, 9), again=st.booleans())
    def a_tenant_comes(self, at: int, again: bool) -> None:
        if not self.in_flight or (call := self.end(at)) is None:
            return
        number, issuer, began = call
        former = self.table.held(issuer)
        one = former if again and former is not None else tenant(issuer)
        verified = {one for one in self.table.tenants if one.verified}
        left = self.table.record_tenant(one, number, began)
        if former is not None and one is not former:
            assert former in left
            self.gone.append(former)
        others = [each for each in left if each is not former]
        assert not any(each in verified for each in others)  # a new tenant evicts new tenants
        self.said[issuer] = ("came", number, self.now, one)
        self.failed.pop(issuer, None)
        self.made_room(left)
        if one not in self.given:
            self.given.append(one)

    def made_room(self, left: list[Tenant]) -> None:
        for (
            one
        ) in left:  # its backoff is dropped with it: the issuer pays a permit for the next call
            self.failed.pop(one.issuer, None)

    @rule(at=st.integers(0, 9))
    def there_is_no_such_tenant(self, at: int) -> None:
        if not self.in_flight or (call := self.end(at)) is None:
            return
        number, issuer, _ = call
        former = self.table.held(issuer)
        assert self.table.record_absent(issuer, number, self.now) is former
        self.gone += [one for one in self.given if one.issuer == issuer]
        self.said[issuer] = ("refused", number, self.now, None)
        self.failed.pop(issuer, None)

    @rule(at=st.integers(0, 9), draw=st.floats(0, 1), failure=st.sampled_from([QUICK, SLOW]))
    def a_call_fails(self, at: int, draw: float, failure: Failure) -> None:
        if not self.in_flight or (call := self.end(at)) is None:
            return
        number, issuer, _ = call
        one = self.table.held(issuer)
        rest = self.table.record_failure(issuer, number, failure, self.now, draw)
        assert self.table.held(issuer) is one
        assert rest <= 30
        assert rest >= 0.5 or (rest == 0 and one is None and not failure.slow)
        self.failed[issuer] = (self.now, rest)
        self.said[issuer] = ("failed", number, self.now, one)

    @rule(which=st.integers(0, 30))
    def a_token_verifies(self, which: int) -> None:
        if not self.given:
            return
        one = self.given[which % len(self.given)]
        was_held = one.held
        left = self.table.verified(one, self.now)
        assert one.verified or not one.held
        assert one not in left
        self.made_room(left)
        if was_held:
            assert left == []
        elif one.held:
            assert one not in self.gone
            assert self.now < one.asked_at + REFUSED_FOR

    @rule(issuer=st.sampled_from(ISSUERS))
    def it_is_forgotten(self, issuer: str) -> None:
        one = self.table.held(issuer)
        assert self.table.forget(issuer) is one
        self.gone += [each for each in self.given if each.issuer == issuer]
        self.said.pop(issuer, None)
        self.failed.pop(issuer, None)
        self.forgot[issuer] = self.number
        self.in_flight = [call for call in self.in_flight if call[1] != issuer]

    @invariant()
    def there_is_room_for_so_many(self) -> None:
        if hasattr(self, "table"):
            assert len(self.table.tenants) <= self.room

    @invariant()
    def who_went_counts_no_more(self) -> None:
        if hasattr(self, "table"):
            assert not any(one.held or one.cache.key_set is not None for one in self.gone)
            assert all(self.table.held(one.issuer) is one for one in self.given if one.held)

    @invariant()
    def new_issuers_stay_within_the_bucket(self) -> None:
        for first in getattr(self, "paid", [])[-60:]:
            within = [at for at in self.paid if first <= at]
            assert len(within) <= BURST + PER_SECOND * (self.now - first) + 1e-6


TestWalk = Walk.TestCase
TestWalk.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, derandomize=True
)
