"""A flight's use of a store: seeds, leases, limits. On fake stores and a clock that stands still."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fake_stores import FakePace, FakeStore, Stopped

from jwks_client import CachePolicy, FetchPolicy, Provider
from jwks_client._client.keysets.shared import SharedKeySet
from jwks_client._client.keysets.store_calls import StoreCalls
from jwks_client._client.keysets.visit import Visit
from jwks_client._core.keysets.cache import Budget, KeyCache
from jwks_client._core.keysets.fetch import Failed, Fetched, Plan, Validators
from jwks_client._core.keysets.freshness import Freshness
from jwks_client._core.keysets.jwk import read_key_set
from jwks_client.testing._keys.signing_key import make_key

URL = "https://issuer.test/keys"
KEYS = {kid: make_key("ES256", kid, borrower=None).jwk() for kid in ("k1", "k2")}


def body(*kids: str) -> bytes:
    return json.dumps({"keys": [KEYS[kid] for kid in kids]}).encode()


@dataclass
class Purpose:
    budget: Budget = Budget.ROUTINE
    kid: str | None = None
    began_at: float = 0.0
    ignores_store: bool = False


class Process:
    """One process: its cache, its clock that may differ, and its use of the store."""

    def __init__(self, store: Any, pace: FakePace, *, skew: float = 0.0, **settings: Any) -> None:
        self.pace, self.skew, self.events = pace, skew, []
        provider = {"name": "p", "issuer": "i", "audience": "a", "jwks_url": URL}
        provider |= settings.pop("provider", {})
        plan = Plan(
            provider=Provider(**provider),
            cache=settings.pop("cache", CachePolicy()),
            fetch=settings.pop("fetch", FetchPolicy()),
        )
        self.calls = StoreCalls(store, lambda: 1.0, pace)
        self.shared = SharedKeySet(
            self.calls,
            plan,
            own_http=settings.pop("own_http", False),
            clock=self,
            emit=self.events.append,
            draw=lambda: 0.0,
        )
        self.cache = KeyCache(policy=plan.cache, due_share=0.8)
        self.flights = 0
        self.fetches = 0
        self.conditions: list[Validators | None] = []

    def monotonic(self) -> float:
        return self.pace.now

    def time(self) -> float:
        return 1_700_000_000 + self.pace.now + self.skew

    def fly(
        self, sends: Any = ("k1",), stopped: Any = None, takes: float = 0.1, **purpose: Any
    ) -> Any:
        """Run one flight: ``sends`` are the provider's kids, or 304, or None for an outage."""
        why = Purpose(began_at=self.pace.now, **purpose)
        visit = Visit(why)
        landed = self.shared.before(visit, self.cache, stopped or Stopped())
        outcome: Any = landed
        if landed is None:
            self.fetches += 1
            seed = visit.seed
            self.conditions.append(
                seed.validators if seed else self.cache.key_set and self.cache.validators
            )
            self.pace.now += takes
            outcome = self.shared.after(visit, self.cache, answer(sends))
        self.flights += 1
        if isinstance(outcome, Failed) and outcome.postponed is not None:
            return outcome
        if isinstance(outcome, Fetched):
            self.cache = self.cache.fetched(self.flights, outcome, why.began_at)
        else:
            self.cache = self.cache.failed(self.flights, outcome, self.pace.now, 0.0)
        return outcome

    @property
    def kids(self) -> list[str]:
        return [key.kid for key in self.cache.key_set or ()]

    @property
    def state(self) -> str:
        return self.cache.state(self.pace.now)


def begun(process: Process, why: Purpose) -> Visit:
    """Return a visit that has the lease, of a flight that has not ended."""
    visit = Visit(why)
    process.shared.before(visit, process.cache, Stopped())
    return visit


def answer(sends: Any) -> Fetched | Failed:
    if sends is None:
        return Failed(code="fetch_failed", message="down")
    fetched = Fetched(
        key_set=None,
        freshness=None,
        validators=Validators(URL, '"e"', None),
        discovered=None,
        requests=1,
    )
    if sends == 304:
        return fetched
    return replace(
        fetched,
        key_set=read_key_set(body(*sends), max_keys=100),
        freshness=Freshness(300.0, 3600.0),
        body=body(*sends),
        caching={"cache-control": "max-age=300"},
    )


@pytest.fixture
def pace():
    return FakePace()


@pytest.fixture(params=[True, False], ids=["clock", "no clock"])
def any_store(request, pace):
    store = FakeStore(pace, clocked=request.param)
    yield store
    store.let_go.set()


@pytest.fixture
def store(pace):
    store = FakeStore(pace)
    yield store
    store.let_go.set()


@pytest.fixture
def seed_store(pace):
    store = FakeStore(pace, clocked=False)
    yield store
    store.let_go.set()


def test_a_second_process_uses_the_first_one_s_fetch(store, pace):
    """Once one process has fetched, another uses the result, with its true age."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly()
    pace.now += 50
    two.fly()
    assert (one.fetches, two.fetches, two.kids) == (1, 0, ["k1"])
    assert two.monotonic() - two.cache.asked_at == pytest.approx(50.1)


def test_a_store_without_a_clock_is_a_seed(seed_store, pace):
    """If the store has no clock, a later process sends the provider a conditional request."""
    one, two = Process(seed_store, pace), Process(seed_store, pace)
    one.fly()
    pace.now += 50
    two.fly(304)
    assert (two.fetches, two.conditions[0].etag, two.kids) == (1, '"e"', ["k1"])
    assert two.state == "fresh"


def test_a_304_renews_the_record(any_store, pace):
    """A 304 counts as a fetch: the record is rewritten with its body, and other processes can use it."""
    one = Process(any_store, pace)
    one.fly()
    pace.now += 290
    one.fly(304)
    pace.now += 200
    two = Process(any_store, pace)
    two.fly(304)
    assert two.kids == ["k1"]
    assert two.fetches == (0 if any_store.clocked else 1)


def test_after_a_304_to_a_seed_the_record_is_complete(seed_store, pace):
    """A process that never saw the body itself writes a complete record."""
    Process(seed_store, pace).fly()
    pace.now += 10
    Process(seed_store, pace).fly(304)
    seed_store.clocked = True
    three = Process(seed_store, pace)
    three.fly(None)
    assert (three.fetches, three.kids) == (0, ["k1"])


def test_a_304_without_its_body_writes_nothing(store, pace):
    """After a 304 to a set whose body this process no longer has, the record stays unchanged."""
    one = Process(store, pace)
    one.fly()
    one.shared._held = None
    store.values.clear()
    pace.now += 300
    one.fly(304)
    assert store.values == {}


def test_processes_without_the_lease_wait_for_the_record(any_store, pace):
    """While another process fetches, this one waits and adopts the new record without a fetch."""
    one, two = Process(any_store, pace), Process(any_store, pace)
    why = Purpose(began_at=pace.now)
    visit = begun(one, why)
    assert visit.lease

    def lead():
        if len(pace.waits) == 5:
            one.shared.after(visit, one.cache, answer(("k1",)))

    pace.on_wait = lead
    two.fly()
    assert (two.fetches, two.kids, two.state) == (0, ["k1"], "fresh")
    assert all(0.02 <= wait <= 0.2 for wait in pace.waits)
    assert two.monotonic() - two.cache.asked_at < 1


def test_a_replayed_record_keeps_its_age(seed_store, pace):
    """A record that is put back while this process waits counts by its own time, not by the wait."""
    Process(seed_store, pace).fly()
    [(name, (value, _))] = seed_store.values.items()
    seed_store.values.clear()
    pace.now += 1000
    seed_store.leases[name + ":lease"] = pace.now + 100
    pace.on_wait = lambda: seed_store.values.update({name: (value, pace.now)})
    two = Process(seed_store, pace)
    two.fly(None)
    assert (two.fetches, two.state) == (1, "stale")


def test_a_leader_that_was_killed_costs_a_second(store, pace):
    """If a lease's holder is gone, one more process fetches after 1 s, and each process after 2 s."""
    dead = Process(store, pace)
    begun(dead, Purpose(began_at=pace.now))
    began = pace.now
    Process(store, pace).fly(takes=0)
    assert 1.0 <= pace.now - began < 1.3
    store.values.clear()
    store.leases = dict.fromkeys(store.leases, 1e9) | dict.fromkeys(_both(store), 1000000000.0)
    began = pace.now
    late = Process(store, pace)
    late.fly(takes=0)
    assert 1.9 < pace.now - began < 2.2


def test_an_endless_lease_costs_its_wait_once(store, pace):
    """A lease that never ends is not waited for again for half a minute."""
    store.answers["claim"] = False
    one = Process(store, pace)
    one.fly(takes=0)
    assert sum(pace.waits) <= 2.2
    pace.waits.clear()
    store.values.clear()
    pace.now += 300
    one.calls.distrust_leases()
    one.fly(takes=0)
    assert pace.waits == []
    assert one.fetches == 2


def test_a_short_deadline_shortens_the_wait(store, pace):
    """Waiting for a lease leaves most of the deadline to the fetch."""
    store.answers["claim"] = False
    Process(store, pace, fetch=FetchPolicy(deadline=1)).fly(takes=0)
    assert sum(pace.waits) <= 0.5


def test_the_lease_holder_reads_again(store, pace):
    """A process that gets the lease reads again, as the record may have appeared in between."""
    one, two = Process(store, pace), Process(store, pace)
    claim = store.claim

    def late(name, seconds):
        store.claim = claim
        one.fly()
        return claim(name, seconds)

    store.claim = late
    two.fly()
    assert (one.fetches, two.fetches) == (1, 0)
    assert store.leases == {}


def test_leases_are_released(store, pace):
    """No lease is left after a fetch, good or bad."""
    Process(store, pace).fly()
    assert store.leases == {}
    store.values.clear()
    Process(store, pace).fly(None)
    assert store.leases == {}


def test_failures_are_not_shared(store, pace):
    """One process with a broken network does not stop the others."""
    broken, good = Process(store, pace), Process(store, pace)
    broken.fly(None)
    good.fly()
    assert (good.fetches, good.kids) == (1, ["k1"])


def test_a_restart_in_an_outage(any_store, pace):
    """A new process continues with stored keys during an outage, for a limited time."""
    Process(any_store, pace).fly()
    pace.now += 100
    fresh = Process(any_store, pace)
    fresh.fly(None)
    assert fresh.state == ("fresh" if any_store.clocked else "stale")
    pace.now += 1000
    late = Process(any_store, pace)
    late.fly(None)
    assert (late.fetches, late.kids, late.state) == (1, ["k1"], "stale")
    pace.now += 3600
    beyond = Process(any_store, pace)
    beyond.fly(None)
    assert (beyond.kids, beyond.state) == ([], "cold")


def test_a_rotation_seen_by_one_process_reaches_the_others(store, pace):
    """A process looks for an unknown kid in the store before it fetches."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly()
    two.fly()
    pace.now += 10
    one.fly(("k1", "k2"), budget=Budget.UNKNOWN_KID, kid="k2")
    two.fly(None, budget=Budget.UNKNOWN_KID, kid="k2")
    assert (one.fetches, two.fetches, two.kids) == (2, 0, ["k1", "k2"])


def test_a_record_that_lacks_the_kid_proves_nothing(store, pace):
    """A record from before a rotation does not decide about the new kid: the process fetches."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly()
    pace.now += 0.5
    two.fly(("k1", "k2"), budget=Budget.UNKNOWN_KID, kid="k2")
    assert (two.fetches, two.kids) == (1, ["k1", "k2"])


def test_a_withdrawal_reaches_the_others(store, pace):
    """A process whose keys are due adopts the set without the withdrawn key."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly(("k1", "k2"))
    two.fly()
    assert two.kids == ["k1", "k2"]
    pace.now += 250
    one.fly(("k1",))
    two.fly()
    assert (two.fetches, two.kids) == (0, ["k1"])


@pytest.mark.parametrize("skew", [-600.0, 600.0])
def test_clocks_that_differ_make_nothing_younger(any_store, pace, skew):
    """With wall clocks ten minutes apart, a withdrawn key is used no longer than its lifetime."""
    Process(any_store, pace, skew=skew).fly(("k1", "k2"))
    pace.now += 200
    two = Process(any_store, pace)
    two.fly(("k1",))
    assert pace.now - two.cache.asked_at >= 200 or two.kids == ["k1"]


def test_an_older_record_is_not_adopted(store, pace):
    """A record of an earlier fetch does not replace a process's own set."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly(("k1",))
    old = dict(store.values)
    pace.now += 290
    two.fly(("k1", "k2"))
    store.values = old
    pace.now += 1
    two.fly(None)
    assert (two.fetches, two.kids) == (2, ["k1", "k2"])


def test_a_manual_refresh_asks_the_provider(store, pace):
    """`refresh` and the first load after `forget` use no record and wait for no lease, but write a record."""
    one, two = Process(store, pace), Process(store, pace)
    one.fly(("k1",))
    store.calls.clear()
    two.fly(("k1", "k2"), ignores_store=True)
    assert (two.fetches, two.kids) == (1, ["k1", "k2"])
    assert store.calls == {"write": 1}
    three = Process(store, pace)
    three.fly(None)
    assert three.kids == ["k1", "k2"]


def test_the_record_is_written_before_the_set_lands(store, pace):
    """A process that ends as soon as it has its keys leaves a record and no lease."""
    one = Process(store, pace)
    why = Purpose(began_at=pace.now)
    visit = begun(one, why)
    one.shared.after(visit, one.cache, answer(("k1",)))
    assert store.values
    assert store.leases == {}


def test_without_a_scope_a_caller_supplied_client_uses_no_store(store, pace):
    """A set whose configuration is not fully known is fetched as without a store, unless a scope names it."""
    Process(store, pace, own_http=True).fly()
    Process(store, pace, provider={"headers": dict}).fly()
    assert not store.calls
    for _ in range(2):
        Process(store, pace, own_http=True, provider={"store_scope": "x"}).fly()
    assert store.calls["write"] == 1


def test_a_changed_ca_file_is_another_configuration(store, pace, tmp_path):
    """Records are bound to the contents of ca_file, which is read again when it changes; if unreadable, no store is used."""
    path = tmp_path / "ca.pem"
    path.write_text("one")
    one = Process(store, pace, fetch=FetchPolicy(ca_file=str(path)))
    one.fly()
    path.write_text("two")
    one.fly()
    assert len(store.values) == 2
    path.unlink()
    store.calls.clear()
    one.fly()
    assert not store.calls


@pytest.mark.parametrize("action", ["read", "write", "claim", "release"])
def test_a_store_that_fails_changes_no_verdict(any_store, pace, action):
    """If any call fails, the process fetches for itself at once, and reports the failure once per backoff."""
    any_store.fail = {action}
    one = Process(any_store, pace)
    began = pace.now
    for _ in range(3):
        one.fly(takes=0)
        assert one.kids == ["k1"]
    assert pace.now == began
    assert [event.action for event in one.events] == [action]


@pytest.mark.parametrize("action", ["read", "write", "claim", "release"])
def test_a_store_that_hangs_delays_once(any_store, pace, action):
    """If any call hangs, the delay is at most 0.3 s, and the next flights do not wait."""
    any_store.hang = {action}
    one = Process(any_store, pace)
    began = pace.now
    one.fly(takes=0)
    assert pace.now - began <= 0.3
    for _ in range(3):
        one.fly(takes=0)
    assert pace.now - began <= 0.3
    assert one.kids == ["k1"]


def test_a_store_that_is_always_slow_delays_within_limits(any_store, pace):
    """Calls that each take just under the limit add up to at most 0.3 s in one flight."""
    any_store.slow = dict.fromkeys(("read", "claim", "write"), 0.2)
    Process(any_store, pace).fly(takes=0)
    # After the first call the time is over. The write begins, and is hardly waited for.
    assert any_store.calls == {"read": 1, "write": 1}


@pytest.mark.parametrize(
    ("planted", "code"),
    [
        (b"garbage", "not_a_record"),
        (b"x" * 50_000_000, "record_too_large"),
        (b"jwks_client/0 sealed x\n", "other_version"),
        (b"", "not_a_record"),
        ("cut", "seal_wrong"),
        ("other secret", "seal_wrong"),
        ("unsealed", "seal_missing"),
        ("swapped", "seal_wrong"),
        ("no keys", "bad_key_set"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_hostile_record_plants_nothing(store, pace, planted, code):
    """The provider's keys are used, not what the store contains; the record is reported once and overwritten."""
    honest = Process(store, pace)
    honest.fly()
    [name] = store.values
    if planted == "cut":
        planted = store.values[name][0][:-5]
    elif planted in ("other secret", "unsealed"):
        secrets = (b"o" * 32,) if planted == "other secret" else ()
        other = FakeStore(pace, secrets=secrets)
        Process(other, pace).fly(("k2",))
        planted = other.values[name][0]
    elif planted == "swapped":
        other = FakeStore(pace)
        Process(other, pace, provider={"issuer": "other"}).fly(("k2",))
        [(planted, _)] = other.values.values()
    elif planted == "no keys":
        other = FakeStore(pace)
        twin = Process(other, pace)
        why = Purpose(began_at=pace.now)
        visit = begun(twin, why)
        twin.shared.after(visit, twin.cache, replace(answer(("k1",)), body=b"{}"))
        planted = other.values[name][0]
    store.values[name] = (planted, pace.now)
    one = Process(store, pace)
    one.fly()
    assert (one.fetches, one.kids) == (1, ["k1"])
    assert [event.code for event in one.events] == [code]
    two = Process(store, pace)
    two.fly()
    assert two.fetches == 0


def test_a_rotation_of_the_secret_loses_no_record(store, pace):
    """With the new secret first and the old one still listed, records of the old one are used."""
    Process(store, pace).fly()
    store.secrets = (b"n" * 32, b"s" * 32)
    two = Process(store, pace)
    two.fly()
    assert two.fetches == 0


def test_a_closed_client_stops_waiting(store, pace):
    """A flight that is stopped while it waits for a lease makes no further store call."""
    store.answers["claim"] = False
    stopped = Stopped()
    stopped.is_set = True
    one = Process(store, pace)
    one.shared.before(Visit(Purpose(began_at=pace.now)), one.cache, stopped)
    assert len(pace.waits) == 1


def test_a_flood_costs_the_fleet_as_much_as_one_process(store, pace):
    """Unknown kids at four processes cost the provider at most 3 + t/10 fetches."""
    fleet = [Process(store, pace) for _ in range(4)]
    for one in fleet:
        one.fly()
    began, before = pace.now, sum(one.fetches for one in fleet)
    while pace.now - began < 120:
        for one in fleet:
            one.fly(takes=0.05, budget=Budget.UNKNOWN_KID, kid=f"k{pace.now}")
        pace.now += 1
    fetches = sum(one.fetches for one in fleet) - before
    assert 12 <= fetches <= 3 + (pace.now - began) / 10


def test_a_refused_permit_says_when_the_next_is_due(store, pace):
    """While other processes' fetches are recent, an unknown kid is delayed until the next permit."""
    one, two = Process(store, pace), Process(store, pace)
    for _ in range(2):
        one.fly(budget=Budget.UNKNOWN_KID, kid="a")
    outcome = two.fly(budget=Budget.UNKNOWN_KID, kid="b")
    assert two.fetches == 0
    assert 9 < outcome.postponed <= 10
    pace.now += 10
    two.fly(budget=Budget.UNKNOWN_KID, kid="b")
    assert two.fetches == 1


def test_a_refusal_without_proof_does_not_count(seed_store, pace):
    """If no sealed record proves a recent fetch, each process pays from its own bucket."""
    seed_store.answers["claim"] = False
    one = Process(seed_store, pace)
    one.cache = one.cache.fetched(1, answer(("k1",)), pace.now)
    one.fly(takes=0, budget=Budget.UNKNOWN_KID, kid="x")
    assert one.fetches == 1
    waited = sum(pace.waits)
    one.fly(takes=0, budget=Budget.UNKNOWN_KID, kid="y")
    assert one.fetches == 2
    assert waited <= 2.2


def test_an_unused_permit_is_returned(store, pace):
    """A kid that another process found in the meantime costs no permit."""
    one, two = Process(store, pace), Process(store, pace)
    two.fly()
    pace.now += 100
    [name] = store.values
    store.leases[name + ":lease"] = pace.now + 6
    pace.on_wait = lambda: one.fly(("k1", "k2"), ignores_store=True)
    two.fly(budget=Budget.UNKNOWN_KID, kid="k2")
    assert two.kids == ["k1", "k2"]
    assert list(store.leases) == [name + ":lease"]


def _both(store):
    [name] = {name.removesuffix("-2") for name in store.leases}
    return name, name + "-2"
