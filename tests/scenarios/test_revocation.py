"""Withdrawn or replaced keys stop working within their bound, remembered tokens included."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from measured import A_YEAR
from virtual import OK, play

from jwks_client import CachePolicy, JWKSClient, TokenError
from jwks_client._client.verify import attempt as _attempt
from jwks_client.testing import FakeClock, FakeProvider

LIFE, STALE = 300, 3600


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    """Return the kind of client that plays the story."""
    return request.param


def refused(drive, token) -> str:
    with pytest.raises(TokenError) as caught:
        drive.verify(token)
    return caught.value.code


@pytest.fixture
def checked(monkeypatch) -> list[str]:
    """Return every token whose signature is checked, as it happens; remembered tokens are not among them."""
    tokens: list[str] = []
    find = _attempt.find_signing_key

    def find_signing_key(token, keys):
        tokens.append(token.raw)
        return find(token, keys)

    monkeypatch.setattr(_attempt, "find_signing_key", find_signing_key)
    return tokens


def recalled(client, token):
    """Return the memory's entry for a token, if it counts at this moment."""
    found = client._verifier.memo.entries.get(token)
    counts = found is not None and found.counts(client._clock.time(), client._clock.monotonic())
    return found if counts else None


def until_refused(token, clock, step: float):
    """Send a token ``step`` seconds apart until it is refused; return the code."""
    while (outcome := (yield token)) == OK:
        assert clock.monotonic() < 2 * (LIFE + STALE), "it is never refused"
        clock.advance(step)
    return outcome


class TestWithdrawn:
    def test_within_its_lifetime_and_one_fetch(self, kind, idp, clock, checked):
        """A token that comes each second, from the memory, still causes the refresh in time that refuses it."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            assert (yield token) == OK
            idp.revoke(idp.kid)
            outcome = yield from until_refused(token, clock, 1)
            return outcome, clock.monotonic()

        outcome, age = play(kind, story, idp)
        assert outcome == "unknown_key"
        assert age <= LIFE
        # All this came from the memory, except for the first second and those of the refresh.
        assert 1 <= len(checked) <= 3
        # One fetch brought the set without the key; the unknown kid then cost one more.
        assert idp.fetches == 3

    def test_without_refresh_ahead(self, kind, idp, clock, checked):
        """Without background work the caller at the end of the lifetime fetches, and its token is refused."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            assert (yield token) == OK
            idp.revoke(idp.kid)
            outcome = yield from until_refused(token, clock, 1)
            return outcome, clock.monotonic()

        policy = CachePolicy(refresh_ahead=None)
        assert play(kind, story, idp, cache=policy) == ("unknown_key", LIFE)
        assert len(checked) == 1
        assert idp.fetches == 2

    def test_with_a_long_lifetime(self, kind, idp, clock):
        """The bound is the lifetime of the provider's own response, where that is longer."""
        idp.answer_headers = {"Cache-Control": "max-age=3600"}

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.revoke(idp.kid)
            yield from until_refused(token, clock, 10)
            return clock.monotonic()

        assert 0.8 * 3600 <= play(kind, story, idp) <= 3600

    def test_during_an_outage(self, kind, idp, clock):
        """During an outage a withdrawn key still works for lifetime and stale time, and no longer."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.revoke(idp.kid)
            idp.fail(503)
            outcome = yield from until_refused(token, clock, 5)
            return outcome, clock.monotonic()

        assert play(kind, story, idp) == ("fetch_failed", LIFE + STALE)

    def test_at_the_end_of_an_outage(self, kind, idp, clock):
        """The first good response after an outage removes the key at once."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.revoke(idp.kid)
            idp.fail(503)
            while clock.monotonic() < 1000:
                assert (yield token) == OK
                clock.advance(5)
            idp.recover()
            recovered_at = clock.monotonic()
            outcome = yield from until_refused(token, clock, 0.25)
            return outcome, clock.monotonic() - recovered_at

        outcome, after = play(kind, story, idp)
        assert outcome == "unknown_key"
        assert after <= 30.25

    def test_fail_closed_during_an_outage(self, kind, idp, clock):
        """With ``stale_if_error=0`` only the lifetime is the bound, whatever the provider does."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.revoke(idp.kid)
            idp.fail(503)
            outcome = yield from until_refused(token, clock, 1)
            return outcome, clock.monotonic()

        policy = CachePolicy(ttl=60, max_ttl=60, stale_if_error=0)
        assert play(kind, story, idp, cache=policy) == ("fetch_failed", 60)

    def test_one_among_several(self, drive, idp):
        """Withdrawing one key removes its tokens, and no others."""
        drive.client(idp)
        old = idp.issue()
        drive.verify(old)
        idp.rotate()
        new = idp.issue()
        drive.verify(new)
        idp.revoke("key-1")
        drive.refresh()
        assert refused(drive, old) == "unknown_key"
        drive.verify(new)

    def test_a_key_that_comes_back(self, drive, idp, clock):
        """A withdrawn key that is published again counts again, from the set that has it."""
        drive.client(idp)
        token = idp.issue(expires_in=A_YEAR)
        drive.verify(token)
        withdrawn = idp._identity.keys.published.pop("key-1")
        idp.rotate()
        drive.refresh()
        assert refused(drive, token) == "unknown_key"
        clock.advance(10)  # past the memory of missing kids
        idp._identity.keys.published["key-1"] = withdrawn
        drive.verify(token)


class TestSwapped:
    def test_other_material_under_the_same_kid(self, drive, idp, checked):
        """Once the new set is loaded, the old material verifies nothing, remembered tokens included."""
        drive.client(idp)
        old = idp.issue()
        drive.verify(old)
        drive.verify(old)
        assert len(checked) == 1
        idp.swap(idp.kid)
        drive.refresh()
        assert refused(drive, old) == "bad_signature"
        drive.verify(idp.issue())

    def test_without_a_manual_refresh(self, kind, idp, clock):
        """A replaced key is refused within its lifetime plus one fetch, as a withdrawn one is."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.swap(idp.kid)
            outcome = yield from until_refused(token, clock, 1)
            return outcome, clock.monotonic()

        outcome, age = play(kind, story, idp)
        assert outcome == "bad_signature"
        assert age <= LIFE

    def test_the_new_material_is_found_by_its_first_token(self, drive, idp):
        """One token of the new material, refused by the old, fetches it at once and ends the old material."""
        drive.client(idp)
        old = idp.issue()
        drive.verify(old)
        idp.swap(idp.kid)
        drive.verify(idp.issue())
        assert refused(drive, old) == "bad_signature"
        assert idp.fetches == 2


class TestMemory:
    def test_adding_a_key_flushes_nothing(self, drive, idp, checked):
        """Remembered tokens stay remembered when a rotation adds a key."""
        drive.client(idp)
        token = idp.issue()
        drive.verify(token)
        idp.rotate()
        drive.refresh()
        drive.verify(token)
        assert checked == [token]

    def test_it_never_outlives_the_key(self, drive, idp, checked):
        """At the very moment at which a set without a key is visible, its tokens are out of the memory."""
        seen = []

        def listen(event):
            # Called as soon as the new set is visible, before any caller learns that the flight ended.
            if seen:
                seen.append(recalled(drive.current, token))

        drive.client(idp, listeners=[listen])
        token = idp.issue()
        drive.verify(token)
        seen.append(recalled(drive.current, token))
        assert seen[0] is not None
        idp.revoke(idp.kid)
        drive.refresh()
        assert seen[1:] == [None]

    def test_it_counts_only_while_the_set_is_fresh(self, drive, idp, clock, checked):
        """From the moment the set is due a remembered token takes the whole path, and so causes the refresh."""
        drive.client(idp)
        token = idp.issue(expires_in=A_YEAR)
        drive.verify(token)
        clock.advance(200)  # fresh, whatever the jitter
        drive.verify(token)
        assert len(checked) == 1
        clock.advance(90)  # due, whatever the jitter
        drive.verify(token)
        assert len(checked) == 2
        drive.settle()
        assert idp.fetches == 2


def test_several_providers_of_one_key_url(clock):
    """If providers share a key set, one withdrawal ends the key for all of them."""
    idp = FakeProvider(algorithm="ES256", clock=clock)
    other = replace(idp.provider, name="other", audience="other")
    client = JWKSClient(
        idp.provider, other, clock=clock, http=httpx.Client(transport=idp.transport)
    )
    tokens = [idp.issue(expires_in=A_YEAR), idp.issue(aud="other", expires_in=A_YEAR)]
    assert {client.verify(token).provider for token in tokens} == {"issuer.test", "other"}
    assert idp.fetches == 1
    idp.revoke(idp.kid)
    client.refresh("other")
    for token in tokens:
        with pytest.raises(TokenError) as caught:
            client.verify(token)
        assert caught.value.code == "unknown_key"


def test_many_withdrawals(kind):
    """Over hours in which a key is withdrawn each half hour, no token of a withdrawn key is accepted past its bound."""
    idp = FakeProvider(algorithm="ES256", clock=FakeClock())
    clock = idp.clock

    def story(client):
        tokens: dict[str, str] = {idp.kid: idp.issue(expires_in=A_YEAR)}
        withdrawn_at: dict[str, float] = {}
        for minute in range(0, 4 * 60, 3):
            if minute % 30 == 15:
                kid = idp.kid
                idp.rotate()
                tokens[idp.kid] = idp.issue(expires_in=A_YEAR)
                idp.revoke(kid)
                withdrawn_at[kid] = clock.monotonic()
            for kid in list(tokens)[-3:]:
                outcome = yield tokens[kid]
                if kid not in withdrawn_at:
                    assert outcome == OK
                elif clock.monotonic() - withdrawn_at[kid] >= LIFE:
                    assert outcome == "unknown_key"
            clock.advance(180)
        return len(withdrawn_at)

    assert play(kind, story, idp) == 8
