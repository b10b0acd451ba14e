"""The age and the lifetime of a record, and whether it replaces a fetch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keys import document, jwk

from jwks_client import CachePolicy
from jwks_client._core.keysets.adoption import Offer, is_newer, is_seed, offer_of, suffices
from jwks_client._core.keysets.cache import Budget, KeyCache
from jwks_client._core.keysets.fetch import Failed
from jwks_client._core.keysets.freshness import Freshness, caching_headers
from jwks_client._core.keysets.jwk import BadKeySet
from jwks_client._core.keysets.record import Record

NOW, WALL = 5000.0, 1_700_000_000.0
POLICY = CachePolicy()
OLD = document(jwk("ES256"))
NEW = document(jwk("ES256"), jwk("EdDSA", kid="k2"))
SWAPPED = document(jwk("EdDSA", kid="k1"))


def offer(body=NEW, in_store=0.0, asked=WALL, age=0.0, policy=POLICY, **headers) -> Offer:
    record = Record(
        body=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        url="https://issuer.test/keys",
        etag='"e"',
        last_modified="then",
        asked_at=asked,
        age=age,
    )
    return offer_of(record, in_store=in_store, policy=policy, max_keys=100, now=NOW, wall=WALL)


def cache(body=OLD, asked_at=NOW - 100, **facts) -> KeyCache:
    key_set = None if body is None else offer(body).key_set
    facts = {"due_share": 0.8, "lifetime": 300.0, "stale_for": 3600.0, **facts}
    return KeyCache(policy=POLICY, key_set=key_set, asked_at=asked_at, **facts)


COLD = cache(None, 0.0)


def test_each_reader_computes_lifetimes_by_its_own_policy():
    """A record's headers count within the reader's own bounds, not the writer's."""
    made = offer(cache_control="max-age=7200, stale-if-error=60")
    assert (made.lifetime, made.stale_for) == (3600.0, 60.0)
    mine = CachePolicy(max_ttl=600, stale_if_error=30)
    made = offer(cache_control="max-age=7200, stale-if-error=60", policy=mine)
    assert (made.lifetime, made.stale_for) == (600.0, 30.0)


def test_expires_counts_from_the_response():
    """Expires gives the same lifetime, whenever the record is read."""
    kept = caching_headers({"expires": "Tue, 14 Nov 2023 22:23:20 GMT"}, WALL)
    assert kept["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert offer(asked=WALL - 400, **kept).lifetime == 600.0
    aged = caching_headers({"expires": "Tue, 14 Nov 2023 22:23:20 GMT", "age": "120"}, WALL)
    assert (aged["date"], aged["age"]) == ("Tue, 14 Nov 2023 22:11:20 GMT", "120")
    assert caching_headers(
        {"date": "x", "age": "é", "cache-control": "a", "server": "s"}, WALL
    ) == {
        "date": "x",
        "cache-control": "a",
    }


def test_each_reader_parses_the_body_anew():
    """A body that is not a usable key set by the reader's own limits is refused."""
    for body in (b"{}", b"", b'{"keys": []}'):
        with pytest.raises(BadKeySet):
            offer(body)


def test_the_older_of_two_ages_counts():
    """The larger of two ages counts: by the wall clocks and by the store's clock."""
    assert offer(asked=WALL - 50, in_store=10.0, age=1.0).age(NOW) == 50.0
    assert offer(asked=WALL + 600, in_store=10.0, age=1.0).age(NOW) == 11.0
    assert offer(asked=WALL - 700, in_store=10.0, age=1.0).age(NOW) == 700.0


def test_without_a_clock_nothing_is_fresh():
    """A record of a store without a clock is at best past its lifetime, never fresh."""
    assert offer(in_store=None).age(NOW) == 300.0
    assert offer(in_store=None, asked=WALL + 600).age(NOW) == 300.0
    assert offer(in_store=None, asked=WALL - 900).age(NOW) == 900.0
    assert not suffices(offer(in_store=None), COLD, Budget.ROUTINE, None, NOW)
    assert is_seed(offer(in_store=None), COLD, NOW)


def test_an_older_record_is_never_adopted():
    """A record that was fetched before the cached set is never adopted."""
    older, newer = offer(asked=WALL - 200), offer(asked=WALL - 50)
    assert not is_newer(older, cache())
    assert not is_seed(older, cache(), NOW)
    assert is_newer(newer, cache())
    for budget in Budget:
        assert not suffices(older, cache(), budget, "k2", NOW)


def test_a_seed_serves_no_longer_than_stale_if_error():
    """A record serves in an outage until its lifetime and stale_if_error are over, counted from the original fetch."""
    assert is_seed(offer(asked=WALL - 3899), COLD, NOW)
    assert not is_seed(offer(asked=WALL - 3900), COLD, NOW)


@pytest.mark.parametrize(("age", "spared"), [(0, True), (239, True), (240, False), (301, False)])
def test_a_record_replaces_a_routine_fetch_until_it_is_due(age, spared):
    """A record replaces a routine fetch while it is not yet due by this process's own share."""
    assert suffices(offer(asked=WALL - age), COLD, Budget.ROUTINE, None, NOW) is spared
    never_due = replace(COLD, due_share=None)
    assert suffices(offer(asked=WALL - age), never_due, Budget.ROUTINE, None, NOW) is (age < 300)


def test_a_record_replaces_the_fetch_for_an_unknown_kid_only_if_it_has_the_kid():
    """A record replaces the fetch for an unknown kid only if it has that kid, within its lifetime."""
    assert suffices(offer(), cache(), Budget.UNKNOWN_KID, "k2", NOW)
    assert not suffices(offer(), cache(), Budget.UNKNOWN_KID, "k3", NOW)
    assert not suffices(offer(), cache(), Budget.UNKNOWN_KID, None, NOW)
    old = cache(asked_at=NOW - 1000)
    assert not suffices(offer(asked=WALL - 300), old, Budget.UNKNOWN_KID, "k2", NOW)


def test_a_record_replaces_the_fetch_after_a_bad_signature_only_with_other_material():
    """A record replaces the fetch after a bad signature only if that kid has other material in it."""
    assert suffices(offer(SWAPPED), cache(), Budget.BAD_SIGNATURE, "k1", NOW)
    assert not suffices(offer(NEW), cache(), Budget.BAD_SIGNATURE, "k1", NOW)


def test_an_adopted_record_keeps_its_age():
    """An adopted record's age counts from the original fetch, whatever path the keys took."""
    landed = COLD.fetched(1, offer(asked=WALL - 100).fetched(), NOW)
    assert landed.asked_at == NOW - 100
    assert landed.from_store
    assert landed.requests == 0
    assert landed.state(NOW + 139) == "fresh"
    assert landed.state(NOW + 140) == "due"
    assert landed.state(NOW + 200) == "stale"


def test_a_record_serves_in_an_outage():
    """After a failed fetch a record serves as stale keys do, and no longer."""
    seed = offer(asked=WALL - 1000)
    failure = Failed(code="fetch_failed", message="no", kept=seed.fetched())
    failed = COLD.failed(1, failure, NOW, 0.5)
    assert failed.state(NOW) == "stale"
    assert failed.failure is failure
    assert failed.in_backoff(NOW)
    assert failed.state(NOW + 2900) == "expired"


def test_the_discovered_url_is_kept():
    """A record names where the keys were found, and does not replace this process's own discovery."""
    validators = offer().validators
    assert (validators.url, validators.etag, validators.last_modified) == (
        "https://issuer.test/keys",
        '"e"',
        "then",
    )
    assert offer().fetched().discovered is None
    assert offer().fetched().freshness == Freshness(300.0, 3600.0)
