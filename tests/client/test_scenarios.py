"""Stories about the life of keys, each written once and run with both clients."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest

from jwks_client import (
    AsyncJWKSClient,
    CachePolicy,
    ConfigurationError,
    FetchPolicy,
    JWKSClient,
    KeysUnavailableError,
    Provider,
    TokenError,
)
from jwks_client.events import (
    FetchFailed,
    KeysAwaited,
    KeysFetched,
    KeysRotated,
    KeysUnchanged,
    ServingStale,
    TokenRefused,
    UnknownKid,
)
from jwks_client.testing import FakeClock, FakeProvider

NAME = "issuer.test"
PATIENCE = 10


def refused(drive, token, **options) -> str:
    with pytest.raises(TokenError) as caught:
        drive.verify(token, **options)
    return caught.value.code


def unavailable(drive, token) -> KeysUnavailableError:
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(token)
    return caught.value


def kinds(reported, *wanted: type) -> list[type]:
    """Return the types of events, in order; only of the named types, if any are named."""
    return [type(event) for event in reported if not wanted or isinstance(event, wanted)]


class TestUsualDay:
    def test_one_fetch_serves_many_tokens(self, drive, idp):
        """The first verification fetches once; later ones with known kids fetch nothing."""
        drive.client(idp)
        for subject in ("a", "b", "c"):
            assert drive.verify(idp.issue(sub=subject)).subject == subject
        assert idp.fetches == 1

    def test_a_second_verification_comes_from_memory(self, drive, idp):
        """The same token is not verified twice, as str or as bytes."""
        drive.client(idp)
        token = idp.issue(sub="u1")
        first = drive.verify(token)
        assert drive.verify(token) == first == drive.verify(token.encode())
        assert first.raw == token

    def test_past_its_lifetime_a_set_is_fetched_again(self, drive, idp, clock):
        """After the lifetime the next verification fetches exactly once."""
        drive.client(idp, cache=CachePolicy(refresh_ahead=None))
        drive.verify(idp.issue())
        clock.advance(300)
        drive.verify(idp.issue())
        drive.verify(idp.issue())
        assert idp.fetches == 2

    def test_refresh_ahead_makes_no_caller_wait(self, drive, idp, clock):
        """When a set is due, a caller is served while one background flight is held."""
        drive.client(idp)
        drive.verify(idp.issue())
        clock.advance(280)
        with idp.hold() as held:
            drive.verify(idp.issue())
            drive.verify(idp.issue())
            held.wait()
            assert drive.health(NAME).state == "due"
        drive.settle()
        assert idp.fetches == 2
        assert drive.health(NAME).state == "fresh"

    def test_caching_can_be_off(self, drive, idp):
        """With a lifetime of 0 each verification fetches once, and uses the fetched set."""
        drive.client(idp, cache=CachePolicy(ttl=0, min_ttl=0), token_cache_size=0)
        drive.verify(idp.issue())
        drive.verify(idp.issue())
        assert idp.fetches == 2

    def test_a_wall_clock_that_jumps_affects_no_cache(self, drive, idp, clock):
        """A wall clock that jumps six hours forth and back changes nothing about keys."""
        drive.client(idp)
        drive.verify(idp.issue())
        for jump in (6 * 3600, -12 * 3600):
            clock.jump_wall(jump)
            drive.verify(idp.issue())
        assert idp.fetches == 1


class TestRotation:
    def test_a_new_kid_is_found_at_once(self, drive, idp):
        """Right after a fetch, a token of a newer key verifies with one more fetch."""
        drive.client(idp)
        old = idp.issue()
        drive.verify(old)
        idp.rotate()
        drive.verify(idp.issue())
        drive.verify(old)
        assert idp.fetches == 2

    def test_an_unknown_kid_is_remembered(self, drive, idp, clock):
        """An unknown kid causes one fetch, then none for ten seconds, and the set stays."""
        drive.client(idp)
        drive.verify(idp.issue())
        lost = idp.issue(headers={"kid": "lost"})
        assert refused(drive, lost) == "unknown_key"
        assert refused(drive, lost) == "unknown_key"
        assert idp.fetches == 2
        clock.advance(10)
        assert refused(drive, lost) == "unknown_key"
        assert idp.fetches == 3
        drive.verify(idp.issue())

    def test_a_changed_set_clears_the_missing_kids(self, drive, idp):
        """A missing kid is looked for again once a new set has come."""
        drive.client(idp)
        drive.verify(idp.issue())
        assert refused(drive, idp.issue(headers={"kid": "key-2"})) == "unknown_key"
        assert idp.rotate() == "key-2"
        token = idp.issue()
        assert refused(drive, token) == "unknown_key"  # remembered
        drive.refresh()
        drive.verify(token)

    def test_fetches_for_random_kids_are_bounded(self, drive, idp, clock):
        """A flood of kids spends the burst and then one fetch per interval; known kids are served."""
        drive.client(idp)
        drive.verify(idp.issue())
        for number in range(200):
            assert refused(drive, idp.issue(headers={"kid": f"random-{number}"})) == "unknown_key"
            clock.advance(0.1)
        drive.verify(idp.issue())
        assert idp.fetches <= 1 + 2 + 20 / 10

    def test_only_a_fetch_that_a_doubt_caused_bypasses_caches(self, drive, idp, clock):
        """A fetch for an unknown kid, a bad signature or `refresh` sends ``no-cache``; a routine one does not."""
        drive.client(idp)
        drive.verify(idp.issue())
        clock.advance(301)
        drive.verify(idp.issue())
        routine = len(idp.requests)
        idp.rotate()
        drive.verify(idp.issue())
        idp.swap(idp.kid)
        drive.verify(idp.issue())
        drive.refresh()
        sent = [one.headers.get("cache-control") for one in idp.requests]
        assert sent == [None] * routine + ["no-cache"] * 3

    def test_a_cold_client_fetches_once_for_an_unknown_kid(self, drive, idp):
        """The fetch of a cold client also decides whether the kid is unknown."""
        drive.client(idp)
        assert refused(drive, idp.issue(headers={"kid": "lost"})) == "unknown_key"
        assert idp.fetches == 1

    def test_a_withdrawn_key_s_tokens_are_refused(self, drive, idp):
        """Once a set lacks a key, no token of that key is accepted, remembered ones included."""
        drive.client(idp)
        token = idp.issue()
        drive.verify(token)
        idp.revoke(idp.kid)
        drive.verify(token)  # the withdrawal is not known yet
        drive.refresh()
        assert refused(drive, token) == "unknown_key"

    def test_a_kid_with_new_material_is_noticed(self, drive, idp, clock):
        """A reused kid is noticed by its bad signature: one fetch, and the new material counts."""
        reported = []
        drive.client(idp, listeners=[reported.append])
        old = idp.issue()
        drive.verify(old)
        idp.swap(idp.kid)
        drive.verify(idp.issue())
        assert idp.fetches == 2
        assert refused(drive, old) == "bad_signature"
        assert idp.fetches == 2  # its budget is spent for a minute
        clock.advance(60)
        assert refused(drive, old) == "bad_signature"
        assert idp.fetches == 3
        [rotated] = [event for event in reported if isinstance(event, KeysRotated)]
        assert (rotated.added, rotated.withdrawn, rotated.swapped) == ((), (), ("key-1",))

    def test_a_bad_signature_is_never_503(self, drive, idp):
        """A token with a bad signature is refused with 401 even if the fetch that it caused fails."""
        drive.client(idp)
        drive.verify(idp.issue())
        idp.swap(idp.kid)
        token = idp.issue()
        idp.fail(500)
        assert refused(drive, token) == "bad_signature"

    def test_a_rotation_without_kids_is_noticed(self, drive, clock):
        """If a provider uses no kids, a signature that no key verifies causes a fetch from the unknown-kid budget."""
        reported = []
        provider = Unnamed(clock)
        drive.client(
            provider.provider, clock=clock, listeners=[reported.append], transport=provider
        )
        drive.verify(provider.issue())
        provider.idp.swap("key-1")
        drive.verify(provider.issue())
        assert provider.idp.fetches == 2
        forged = provider.issue()[:-8] + "AAAAAAAA"
        assert refused(drive, forged) == "bad_signature"
        assert provider.idp.fetches == 3
        assert refused(drive, forged) == "bad_signature"
        assert provider.idp.fetches == 3
        provider.idp.fail(500)
        clock.advance(10)
        assert unavailable(drive, forged).code == "fetch_failed"

    def test_no_fetch_for_a_token_that_is_refused_anyway(self, drive, idp):
        """A token with a wrong algorithm, type, issuer or expiry is refused without a fetch for its kid, with keys cached or not."""
        drive.client(idp)
        for token, code in (
            (idp.issue(headers={"alg": "none"}), "algorithm_not_allowed"),
            (idp.issue(headers={"alg": "HS256"}), "algorithm_not_allowed"),
            (idp.issue(headers={"alg": "ES256K"}), "algorithm_not_allowed"),
            (idp.issue(headers={"typ": "secevent+jwt"}), "wrong_token_type"),
            (idp.issue(iss="https://elsewhere.test"), "wrong_issuer"),
            (idp.issue(iss=None), "missing_claim"),
            (idp.issue(expires_in=-60), "token_expired"),
            (idp.issue(exp=None), "missing_claim"),
            ("not a token", "malformed_token"),
        ):
            assert refused(drive, token) == code
        assert idp.fetches == 0

    def test_a_known_kid_with_the_wrong_algorithm_fetches_nothing(self, drive, idp):
        """A known kid whose algorithm does not fit is refused without a fetch."""
        drive.client(idp)
        drive.verify(idp.issue())
        assert refused(drive, idp.issue(headers={"alg": "ES256"})) == "algorithm_not_allowed"
        assert idp.fetches == 1


class Unnamed(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A provider that names neither its keys nor the keys of its tokens."""

    def __init__(self, clock: FakeClock) -> None:
        self.idp = FakeProvider(clock=clock)
        self.provider = self.idp.provider

    def issue(self) -> str:
        return self.idp.issue(headers={"kid": None})

    def _strip(self, response: httpx.Response, body: bytes) -> httpx.Response:
        return httpx.Response(response.status_code, content=body.replace(b'"kid"', b'"x-kid"'))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.idp.transport.handle_request(request)
        return self._strip(response, response.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.idp.transport.handle_async_request(request)
        return self._strip(response, await response.aread())


class TestOutage:
    def test_known_kids_still_verify(self, drive, idp, clock):
        """Past their lifetime, while the provider fails, known kids verify, and listeners get an event about it."""
        reported = []
        drive.client(idp, listeners=[reported.append])
        drive.verify(idp.issue())
        idp.fail(500)
        clock.advance(300)
        drive.verify(idp.issue())
        drive.verify(idp.issue())
        drive.settle()  # listeners get the events of a fetch after its callers were released
        assert kinds(reported, KeysFetched, FetchFailed) == [KeysFetched, FetchFailed]
        assert kinds(reported, ServingStale) == [ServingStale, ServingStale]
        assert drive.health(NAME).state == "stale"
        assert drive.health(NAME).last_error == "fetch_failed"

    def test_unknown_kids_are_503(self, drive, idp):
        """While the provider fails, an unknown kid is 503 with Retry-After and never 401."""
        drive.client(idp)
        drive.verify(idp.issue())
        idp.rotate()
        token = idp.issue()
        idp.fail(500)
        error = unavailable(drive, token)
        assert (error.code, error.http_status) == ("fetch_failed", 503)
        assert error.retry_after >= 1
        assert unavailable(drive, token).code == "fetch_failed"

    def test_no_request_is_made_during_backoff(self, drive, idp, clock):
        """During backoff no request is made, and after it exactly one."""
        drive.client(idp, fetch=FetchPolicy(retries=0))
        idp.fail(500)
        token = idp.issue(expires_in=600)
        unavailable(drive, token)
        unavailable(drive, token)
        assert idp.fetches == 1
        assert drive.health(NAME).next_attempt is not None
        clock.advance(1)
        unavailable(drive, token)
        assert idp.fetches == 2

    def test_one_retry_and_none_during_an_outage(self, drive, idp, clock):
        """A failed response is retried once, but not while the last attempt failed."""
        drive.client(idp)
        idp.fail(503)
        unavailable(drive, idp.issue())
        assert idp.fetches == 2
        clock.advance(1)
        unavailable(drive, idp.issue())
        assert idp.fetches == 3

    def test_stale_keys_end(self, drive, idp, clock):
        """After stale_if_error no key is used."""
        drive.client(idp, cache=CachePolicy(stale_if_error=100))
        drive.verify(idp.issue())
        idp.fail(500)
        clock.advance(399)
        drive.verify(idp.issue())
        clock.advance(1)
        unavailable(drive, idp.issue())
        assert drive.health(NAME).state == "expired"

    def test_recovery_is_noticed(self, drive, idp, clock):
        """The next due attempt that succeeds ends the outage."""
        drive.client(idp)
        idp.fail(500)
        token = idp.issue(expires_in=600)
        unavailable(drive, token)
        idp.recover()
        clock.advance(1)
        drive.verify(token)
        assert drive.health(NAME).last_error is None
        assert drive.health(NAME).state == "fresh"

    def test_no_caller_waits_after_the_first_failure(self, drive, idp, clock):
        """After a failed attempt known kids are served past their lifetime while a fetch hangs."""
        drive.client(idp)
        drive.verify(idp.issue())
        idp.fail(500)
        clock.advance(300)
        drive.verify(idp.issue())
        idp.recover()
        clock.advance(1)
        with idp.hold() as held:
            drive.verify(idp.issue())
            held.wait()
            drive.verify(idp.issue())
        drive.settle()
        assert drive.health(NAME).state == "fresh"

    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            (404, "fetch_failed"),
            (302, "fetch_failed"),
            (httpx.ConnectError("no"), "fetch_failed"),
            (httpx.ReadTimeout("slow"), "fetch_timeout"),
            ("empty", "bad_key_set"),
            ("html", "bad_key_set"),
        ],
    )
    def test_every_bad_response_keeps_the_good_keys(self, drive, idp, clock, failure, code):
        """Every bad response is one error of this library with its code, and never loses the good keys."""
        drive.client(idp)
        drive.verify(idp.issue())
        idp.fail(failure)
        clock.advance(300)
        drive.verify(idp.issue())
        assert drive.health(NAME).last_error == code
        drive.client(idp)
        error = unavailable(drive, idp.issue())
        assert error.code == code
        assert (error.__cause__ is None) != isinstance(failure, Exception)

    def test_a_hanging_provider_times_out(self, drive, idp):
        """A provider that accepts connections and never responds ends in a timeout at the attempt's limit."""
        drive.client(idp, fetch=FetchPolicy(attempt_timeout=0.05, deadline=1, retries=0))
        idp.fail("hang")
        assert unavailable(drive, idp.issue()).code == "fetch_timeout"

    def test_a_failing_headers_callable_is_a_failed_fetch(self, drive, idp):
        """An exception of the application's headers callable is the cause of a failed fetch."""

        def broken():
            raise LookupError("no vault")

        provider = Provider(
            name="p", issuer=idp.issuer, audience="api", jwks_url=idp.jwks_url, headers=broken
        )
        drive.client(provider, transport=idp.transport, clock=idp.clock)
        error = unavailable(drive, idp.issue())
        assert error.code == "fetch_failed"
        assert isinstance(error.__cause__, LookupError)


class TestSingleFlight:
    def test_a_cold_herd_fetches_once(self, drive, idp):
        """Fifty callers at a cold start cause one fetch, and all get its result."""
        drive.client(idp)
        tokens = [idp.issue(sub=str(number)) for number in range(50)]
        with idp.hold() as held:
            calls = [drive.start("verify", token) for token in tokens]
            held.wait()
        assert [call.result(PATIENCE).subject for call in calls] == [str(n) for n in range(50)]
        assert idp.fetches == 1

    def test_a_failure_is_shared(self, drive, idp):
        """When that one fetch fails, all waiting callers get the error."""
        drive.client(idp, fetch=FetchPolicy(retries=0))
        idp.fail(500)
        with idp.hold() as held:
            calls = [drive.start("verify", idp.issue()) for _ in range(10)]
            held.wait()
        errors = [call.exception(PATIENCE) for call in calls]
        assert {error.code for error in errors} == {"fetch_failed"}
        assert len(set(map(id, errors))) == 10
        assert idp.fetches == 1

    def test_many_callers_after_a_rotation_fetch_once(self, drive, idp):
        """Many callers with one new kid cause one fetch and no refusal, at the next rotation too."""
        drive.client(idp)
        drive.verify(idp.issue())
        for herd in (
            2,
            3,
            4,
        ):  # the last finds a bucket that has a permit for its first caller only
            idp.rotate()
            tokens = [idp.issue(sub=str(n)) for n in range(10)]
            if herd == 4:
                idp.clock.advance(10)
            with idp.hold() as held:
                first = drive.start("verify", tokens[0])
                held.wait()
                calls = [first, *(drive.start("verify", token) for token in tokens[1:])]
            for call in calls:
                assert call.result(PATIENCE).key_id == f"key-{herd}"
        assert idp.fetches == 4

    def test_a_late_lookup_is_not_answered_by_an_early_fetch(self, drive, idp):
        """A fetch that began before the rotation does not refuse a token issued after it."""
        drive.client(idp)
        with idp.hold() as held:
            early = drive.start("verify", idp.issue())
            held.wait()
            idp.rotate()
            late = drive.start("verify", idp.issue())
        assert early.result(PATIENCE).key_id == "key-1"
        assert late.result(PATIENCE).key_id == "key-2"
        assert idp.fetches == 2


class TestDirectCalls:
    def test_refresh_skips_budgets_and_backoff(self, drive, idp):
        """`refresh` fetches at once, and raises when the fetch fails."""
        drive.client(idp, fetch=FetchPolicy(retries=0))
        idp.fail(500)
        for _ in range(2):
            with pytest.raises(KeysUnavailableError) as caught:
                drive.refresh()
            assert caught.value.code == "fetch_failed"
        idp.recover()
        drive.refresh()
        assert idp.fetches == 3
        assert drive.health(NAME).state == "fresh"

    def test_refresh_never_skips_single_flight(self, drive, idp):
        """Two concurrent `refresh` calls share one fetch."""
        drive.client(idp)
        with idp.hold() as held:
            calls = [drive.start("refresh") for _ in range(5)]
            held.wait()
        for call in calls:
            call.result(PATIENCE)
        assert idp.fetches == 1

    def test_warm_up_loads_what_is_cold(self, drive, idp):
        """`warm_up` loads cold key sets and leaves loaded ones alone."""
        drive.client(idp)
        drive.warm_up()
        drive.warm_up()
        drive.verify(idp.issue())
        assert idp.fetches == 1

    def test_warm_up_tries_all_and_raises_the_failure(self, drive, clock):
        """One provider that fails does not keep the others cold."""
        good = FakeProvider(issuer="https://good.test", clock=clock)
        bad = FakeProvider(issuer="https://bad.test", clock=clock)
        bad.fail(500)
        drive.client(bad, good)
        with pytest.raises(KeysUnavailableError):
            drive.warm_up()
        assert drive.health("good.test").state == "fresh"
        assert drive.health("bad.test").state == "cold"

    def test_warm_up_waits_no_longer_than_its_timeout(self, drive, idp):
        """`warm_up` waits no longer than its own timeout."""
        drive.client(idp)
        with idp.hold() as held:
            starting = drive.start("warm_up", timeout=0.05)
            held.wait()
            assert starting.exception(PATIENCE).code == "fetch_timeout"
        drive.settle()

    def test_the_content_type_is_reported_and_not_relied_on(self, drive, idp):
        """The content type is an outsider's text: truncated, escaped, and never a reason to refuse a key set."""
        called = ["text/html; a=\xe9" + 300 * "x", None, "application/jwk-set+json"]

        def answer(_):
            content_type = called[len(reported)]
            named = [] if content_type is None else [content_type.encode("latin-1")]
            headers = [(b"content-type", one) for one in named]
            return httpx.Response(200, content=document[len(reported) > 1], headers=headers)

        reported: list = []
        document = [json.dumps(idp.jwks()).encode()]
        idp.rotate()
        document.append(json.dumps(idp.jwks()).encode())
        transport = httpx.MockTransport(answer)
        drive.client(
            idp.provider, transport=transport, clock=idp.clock, listeners=[reported.append]
        )
        for _ in called:
            drive.refresh()
        assert kinds(reported) == [KeysFetched, KeysUnchanged, KeysRotated]
        assert reported[0].content_type == "text/html; a=\\xe9" + 86 * "x"
        assert [one.content_type for one in reported[1:]] == [None, "application/jwk-set+json"]

    def test_the_kids_of_a_key_set_are_escaped_and_truncated_in_events(self, drive, idp):
        """A kid in a key set is a provider's text: an event contains no control characters and at most 1024 of it."""
        reported: list = []
        kids = ["key-1", "a\nb", "x" * 300_000]
        [key] = idp.jwks()["keys"]

        def answer(_):
            sets = [{**key, "kid": kid} for kid in kids[: 2 + len(reported)]]
            return httpx.Response(200, json={"keys": sets})

        transport = httpx.MockTransport(answer)
        drive.client(
            idp.provider, transport=transport, clock=idp.clock, listeners=[reported.append]
        )
        for _ in range(2):
            drive.refresh()
            drive.settle()
        assert reported[0].kids == ("key-1", "a\\nb")
        assert reported[1].added == ("x" * 1024,)

    def test_warm_up_accepts_any_number_of_seconds(self, drive, idp):
        """An infinite timeout is accepted, and anything but a number of seconds is refused, by both clients."""
        drive.client(idp)
        for wrong in (None, "5", -1, float("nan"), True):
            with pytest.raises(ValueError, match="seconds"):
                drive.warm_up(timeout=wrong)
        drive.warm_up(timeout=float("inf"))
        assert drive.health(NAME).state == "fresh"

    def test_keys_returns_the_cached_set(self, drive, idp):
        """`keys` returns the cached set, fetched if none is cached: usable keys, and the others with a reason."""
        drive.client(idp)
        [key] = drive.keys()
        assert (key.kid, key.kty, key.alg, key.use) == ("key-1", "RSA", "RS256", "sig")
        assert drive.keys().unusable == ()
        assert idp.fetches == 1
        idp.fail(500)
        drive.client(idp)
        with pytest.raises(KeysUnavailableError):
            drive.keys()
        with pytest.raises(KeysUnavailableError):
            drive.keys()

    def test_get_signing_key_works_as_pyjwkclient_s(self, drive, idp):
        """The two calls of PyJWKClient exist, with the errors of this library."""
        drive.client(idp)
        assert drive.get_signing_key("key-1").kid == "key-1"
        assert drive.get_signing_key("key-1", alg="RS256").key.key_size == 2048
        assert drive.get_signing_key_from_jwt(idp.issue()).kid == "key-1"
        for kid, alg, code in (
            ("nobody", None, "unknown_key"),
            ("key-1", "ES256", "algorithm_not_allowed"),
        ):
            with pytest.raises(TokenError) as caught:
                drive.get_signing_key(kid, alg=alg)
            assert caught.value.code == code
        idp.rotate()
        drive.refresh()
        assert drive.get_signing_key("key-2").kid == "key-2"
        with pytest.raises(TokenError) as caught:
            drive.get_signing_key(None)
        assert caught.value.code == "ambiguous_key"
        idp.fail(500)
        drive.client(idp)
        for _ in range(2):
            with pytest.raises(KeysUnavailableError):
                drive.get_signing_key("key-1")

    def test_several_providers_must_be_named(self, drive, clock):
        """With several providers, a call without `provider=` is refused instead of guessing."""
        one = FakeProvider(issuer="https://one.test", clock=clock)
        two = FakeProvider(issuer="https://two.test", clock=clock)
        drive.client(one, two)
        for method, arguments in (("keys", ()), ("get_signing_key", ("key-1",))):
            with pytest.raises(ConfigurationError):
                drive.call(method, *arguments)
        assert len(drive.keys("two.test")) == 1
        assert (one.fetches, two.fetches) == (0, 1)
        drive.refresh()
        assert (one.fetches, two.fetches) == (1, 2)

    def test_a_closed_client_fetches_nothing(self, drive, idp, clock):
        """After `close` fresh keys still verify, and a call that would fetch is 503."""
        drive.client(idp)
        drive.verify(idp.issue())
        drive.close()
        drive.verify(idp.issue())
        clock.advance(280)
        drive.verify(idp.issue())  # due: used, and no flight begins
        clock.advance(20)
        assert unavailable(drive, idp.issue()).code == "fetch_failed"
        with pytest.raises(KeysUnavailableError):
            drive.refresh()
        assert idp.fetches == 1

    def test_close_ends_a_flight(self, drive, idp):
        """Waiting callers get an error when the client is closed, and no flight continues."""
        drive.client(idp)
        with idp.hold() as held:
            call = drive.start("verify", idp.issue())
            held.wait()
            closing = drive.start("close" if drive.kind == "sync" else "aclose")
            assert call.exception(PATIENCE).code == "fetch_failed"
        closing.result(PATIENCE)
        drive.settle()

    def test_health_makes_no_request(self, drive, idp, clock):
        """`health` reports state, counts and times, and never makes a request."""
        drive.client(idp)
        health = drive.health(NAME)
        assert (health.state, health.key_count, health.age, health.fetches) == ("cold", 0, None, 0)
        drive.verify(idp.issue())
        clock.advance(5)
        health = drive.health(NAME)
        assert (health.state, health.key_count, health.age, health.fetches) == ("fresh", 1, 5, 1)
        assert health.last_success == 1_700_000_000
        assert (health.last_failure, health.last_error, health.next_attempt) == (None, None, None)


class TestEvents:
    def test_each_change_has_its_event(self, drive, idp):
        """A first set, an unchanged set, a rotation, an unknown kid and a refusal each have their event."""
        reported = []
        drive.client(idp, listeners=[reported.append])
        drive.verify(idp.issue())
        drive.settle()  # listeners get the events of a fetch after its callers were released
        drive.refresh()
        idp.rotate()
        drive.refresh()
        refused(drive, idp.issue(headers={"kid": "no\nbody"}))
        drive.settle()
        fetches = [event for event in reported if hasattr(event, "life")]
        assert kinds(fetches) == [KeysFetched, KeysUnchanged, KeysRotated, KeysUnchanged]
        # Whether a caller waits for a flight depends on how soon it ends.
        others = [
            event for event in reported if not isinstance(event, (*kinds(fetches), KeysAwaited))
        ]
        assert kinds(others) == [UnknownKid, TokenRefused]
        assert fetches[0].kids == ("key-1",)
        assert fetches[2].added == ("key-2",)
        assert others[0].kid == "no\\nbody"
        assert (others[1].provider, others[1].code) == (NAME, "unknown_key")

    def test_a_listener_that_raises_breaks_nothing(self, drive, idp):
        """A verdict does not depend on the listeners."""

        def broken(event):
            raise RuntimeError("ouch")

        received = []
        drive.client(idp, listeners=[broken, received.append])
        drive.verify(idp.issue())
        drive.settle()
        assert refused(drive, "x") == "malformed_token"
        assert kinds(received, KeysFetched, TokenRefused) == [KeysFetched, TokenRefused]


class TestLoops:
    def test_a_client_works_in_two_runs_of_asyncio(self, idp):
        """A client outlives the event loop in which it fetched."""
        client = AsyncJWKSClient(
            idp.provider, clock=idp.clock, http=httpx.AsyncClient(transport=idp.transport)
        )
        for _ in range(2):
            asyncio.run(client.verify(idp.issue()))
            asyncio.run(client.refresh())
        assert idp.fetches == 3

    def test_a_cancelled_leader_fails_no_follower(self, idp):
        """If the caller that began a flight is cancelled, the flight continues for the other callers."""

        async def story() -> None:
            client = AsyncJWKSClient(
                idp.provider, clock=idp.clock, http=httpx.AsyncClient(transport=idp.transport)
            )
            with idp.hold() as held:
                leader = asyncio.create_task(client.verify(idp.issue(sub="leader")))
                await held.wait_async()
                followers = [
                    asyncio.create_task(client.verify(idp.issue(sub=str(n)))) for n in range(20)
                ]
                await asyncio.sleep(0)
                leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
            verified = await asyncio.gather(*followers)
            assert [token.subject for token in verified] == [str(n) for n in range(20)]

        asyncio.run(story())
        assert idp.fetches == 1

    def test_a_cancelled_flight_is_begun_again(self, idp):
        """If a flight's task is cancelled, waiting callers begin a new flight instead of failing."""

        async def story() -> None:
            client = AsyncJWKSClient(
                idp.provider, clock=idp.clock, http=httpx.AsyncClient(transport=idp.transport)
            )
            with idp.hold() as held:
                waiting = asyncio.create_task(client.verify(idp.issue()))
                await held.wait_async()
                [flight] = [
                    t for t in asyncio.all_tasks() if t.get_name().startswith("jwks-client")
                ]
                flight.cancel()
                await held.wait_async(2)
            assert (await waiting).subject is not None

        asyncio.run(story())
        assert idp.fetches == 2

    def test_a_loop_closed_during_a_flight_ends_the_flight(self, idp):
        """A closed loop ends its flight, and the next loop begins its own."""
        client = AsyncJWKSClient(
            idp.provider, clock=idp.clock, http=httpx.AsyncClient(transport=idp.transport)
        )

        async def leave() -> None:
            task = asyncio.create_task(client.verify(idp.issue()))
            await held.wait_async()
            task.cancel()

        with idp.hold() as held:
            asyncio.run(leave())
        asyncio.run(client.verify(idp.issue()))
        assert idp.fetches == 2

    def test_two_loops_share_a_flight(self, idp):
        """Two loops share a flight and its keys."""
        client = AsyncJWKSClient(
            idp.provider, clock=idp.clock, http=httpx.AsyncClient(transport=idp.transport)
        )
        results: list[str | None] = []

        def run() -> None:
            results.append(asyncio.run(client.verify(idp.issue(sub="u"))).subject)

        with idp.hold() as held:
            threads = [threading.Thread(target=run) for _ in range(2)]
            for thread in threads:
                thread.start()
            held.wait()
        for thread in threads:
            thread.join(PATIENCE)
        assert results == ["u", "u"]
        asyncio.run(client.verify(idp.issue()))
        assert idp.fetches == 1


def test_sixty_four_cold_threads(idp):
    """64 threads that start together cause one fetch."""
    client = JWKSClient(idp.provider, clock=idp.clock, http=httpx.Client(transport=idp.transport))
    start = threading.Barrier(64)
    results: list[str | None] = []

    def run(number: int) -> None:
        token = idp.issue(sub=str(number))
        start.wait(PATIENCE)
        results.append(client.verify(token).subject)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(results) == 64
    assert idp.fetches == 1
