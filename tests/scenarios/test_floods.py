"""Floods of an attacker's tokens: fetches stay within their budgets, and good tokens never notice."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections import Counter
from contextlib import suppress
from random import Random

import httpx
import measured
import pytest
from virtual import OK, forged, play, same_bytes_once, with_kid

from jwks_client import AsyncJWKSClient, CachePolicy, FetchPolicy, JWKSClient, TokenError
from jwks_client.events import KeysFetched, KeysRotated, KeysUnchanged

PATIENCE = 10.0  # real seconds after which a working operation is long done
NAME = "issuer.test"
A_YEAR = measured.A_YEAR
# Long enough that a held flight never ends by itself while a test looks at it.
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120, retries=0)


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    """Return the kind of client that plays the story."""
    return request.param


class TestUnknownKids:
    def test_ten_thousand_random_kids(self, kind):
        """Over t seconds random kids cost at most 2 + t/10 fetches; each is refused, and no known kid ever is."""
        flood = measured.flood(kind)
        assert (flood.kids, flood.seconds) == (10_000, 100)
        assert flood.fetches <= 2 + flood.seconds / 10
        assert flood.unknown_kids == {"unknown_key": 10_000}
        assert flood.known == {OK: 400}

    def test_a_rotation_during_the_flood(self, kind):
        """A rotation is seen within 10 seconds, although the flood takes the next permit as every other."""
        assert 0 < measured.flood(kind).rotation_seen_after <= 10

    def test_a_rotation_outside_a_flood(self, drive, idp):
        """A rotation is seen at once, twice in a row."""
        drive.client(idp)
        drive.verify(idp.issue())
        for _ in range(2):
            idp.rotate()
            drive.verify(idp.issue())
        assert idp.fetches == 3

    def test_known_kids_do_not_wait_for_an_unknown_kid_s_flight(self, drive, idp):
        """While the provider hangs over the fetch for unknown kids, known kids are served."""
        reported = []
        drive.client(idp, listeners=[reported.append], fetch=PATIENT)
        drive.verify(idp.issue())
        drive.settle()
        reported.clear()
        with idp.hold() as held:
            unknown_kids = [
                drive.start("verify", idp.issue(headers={"kid": f"unknown-{number}"}))
                for number in range(20)
            ]
            held.wait()
            for number in range(200):
                assert drive.verify(idp.issue(sub=str(number))).subject == str(number)
            assert (
                reported == []
            )  # the flight is still in progress, and no unknown kid has its answer
            assert not any(unknown_kid.done() for unknown_kid in unknown_kids)
        for unknown_kid in unknown_kids:
            assert unknown_kid.exception(PATIENCE).code == "unknown_key"

    def test_known_kids_do_not_wait_when_the_set_becomes_due_meanwhile(self, drive, idp, clock):
        """When the set becomes due while that flight hangs, known kids are still used, and no other flight begins."""
        reported = []
        drive.client(idp, listeners=[reported.append], fetch=PATIENT)
        drive.verify(idp.issue())
        drive.settle()
        reported.clear()
        with idp.hold() as held:
            unknown_kid = drive.start("verify", idp.issue(headers={"kid": "unknown"}))
            held.wait()
            clock.advance(299)
            assert drive.health(NAME).state == "due"
            drive.verify(idp.issue())
            assert reported == []
        assert isinstance(unknown_kid.exception(PATIENCE), TokenError)
        drive.settle()

    def test_a_flood_that_guesses_the_next_kid(self, kind, idp, clock):
        """Tokens that name a kid before the provider publishes it keep it out for at most 10 seconds."""

        def story(client):
            known = idp.issue(expires_in=A_YEAR)
            yield known
            for number in range(400):
                if number == 200:
                    assert idp.rotate() == "key-2"
                    clock.advance(0.25)
                    rotated_at, newest = clock.monotonic(), idp.issue(expires_in=A_YEAR)
                yield with_kid(known, "key-2")
                if number >= 200 and (yield newest) == OK:
                    return clock.monotonic() - rotated_at
                clock.advance(0.25)
            raise AssertionError("the new key was never found")

        assert play(kind, story, idp) <= 10


class TestMemory:
    def test_a_hundred_thousand_kids(self, idp, clock):
        """Unknown kids leave nothing behind: the second half of a flood holds no more memory than the first."""
        http = httpx.Client(transport=idp.transport)
        policy = CachePolicy(negative_kids=100)
        client = JWKSClient(idp.provider, clock=clock, http=http, cache=policy)
        client.keys()
        [source] = client._sources.values()
        chance, held = Random(1), []
        for _ in range(2):
            for _ in range(50_000):
                with suppress(TokenError):
                    client.get_signing_key(f"{chance.getrandbits(64):x}")
                clock.advance(1 / 1024)
            gc.collect()
            held.append(sys.getallocatedblocks())
            assert 0 < len(source._absent) <= 100
        assert held[1] - held[0] < 1000
        assert idp.fetches <= 1 + 2 + 100 / 10

    def test_a_thousand_unknown_kids_in_one_flight(self, idp, clock):
        """If one fetch serves more unknown kids than are remembered, only that many are remembered."""

        async def story() -> int:
            client = AsyncJWKSClient(
                idp.provider,
                clock=clock,
                http=httpx.AsyncClient(transport=idp.transport),
                cache=CachePolicy(negative_kids=100),
            )
            await client.keys()
            token = idp.issue()
            with idp.hold() as held:
                unknown_kids = [
                    asyncio.create_task(client.verify(with_kid(token, f"unknown-{number}")))
                    for number in range(1000)
                ]
                await held.wait_async()
            outcomes = await asyncio.gather(*unknown_kids, return_exceptions=True)
            assert {outcome.code for outcome in outcomes} == {"unknown_key"}
            [source] = client._sources.values()
            return len(source._absent)

        assert asyncio.run(story()) == 100

    def test_ten_thousand_good_tokens(self, idp, clock):
        """Verified tokens are remembered up to the configured size, whatever their number."""
        http = httpx.Client(transport=idp.transport)
        client = JWKSClient(idp.provider, clock=clock, http=http, token_cache_size=256)
        sizes = Counter()
        # 2000 signatures suffice for 256 places; the memory is checked after each.
        for number in range(2000):
            client.verify(idp.issue(jti=str(number)))
            sizes[len(client._verifier.memo)] += 1
        assert max(sizes) == 256
        # The oldest go a few at a time, so finding them costs nothing.
        assert sum(sizes[size] for size in range(252, 257)) == 2000 - 251

    def test_nothing_is_remembered_of_a_refused_token(self, idp, clock):
        """A refused token leaves no trace in the token memory."""
        http = httpx.Client(transport=idp.transport)
        client = JWKSClient(idp.provider, clock=clock, http=http)
        good = idp.issue()
        client.verify(good)
        for number in range(200):
            with pytest.raises(TokenError):
                client.verify(forged(good, number))
        assert len(client._verifier.memo) == 1


class TestBadSignatures:
    def test_a_flood_on_a_known_kid(self, kind, idp, clock):
        """Ten minutes of forged signatures cost one fetch a minute, and good tokens verify all along."""
        idp.answer_headers = {"Cache-Control": "max-age=3600"}  # no routine fetch among them

        def story(client):
            good = [idp.issue(sub=str(number), expires_in=A_YEAR) for number in range(5)]
            bad = [forged(good[0], number) for number in range(50)]
            yield good[0]
            received = Counter()
            for number in range(10 * 60 * 4):
                received["bad", (yield bad[number % 50])] += 1
                received["good", (yield good[number % 5])] += 1
                clock.advance(0.25)
            return received

        with same_bytes_once():
            received = play(kind, story, idp)
        assert received == {("bad", "bad_signature"): 2400, ("good", OK): 2400}
        assert idp.fetches == 1 + 10

    def test_good_tokens_do_not_wait_for_the_fetch_of_a_bad_one(self, drive, idp):
        """The forger waits for the fetch that it caused; good tokens of the same kid do not."""
        reported = []
        drive.client(idp, listeners=[reported.append], fetch=PATIENT)
        drive.verify(idp.issue())
        drive.settle()
        reported.clear()
        with idp.hold() as held:
            forger = drive.start("verify", forged(idp.issue()))
            held.wait()
            for number in range(50):
                assert drive.verify(idp.issue(sub=str(number))).subject == str(number)
            assert reported == []
            assert not forger.done()
        assert forger.exception(PATIENCE).code == "bad_signature"

    def test_forgers_of_one_kid_share_a_fetch(self, drive, idp):
        """A hundred concurrent forged tokens cause one fetch, and each is refused."""
        drive.client(idp, fetch=PATIENT)
        drive.verify(idp.issue())
        token = idp.issue()
        with idp.hold() as held:
            forgers = [drive.start("verify", forged(token, number)) for number in range(100)]
            held.wait()
        assert {forger.exception(PATIENCE).code for forger in forgers} == {"bad_signature"}
        assert idp.fetches == 2


class TestBudgetsApart:
    """A budget that one flood emptied does not affect other callers."""

    def test_a_flood_of_both_does_not_keep_the_set_from_its_refresh(self, kind, idp, clock):
        """With both attack budgets empty, the routine refresh still comes each time that it is due."""
        never = CachePolicy(unknown_kid_interval=1e6, bad_signature_interval=1e6)
        reported = []

        def story(client):
            good = idp.issue(expires_in=A_YEAR)
            yield good
            for number in range(3600):
                yield with_kid(good, f"unknown-{number}")
                yield forged(good, number % 50)
                assert (yield good) == OK
                assert client.health()[NAME].state == "fresh"
                clock.advance(1)

        with same_bytes_once():
            play(kind, story, idp, cache=never, listeners=[reported.append])
        came = [e for e in reported if isinstance(e, (KeysFetched, KeysUnchanged, KeysRotated))]
        # Two permits and one bad-signature fetch in the first second, then a set each 240 seconds.
        assert len(came) == idp.fetches == 1 + 3 + (3600 - 1) // 240

    def test_past_its_lifetime_a_set_needs_no_permit(self, kind, idp, clock):
        """After a flood that emptied the bucket, a set past its lifetime is still fetched for an unknown kid."""
        never = CachePolicy(unknown_kid_interval=1e6, refresh_ahead=None)

        def story(client):
            good = idp.issue(expires_in=A_YEAR)
            yield good
            for number in range(50):
                yield with_kid(good, f"unknown-{number}")
            assert idp.fetches == 1 + 2
            idp.rotate()
            newest = idp.issue(expires_in=A_YEAR)
            before = yield newest
            clock.advance(300)
            return before, (yield newest), idp.fetches

        assert play(kind, story, idp, cache=never) == ("unknown_key", OK, 4)

    def test_routine_refreshes_leave_the_permits_whole(self, kind, idp, clock):
        """After hours of routine refreshes two rotations in one second are both seen at once."""

        def story(client):
            for _ in range(90):
                yield idp.issue()
                clock.advance(240)
            fetches = idp.fetches
            outcomes = []
            for _ in range(2):
                idp.rotate()
                outcomes.append((yield idp.issue()))
            return outcomes, idp.fetches - fetches

        assert play(kind, story, idp) == ([OK, OK], 2)

    @pytest.mark.parametrize("first", ["unknown_kids", "forgers"])
    def test_neither_flood_spends_the_other_s_budget(self, kind, idp, first):
        """After a flood of one sort, the other budget still finds its case at once."""

        def story(client):
            good = idp.issue(expires_in=A_YEAR)
            yield good
            for number in range(100):
                bad = forged(good, number)
                yield with_kid(good, f"unknown-{number}") if first == "unknown_kids" else bad
            fetches = idp.fetches
            if first == "unknown_kids":
                idp.swap(idp.kid)
            else:
                idp.rotate()
            return (yield idp.issue()), idp.fetches - fetches

        assert play(kind, story, idp) == (OK, 1)

    def test_a_flood_during_an_outage_causes_no_more_requests(self, kind, idp, clock):
        """While the provider fails, floods of both sorts do not shorten the backoff."""

        def story(client):
            good = idp.issue(expires_in=A_YEAR)
            yield good
            idp.fail(503)
            asked_at = []
            for number in range(600):
                before = idp.fetches
                yield with_kid(good, f"unknown-{number}")
                yield forged(good, number % 50)
                if idp.fetches > before:
                    asked_at.append(clock.monotonic())
                clock.advance(0.25)
            return asked_at

        with same_bytes_once():
            asked_at = play(kind, story, idp)
        rests = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
        shortest = [0.5, 1, 2, 4, 8, 15, 15, 15, 15]
        assert len(rests) >= len(shortest)
        assert all(rest >= least for rest, least in zip(rests, shortest, strict=False))
