"""Clocks that jump, and machines that sleep: ages use one clock, times in tokens the other."""

from __future__ import annotations

import threading
import time
from functools import cache

import httpx
import pytest
from measured import A_YEAR, es256
from virtual import OK, forged, play, with_kid

from jwks_client import AsyncJWKSClient, JWKSClient, KeysUnavailableError, TokenError
from jwks_client._client.clock import SystemClock

PATIENCE = 10.0  # real seconds after which a working operation is long done
NAME = "issuer.test"
SIX_HOURS, A_DAY = 6 * 3600.0, 86_400.0


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    """Return the kind of client that plays the story."""
    return request.param


@cache
def trace(kind: str, jumps: tuple[float, ...], headers: str) -> list:
    """Play two hours of everything (usual days, rotation, unknown kids, forgeries, outages), and return what was seen."""
    idp = es256()
    clock = idp.clock
    idp.answer_headers = HEADERS[headers]

    def story(client):
        seen = []
        for step in range(120):
            if jumps:
                clock.jump_wall(jumps[step % len(jumps)])
            match step:
                case 20 | 21 | 85:
                    idp.rotate()
                case 30 | 70:
                    idp.fail(503, headers={"Retry-After": "90"})
                case 40 | 80:
                    idp.recover()
                case 50:
                    idp.swap(idp.kid)
            good = idp.issue()  # dated by the clock's current time
            for token in (good, with_kid(good, f"unknown-{step}"), forged(good, step)):
                outcome = yield token
                now = client.health()[NAME]
                rest = now.next_attempt and round(now.next_attempt - clock.time(), 3)
                seen.append((outcome, now.state, now.age, now.last_error, rest, idp.fetches))
            clock.advance(60)
        return seen

    return play(kind, story, idp)


HEADERS = {
    "none": {},
    "max-age": {"Cache-Control": "max-age=600", "Age": "60"},
    "Expires": {
        "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "Expires": "Tue, 14 Nov 2023 22:23:20 GMT",
    },
}


class TestWallClock:
    @pytest.mark.parametrize(
        ("jumps", "headers"),
        [
            pytest.param((SIX_HOURS, -SIX_HOURS), "none", id="forth and back"),
            pytest.param((-SIX_HOURS, SIX_HOURS), "none", id="back and forth"),
            pytest.param((SIX_HOURS,), "none", id="ever on"),
            pytest.param((-SIX_HOURS,), "none", id="ever back"),
            pytest.param((SIX_HOURS, -SIX_HOURS), "max-age", id="max-age"),
            pytest.param((SIX_HOURS, -SIX_HOURS), "Expires", id="Expires"),
        ],
    )
    def test_a_jump_of_six_hours_changes_nothing(self, kind, jumps, headers):
        """Each decision, state, age, backoff and fetch of two hours is the same, whatever the wall clock does."""
        still = trace(kind, (), headers)
        assert trace(kind, jumps, headers) == still
        # The hours contained some of everything, or nothing was shown.
        assert {one[0] for one in still} == {OK, "unknown_key", "bad_signature", "fetch_failed"}
        assert {one[1] for one in still} >= {"fresh", "stale"}

    def test_the_wall_clock_judges_the_times_of_tokens(self, drive, idp, clock):
        """The wall clock still decides expiry: a remembered token ends when its exp says so."""
        drive.client(idp)
        token = idp.issue(expires_in=60)
        drive.verify(token)
        clock.jump_wall(SIX_HOURS)
        with pytest.raises(TokenError) as caught:
            drive.verify(token)
        assert caught.value.code == "token_expired"
        clock.jump_wall(-SIX_HOURS)
        drive.verify(token)
        assert idp.fetches == 1


class TestSleep:
    def test_a_machine_that_slept_wakes_with_old_keys(self, drive, idp, clock):
        """After a day of sleep the first token causes a fetch, and a key that was withdrawn in between verifies nothing."""
        drive.client(idp)
        old = idp.issue(expires_in=A_YEAR)
        drive.verify(old)
        idp.revoke(idp.kid)
        clock.advance(A_DAY)
        assert drive.health(NAME).state == "expired"
        drive.verify(idp.issue())
        with pytest.raises(TokenError) as caught:
            drive.verify(old)
        assert caught.value.code == "unknown_key"

    def test_it_wakes_during_an_outage(self, drive, idp, clock):
        """A machine that slept past the stale time, with a provider that fails, accepts nothing on yesterday's keys."""
        drive.client(idp)
        token = idp.issue(expires_in=A_YEAR)
        drive.verify(token)
        idp.fail(503)
        clock.advance(A_DAY)
        with pytest.raises(KeysUnavailableError):
            drive.verify(token)

    def test_it_slept_with_an_in_flight_fetch(self, drive, idp, clock):
        """A set that was requested yesterday serves the callers that waited for it, and is old for later ones."""
        drive.client(idp)
        with idp.hold() as held:
            asleep = drive.start("verify", idp.issue(expires_in=A_YEAR))
            held.wait()
            clock.advance(A_DAY)
        assert asleep.result(PATIENCE).key_id == "key-1"
        assert drive.health(NAME).state == "expired"
        drive.verify(idp.issue())
        assert drive.health(NAME).state == "fresh"
        assert idp.fetches == 2

    def test_backoff_and_permits_are_over(self, drive, idp, clock):
        """Backoff and permits of before the sleep are over after it."""
        drive.client(idp)
        drive.verify(idp.issue())
        for number in range(3):
            with pytest.raises(TokenError):
                drive.verify(idp.issue(headers={"kid": f"unknown-{number}"}))
        assert idp.fetches == 3
        idp.fail(500)
        clock.advance(A_DAY)
        with pytest.raises(KeysUnavailableError):
            drive.verify(idp.issue())
        idp.recover()
        clock.advance(A_DAY)
        drive.verify(idp.issue())
        idp.rotate()
        drive.verify(idp.issue())

    @pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
    def test_the_system_s_clock_counts_sleep(self, idp):
        """By default clients age keys by a clock that counts the time asleep."""
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        now = SystemClock().monotonic()
        assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
        http, later = httpx.Client(transport=idp.transport), httpx.AsyncClient()
        for client in (
            JWKSClient(idp.provider, http=http),
            AsyncJWKSClient(idp.provider, http=later),
        ):
            assert isinstance(client._clock, SystemClock)


def test_a_clock_is_read_from_any_thread(idp, clock):
    """The injected clock serves all threads of a client: time that one thread lets pass has passed for the others."""
    client = JWKSClient(idp.provider, clock=clock, http=httpx.Client(transport=idp.transport))
    client.verify(idp.issue())
    passing = threading.Thread(target=clock.advance, args=(A_DAY,))
    passing.start()
    passing.join(PATIENCE)
    assert client.health()[NAME].state == "expired"
