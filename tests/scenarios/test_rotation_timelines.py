"""Months of real rotations, replayed: tokens of a published key verify, whatever a provider does."""

from __future__ import annotations

import measured
import pytest
from virtual import OK

pytestmark = pytest.mark.collection("jwks-rotation")

# Fetches of a whole timeline. One more is a change of behaviour: check it, then docs/how-keys-live.md.
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
    """Return the kind of client that gets the tokens."""
    return request.param


@pytest.mark.parametrize("name", measured.TIMELINES)
class TestTimelines:
    def test_tokens_of_published_keys_always_verify(self, kind, name, vectors):
        """Just before each change, at the very moment, and later, no token of a published key is refused."""
        timeline = measured.timeline(kind, name, vectors)
        assert timeline.published == {OK: timeline.tokens}
        assert timeline.tokens >= 3 * timeline.changes

    def test_the_provider_is_rarely_asked(self, kind, name, vectors, record_property):
        """The number of fetches is known: about three for each change."""
        timeline = measured.timeline(kind, name, vectors)
        record_property("fetches", timeline.fetches)
        assert timeline.fetches <= MOST_FETCHES[name]
        assert timeline.fetches <= 4 * (timeline.changes + 1)

    def test_withdrawn_keys_are_refused(self, kind, name, vectors):
        """Tokens of the keys that a change withdrew are refused after a lifetime."""
        timeline = measured.timeline(kind, name, vectors)
        assert OK not in timeline.withdrawn
        assert set(timeline.withdrawn) <= {"unknown_key", "bad_signature"}
        assert sum(timeline.withdrawn.values()) > 0


def test_keys_that_come_and_go(vectors):
    """One endpoint withdraws keys and publishes them again 150 times in this replay."""
    timeline = measured.timeline("sync", "entra-common", vectors)
    assert timeline.brought_back == 150
    assert (timeline.changes, timeline.days) == (234, 142)
