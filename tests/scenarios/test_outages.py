"""A provider that fails, hangs or answers nonsense: known kids still verify within bounds, with few requests."""

from __future__ import annotations

import itertools
from collections import Counter

import httpx
import measured
import pytest
from virtual import OK, play, with_kid

from jwks_client import CachePolicy, FetchPolicy, KeysUnavailableError
from jwks_client.events import FetchFailed, KeysUnchanged, ServingStale

PATIENCE = 10.0  # real seconds after which a working operation is long done
NAME = "issuer.test"
A_YEAR = measured.A_YEAR
CALLERS = 200
EVERYBODY = [str(number) for number in range(CALLERS)]
# Long enough that a hanging flight never ends by itself while a test looks at it.
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120, retries=0)
# Short enough that a test can see a flight end by itself, and long enough for a busy machine to fetch.
HASTY = FetchPolicy(connect_timeout=1, attempt_timeout=1, deadline=1.5, retries=0)


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    """Return the kind of client that plays the story."""
    return request.param


class TestAMinute:
    def test_at_a_thousand_verifications_a_second(self, kind):
        """Sixty seconds of 503 cost at most 12 GETs, and no known kid is refused, although the lifetime ends in them."""
        outage = measured.outage(kind)
        assert (outage.verifications, outage.seconds) == (60_000, 60)
        assert outage.states == {"due", "stale"}
        assert outage.fetches <= 12
        assert set(outage.known) == {OK}

    def test_an_unknown_kid_is_503_and_not_a_refusal(self, kind):
        """Unknown kids are 503 throughout, never 401; a forged signature is a 401 throughout."""
        outage = measured.outage(kind)
        assert outage.unknown_kids == {"fetch_failed": 600}
        assert outage.forgeries == {"bad_signature": 600}

    def test_its_end_is_noticed(self, kind):
        """Once the provider responds again, a new set is loaded within the longest backoff."""
        assert measured.outage(kind).noticed_after <= 30

    @pytest.mark.parametrize(
        "failure", [500, 302, httpx.ConnectError("no"), httpx.ReadTimeout("slow"), "empty", "html"]
    )
    @pytest.mark.parametrize("age", [0, 299, 300])
    def test_every_failure_at_every_age(self, kind, idp, clock, failure, age):
        """The bounds are the same for every sort of failure and every age of the set at its beginning."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            clock.advance(age)
            idp.fail(failure)
            received, before = Counter(), idp.fetches
            for _ in range(240):
                received[(yield token)] += 1
                clock.advance(0.25)
            return received, idp.fetches - before

        received, fetches = play(kind, story, idp)
        assert received == {OK: 240}
        assert fetches <= 12

    def test_a_cold_client(self, kind, idp, clock):
        """A client that starts during the outage fetches no more often, answers 503, and recovers with the provider."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            idp.fail(500)
            received = Counter()
            for _ in range(240):
                received[(yield token)] += 1
                clock.advance(0.25)
            idp.recover()
            recovered_at = clock.monotonic()
            while (yield token) != OK and clock.monotonic() < recovered_at + 100:
                clock.advance(0.25)
            return received, clock.monotonic() - recovered_at

        received, noticed_after = play(kind, story, idp)
        assert received == {"fetch_failed": 240}
        assert idp.fetches <= 12 + 1
        assert noticed_after <= 30


class TestTenMinutes:
    def test_backoff_grows_to_the_longest(self, kind, idp, clock):
        """In a long outage there is one request per longest backoff, and recovery is noticed within one."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            clock.advance(250)
            idp.fail(500)
            asked_at = []
            for _ in range(4 * 600):
                before = idp.fetches
                assert (yield token) == OK
                if idp.fetches > before:
                    asked_at.append(clock.monotonic())
                clock.advance(0.25)
            return asked_at

        rests = [b - a for a, b in itertools.pairwise(play(kind, story, idp))]
        assert rests[:4] == [0.5, 1, 2, 4]
        assert set(rests[5:]) == {15}

    def test_retry_after_is_obeyed(self, kind, idp, clock):
        """A provider whose Retry-After is two minutes gets no request for two minutes."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            clock.advance(250)
            idp.fail(503, headers={"Retry-After": "120"})
            before = idp.fetches
            for number in range(480):
                assert (yield token) == OK
                yield with_kid(token, f"unknown-{number}")
                clock.advance(0.25)
            return idp.fetches - before

        assert play(kind, story, idp) == 1


class TestTwoHundredCallers:
    """Real callers on real connections, all at once, while the provider accepts connections and never responds."""

    def call(self, drive, idp) -> list:
        return [drive.start("verify", idp.issue(sub=str(number))) for number in range(CALLERS)]

    def answers(self, calls) -> list[str]:
        return [call.result(PATIENCE).subject for call in calls]

    def test_within_the_lifetime_of_the_keys(self, drive, idp, clock):
        """Keys within their lifetime serve every caller at once; only the background flight hangs."""
        reported = []
        with idp.serve():
            drive.client(idp, listeners=[reported.append], fetch=PATIENT)
            drive.verify(idp.issue())
            drive.settle()
            reported.clear()
            idp.fail("hang")
            clock.advance(299)
            with idp.hold() as held:
                calls = self.call(drive, idp)
                held.wait()
                assert self.answers(calls) == EVERYBODY
                assert reported == []  # no flight has ended
            idp.recover()
            drive.settle()
        assert [type(event) for event in reported] == [FetchFailed]
        assert idp.fetches == 2

    def test_once_one_attempt_has_failed(self, drive, idp, clock):
        """Past the lifetime of the keys, after one failure, every caller is served at once while the next flight hangs."""
        reported = []
        with idp.serve():
            drive.client(idp, listeners=[reported.append], fetch=PATIENT)
            drive.verify(idp.issue())
            idp.fail(500)
            clock.advance(300)
            drive.verify(idp.issue())
            drive.settle()
            reported.clear()
            idp.fail("hang")
            clock.advance(1)  # the backoff is over
            with idp.hold() as held:
                calls = self.call(drive, idp)
                held.wait()
                assert self.answers(calls) == EVERYBODY
                assert {type(event) for event in reported} == {ServingStale}  # no flight has ended
            idp.recover()
            drive.settle()
        assert idp.fetches == 3

    def test_the_first_failure_is_waited_for_together(self, drive, idp, clock):
        """Past the lifetime of the keys, before any failure, all callers wait for one flight, and then use the stale keys."""
        reported = []
        with idp.serve():
            drive.client(idp, listeners=[reported.append], fetch=PATIENT)
            drive.verify(idp.issue())
            clock.advance(300)
            idp.fail("hang")
            with idp.hold() as held:
                calls = self.call(drive, idp)
                held.wait()
            assert not any(call.done() for call in calls)
            idp.recover()
            assert self.answers(calls) == EVERYBODY
            drive.settle()
        assert [type(event) for event in reported].count(FetchFailed) == 1
        assert idp.fetches == 2

    def test_a_flight_that_hangs_ends_by_itself(self, drive, idp, clock):
        """A hanging flight ends at its limit as a timeout, and every caller is served then."""
        with idp.serve():
            drive.client(idp, fetch=HASTY)
            drive.verify(idp.issue())
            clock.advance(300)
            idp.fail("hang")
            assert self.answers(self.call(drive, idp)) == EVERYBODY
            assert drive.health(NAME).last_error == "fetch_timeout"
            drive.settle()
        assert idp.fetches == 2

    def test_unknown_kids_are_answered_by_the_same_flight(self, drive, idp, clock):
        """Callers with an unknown kid wait for the same flight, and get 503 when it fails."""
        with idp.serve():
            drive.client(idp, fetch=PATIENT, cache=CachePolicy(unknown_kid_wait=60))
            drive.verify(idp.issue())
            idp.fail("hang")
            clock.advance(250)
            with idp.hold() as held:
                unknown_kids = [
                    drive.start("verify", idp.issue(headers={"kid": f"unknown-{number}"}))
                    for number in range(50)
                ]
                held.wait()
                assert self.answers(self.call(drive, idp)) == EVERYBODY
            assert not any(unknown_kid.done() for unknown_kid in unknown_kids)
            idp.recover()
            outcomes = [unknown_kid.exception(PATIENCE) for unknown_kid in unknown_kids]
            drive.settle()
        assert {type(error) for error in outcomes} == {KeysUnavailableError}
        assert idp.fetches == 2


class TestOtherPolicies:
    def test_without_background_work_callers_fetch(self, drive, idp, clock):
        """With ``refresh_ahead=None``, after a failure and outside backoff, callers join a flight, then use the stale keys."""
        reported = []
        policy = CachePolicy(refresh_ahead=None)
        drive.client(idp, cache=policy, fetch=PATIENT, listeners=[reported.append])
        drive.verify(idp.issue())
        clock.advance(299)
        drive.verify(idp.issue())
        assert drive.health(NAME).state == "fresh"  # never due
        idp.fail(500)
        clock.advance(1)
        drive.verify(idp.issue())
        drive.verify(idp.issue())  # inside backoff: no caller fetches or waits
        assert idp.fetches == 2
        clock.advance(1)
        with idp.hold() as held:
            calls = [drive.start("verify", idp.issue(sub=str(number))) for number in range(20)]
            held.wait()
            assert not any(call.done() for call in calls)
        assert [call.result(PATIENCE).subject for call in calls] == [str(n) for n in range(20)]
        assert idp.fetches == 3
        assert isinstance(reported[-1], ServingStale)
        idp.recover()
        clock.advance(2)
        drive.verify(idp.issue())
        assert drive.health(NAME).state == "fresh"

    def test_without_background_work_a_minute_of_outage(self, kind, idp, clock):
        """Without background work, too, a minute of 503 costs at most 12 GETs, and no known kid is refused."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            clock.advance(299)
            idp.fail(503)
            before, received = idp.fetches, Counter()
            for _ in range(240):
                received[(yield token)] += 1
                clock.advance(0.25)
            return received, idp.fetches - before

        received, fetches = play(kind, story, idp, cache=CachePolicy(refresh_ahead=None))
        assert received == {OK: 240}
        assert fetches <= 12

    def test_fail_closed(self, kind, idp, clock):
        """With ``stale_if_error=0`` no token is accepted from the end of the lifetime until a new set comes."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.fail(500)
            received: dict[bool, Counter] = {False: Counter(), True: Counter()}
            began = clock.monotonic()
            for _ in range(4 * 400):
                past = clock.monotonic() - began >= 300
                received[past][(yield token)] += 1
                clock.advance(0.25)
            idp.recover()
            clock.advance(30)
            return received, (yield token)

        received, after = play(kind, story, idp, cache=CachePolicy(stale_if_error=0))
        assert received[False] == {OK: 1200}
        assert received[True] == {"fetch_failed": 400}
        assert after == OK

    def test_the_stale_time_ends(self, kind, idp, clock):
        """However long the outage, no key is used past lifetime and stale time, and a new set counts."""

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.fail(500)
            received: dict[bool, Counter] = {False: Counter(), True: Counter()}
            for age in range(0, 4500, 5):
                received[age >= 300 + 3600][(yield token)] += 1
                clock.advance(5)
            idp.recover()
            clock.advance(30)
            return received, (yield token)

        received, after = play(kind, story, idp)
        assert set(received[False]) == {OK}
        assert set(received[True]) == {"fetch_failed"}
        assert after == OK

    def test_a_shorter_stale_time_in_the_response(self, kind, idp, clock):
        """A smaller ``stale-if-error`` in the provider's response ends the stale time sooner."""
        idp.answer_headers = {"Cache-Control": "max-age=300, stale-if-error=60"}

        def story(client):
            token = idp.issue(expires_in=A_YEAR)
            yield token
            idp.fail(500)
            clock.advance(300)
            received = []
            for _ in range(3):
                received.append((yield token))
                clock.advance(30)
            return received

        assert play(kind, story, idp) == [OK, OK, "fetch_failed"]


class TestRecovery:
    def test_recovery_is_noticed_in_the_background(self, drive, idp, clock):
        """After an outage a background flight that no caller waits for loads the good set, and everything is as before."""
        reported = []
        drive.client(idp, fetch=PATIENT, listeners=[reported.append])
        drive.verify(idp.issue())
        idp.fail(500)
        clock.advance(300)
        drive.verify(idp.issue())
        assert drive.health(NAME).last_error == "fetch_failed"
        idp.recover()
        clock.advance(30)
        drive.settle()
        reported.clear()
        with idp.hold() as held:
            drive.verify(idp.issue())
            held.wait()
            assert {type(event) for event in reported} == {ServingStale}
        drive.settle()
        assert isinstance(reported[-1], KeysUnchanged)
        health = drive.health(NAME)
        assert (health.state, health.last_error, health.next_attempt) == ("fresh", None, None)

    def test_keys_rotated_during_the_outage_are_found_at_once(self, drive, idp, clock):
        """The new key of a provider that rotated during its outage is accepted with the first good response."""
        drive.client(idp, fetch=PATIENT)
        drive.verify(idp.issue())
        idp.fail(500)
        idp.rotate()
        newest = idp.issue(expires_in=600)
        with pytest.raises(KeysUnavailableError):
            drive.verify(newest)
        idp.recover()
        with pytest.raises(KeysUnavailableError):  # inside backoff
            drive.verify(newest)
        clock.advance(1)
        drive.verify(newest)
        assert drive.health(NAME).last_error is None
