"""Months of real rotations, replayed: whatever a provider does, tokens of a published key verify."""

from __future__ import annotations

import measured
import pytest
from virtual import OK

pytestmark = pytest.mark.collection("jwks-rotation")

# Fetches of a whole timeline. One more is a change of behaviour: look at it, then at docs/how-keys-live.md.
MOST_FETCHES = {
    "apple": 17,
    "entra-common": 732,
    "facebook": 18,
    "google": 110,
    "spotify": 42,
    "yahoo": 20,
}


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    """Which client the tokens are given to."""
    return request.param


@pytest.mark.parametrize("name", measured.TIMELINES)
class TestTimelines:
    def test_tokens_of_published_keys_always_verify(self, kind, name, vectors):
        """Just before each change, at the very moment, and later: no token of a published key is refused."""
        timeline = measured.timeline(kind, name, vectors)
        assert timeline.published == {OK: timeline.tokens}
        assert timeline.tokens >= 3 * timeline.changes

    def test_the_provider_is_seldom_asked(self, kind, name, vectors, record_property):
        """The number of fetches is known, and stays within what was found: three or so for each change."""
        timeline = measured.timeline(kind, name, vectors)
        record_property("fetches", timeline.fetches)
        assert timeline.fetches <= MOST_FETCHES[name]
        assert timeline.fetches <= 4 * (timeline.changes + 1)

    def test_withdrawn_keys_are_over(self, kind, name, vectors):
        """Tokens of the keys that a change withdrew are refused when a life has gone by."""
        timeline = measured.timeline(kind, name, vectors)
        assert OK not in timeline.withdrawn
        assert set(timeline.withdrawn) <= {"unknown_key", "bad_signature"}
        assert sum(timeline.withdrawn.values()) > 0


def test_keys_that_come_and_go(vectors):
    """The endpoint that withdraws keys and brings them back does so 150 times in what is replayed here."""
    timeline = measured.timeline("sync", "entra-common", vectors)
    assert timeline.brought_back == 150
    assert (timeline.changes, timeline.days) == (234, 142)
