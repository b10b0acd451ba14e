"""The memory of verified tokens: which entries still count, and how many are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from signed_tokens import KEY, NOW, SIGNER, rules, unverified

from jwks_client import CachePolicy, KeySet
from jwks_client._core.keysets.cache import KeyCache
from jwks_client._core.keysets.jwk import read_key_set
from jwks_client._core.tokens.memo import LONGEST, MOST_BYTES, MOST_HEADERS, Memo, Remembered
from jwks_client._core.tokens.unverified import UnverifiedHeader, UnverifiedToken
from jwks_client.testing._keys.signing_key import make_key

LIFE, DUE = 300.0, 240.0
KEYS = KeySet((KEY,))
SOON = 100.0  # monotonic: the key set was fetched at 50


class Holder:
    """The holder of a key set's facts; the tests change them."""

    def __init__(self, key_set=KEYS, **facts):
        self.cache = KeyCache(
            policy=CachePolicy(),
            due_share=DUE / LIFE,
            key_set=key_set,
            asked_at=50.0,
            lifetime=LIFE,
            **facts,
        )

    def change(self, **facts):
        self.cache = replace(self.cache, **facts)


def remembered(holder=None, **changes):
    """Return a verification at NOW, at monotonic 100, that is valid for a minute."""
    its_rules = rules()
    facts = its_rules.check_claims(unverified(), KEY, NOW)
    usual = {
        "facts": facts,
        "rules": its_rules,
        "holder": holder or Holder(),
        "earlier": (),
        "earliest": NOW - 30,
        "latest": NOW + 90,
        "until": SOON + LONGEST,
    }
    return Remembered(**{**usual, **changes})


def test_an_entry_counts_while_verification_would_give_the_same_result():
    """A remembered verification counts while its times, its own end and its key set all allow it."""
    assert remembered().counts(NOW, SOON)


@pytest.mark.parametrize(
    ("wall", "counts"),
    [(NOW - 30, True), (NOW - 30.5, False), (NOW + 89.5, True), (NOW + 90, False)],
)
def test_the_token_s_times_are_judged_at_every_hit(wall, counts):
    """A token counts from the first moment that its time checks pass until the first moment that they fail."""
    assert remembered().counts(wall, SOON) is counts


@pytest.mark.parametrize(("now", "counts"), [(SOON + 9.5, True), (SOON + 10, False), (1e9, False)])
def test_an_entry_has_its_own_end(now, counts):
    """An entry ends by the monotonic clock, so a wall clock that is set back does not prolong it."""
    assert remembered(until=SOON + 10).counts(NOW, now) is counts


def test_an_entry_lives_300_seconds_at_most():
    """An entry lives for at most 300 seconds."""
    assert LONGEST == 300


@pytest.mark.parametrize(
    ("now", "counts"), [(50, True), (50 + DUE - 0.5, True), (50 + DUE, False), (50 + LIFE, False)]
)
def test_a_hit_counts_only_while_the_set_is_fresh(now, counts):
    """An entry does not count once its key set is due: the token takes the whole path."""
    assert remembered(until=1e9).counts(NOW, now) is counts


def test_an_entry_counts_again_when_its_set_is_renewed():
    """A renewed set is fresh again, and its tokens are still remembered."""
    holder = Holder()
    entry = remembered(holder, until=1e9)
    assert not entry.counts(NOW, 1000)
    holder.change(asked_at=990.0)
    assert entry.counts(NOW, 1000)


def other_set(*keys):
    return read_key_set({"keys": list(keys)}, max_keys=9)


OTHER = make_key("ES256", "k2", borrower=None).jwk()
SWAPPED = make_key("ES256", "k1", borrower=None).jwk()


@pytest.mark.parametrize(
    ("key_set", "counts"),
    [
        (other_set(SIGNER.jwk()), True),
        (other_set(SIGNER.jwk(), OTHER), True),
        (other_set(OTHER, SIGNER.jwk()), True),
        (other_set(OTHER), False),
        (other_set(SWAPPED), False),
        (other_set({**SIGNER.jwk(), "kid": "k2"}), False),
        (None, False),
    ],
)
def test_a_token_is_bound_to_the_key_itself(key_set, counts):
    """Adding a key drops nothing; withdrawing, replacing or renaming a key drops its tokens."""
    holder = Holder()
    entry = remembered(holder)
    holder.change(key_set=key_set)
    assert entry.counts(NOW, SOON) is counts


def test_an_entry_does_not_count_without_its_key_set():
    """An entry does not count without its key set, even if its other facts look fresh."""
    holder = Holder(key_set=None)
    assert not remembered(holder, until=1e9).counts(NOW, -1e9)


def test_a_later_candidate_s_entry_depends_on_the_earlier_candidates():
    """A later candidate's entry counts while the earlier candidates' sets are fresh and unchanged, because they might know the token by now."""
    first, second = Holder(other_set(OTHER)), Holder(other_set(SWAPPED))
    seen = tuple((one, one.cache.key_set) for one in (first, second))
    entry = remembered(earlier=seen)
    assert entry.counts(NOW, SOON)
    second.change(asked_at=SOON - DUE)
    assert not entry.counts(NOW, SOON)
    second.change(asked_at=SOON - DUE + 0.5)
    assert entry.counts(NOW, SOON)
    second.change(key_set=other_set(SWAPPED, OTHER))
    assert not entry.counts(NOW, SOON)


def test_an_entry_is_found_while_it_counts():
    """An entry is found under its own key only, and counts only while verification would give the same result."""
    memo, entry = Memo(2), remembered()
    memo.remember("a", entry)
    assert memo.entries.get("a") is entry
    assert memo.entries.get("b") is None
    assert entry.counts(NOW, SOON)
    assert not entry.counts(NOW + 90, SOON)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_memory_is_bounded_and_drops_the_oldest(size):
    """However many tokens come, at most `size` entries are kept: the newest."""
    memo, entry = Memo(size), remembered()
    for number in range(20):
        memo.remember(number, entry)
        assert len(memo) == min(number + 1, size)
    kept = [number for number in range(20) if number in memo.entries]
    assert kept == list(range(20 - size, 20))


def test_a_token_remembered_again_is_the_newest():
    """A token that is remembered again replaces its older entry."""
    memo, old, new = Memo(2), remembered(), remembered()
    memo.remember("a", old)
    memo.remember("b", old)
    memo.remember("a", new)
    assert len(memo) == 2
    assert memo.entries.get("a") is new
    memo.remember("a", old)  # already the newest: nothing is dropped for it
    assert len(memo) == 2
    memo.remember("c", new)
    assert memo.entries.get("b") is None
    assert memo.entries.get("a") is old


def test_size_0_turns_the_memory_off():
    """With size 0 the memory reports that it keeps no tokens, and the client does not use it."""
    assert not Memo(0).keeps_tokens
    assert Memo(1).keeps_tokens


def _with_segment(segment: bytes) -> UnverifiedToken:
    return UnverifiedToken(
        raw="",
        header=UnverifiedHeader({"alg": "ES256"}, "ES256", None, None, (None, "ES256")),
        claims={},
        payload=b"",
        header_segment=segment,
        signing_input=b"",
        signature=b"",
    )


def test_the_number_of_remembered_headers_is_bounded():
    """However many different headers verified tokens have, only the newest few are kept."""
    memo = Memo(1)
    for number in range(200):
        memo.remember_header(_with_segment(b"%d" % number))
        again = memo.headers[b"%d" % number]
        memo.remember_header(_with_segment(b"%d" % number))
        assert memo.headers[b"%d" % number] is again
    assert len(memo.headers) == MOST_HEADERS
    assert b"199" in memo.headers
    assert b"0" not in memo.headers


def test_unwanted_entries_are_dropped_and_the_rest_stay():
    """Entries are dropped by what they hold; the other entries keep their places."""
    memo, gone, kept = Memo(3), remembered(), remembered()
    for key, entry in (("a", gone), ("b", kept), ("c", gone)):
        memo.remember(key, entry)
    memo.drop(lambda entry: entry is gone)
    assert list(memo.entries) == ["b"]


def test_a_large_memory_drops_a_few_entries_at_once():
    """A large memory drops its oldest entries, at most one in sixty-four in addition to the entry that must go."""
    memo, entry = Memo(128), remembered()
    for number in range(129):
        memo.remember(number, entry)
    assert list(memo.entries) == list(range(3, 129))


def _of_size(characters, words=0):
    facts = remembered().facts._replace(
        raw="x" * characters, scopes=frozenset(map(str, range(words)))
    )
    return remembered(facts=facts)


@pytest.mark.parametrize(("characters", "words"), [(16_000, 3000), (1_000_000, 0), (1000, 0)])
def test_the_memory_is_bounded_in_bytes(characters, words):
    """Tokens of 16 KiB with thousands of scopes do not take hundreds of megabytes."""
    memo = Memo(100_000)
    each = characters + 80 * words
    entry = _of_size(characters, words)
    for number in range(64 + MOST_BYTES // each):
        memo.remember(number, entry)
        assert len(memo) * each <= MOST_BYTES
    assert number in memo.entries


def test_dropped_entries_free_their_bytes():
    """A memory that was emptied or rewritten holds as much as a new one."""
    fresh, used = Memo(1000), Memo(1000)
    for number in range(2000):
        used.remember(number % 7, _of_size(16_000, 10 * (number % 5)))
        used.remember(str(number), _of_size(100))
    used.drop(lambda _: True)
    for memo in (fresh, used):
        for number in range(1000):
            memo.remember(number, _of_size(30_000))
    assert len(fresh) == len(used) < 1000


def test_a_token_that_is_too_large_is_not_remembered():
    """A token too large for the memory is not remembered, because it would evict all others."""
    memo = Memo(10)
    memo.remember(1, _of_size(MOST_BYTES))
    assert len(memo) == 0
