"""The conversation that fetches a key set: each request, each response, the outcome."""

import gzip
import json
import ssl
import tracemalloc
import zlib

import pytest
from conversations import (
    AGENT,
    AT_URL,
    BY_METADATA,
    ED25519,
    ISSUER,
    KEY_SET,
    KEYS,
    METADATA,
    NOW,
    P256,
    answer,
    failed,
    fetched,
    headers_of,
    metadata,
    ok,
    play,
    talk,
    tell,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from jwks_client import CachePolicy, FetchPolicy, Provider, providers
from jwks_client._core.keysets.discovery import Discovered
from jwks_client._core.keysets.fetch import Broken, Failed, Fetched, Request, Response, Validators
from jwks_client._core.keysets.freshness import Freshness


class TestTheKeySet:
    def test_one_get_of_the_configured_url_is_all(self) -> None:
        """A provider with a key-set URL gets one request, and the response is the key set."""
        asked, outcome = play(talk(), ok())
        assert [request.url for request in asked] == [KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.key_set is not None
        assert [key.kid for key in outcome.key_set] == ["k1"]
        assert outcome == Fetched(
            key_set=outcome.key_set,
            freshness=Freshness(300, 3600),
            validators=Validators(KEYS, None, None),
            discovered=None,
            requests=1,
            body=outcome.body,
        )
        assert outcome.body is not None

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "application/jwk-set+json", "text/html", "image/png", "", "nonsense"],
    )
    def test_the_content_type_is_not_relied_on(self, content_type: str) -> None:
        """The bytes of a response count, not its content type."""
        assert fetched(talk(), ok(content_type=content_type)).key_set is not None
        assert failed(talk(), ok(b"<html>", content_type=content_type)).code == "bad_key_set"

    def test_the_freshness_is_that_of_the_response(self) -> None:
        """Cache-Control of the key set's response sets its lifetime, within the cache policy."""
        policy = CachePolicy(max_ttl=1000)
        assert fetched(
            talk(cache=policy), ok(cache_control="max-age=5000, stale-if-error=7")
        ).freshness == Freshness(1000, 7)
        # Expires is compared with the wall clock that the conversation was given.
        assert fetched(talk(), ok(expires="Tue, 14 Nov 2023 22:21:40 GMT")).freshness == Freshness(
            500, 3600
        )

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "not JSON"),
            (b"<!doctype html><title>Sign in</title>", "not JSON"),
            (b"Error while retrieving the keys", "not JSON"),  # WSO2 sends it with status 200
            (b'{"keys": [', "not JSON"),
            (b"\xff\xfe\x00", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"null", "not an object"),
            (b"[]", "not an object"),
            (b'"Error while retrieving the keys"', "not an object"),  # the same, quoted
            (b"{}", "no list 'keys'"),
            (b'{"keys": null}', "no list 'keys'"),
            (b'{"keys": 7}', "no list 'keys'"),
            (b'{"keys": {}}', "no list 'keys'"),
            (b'{"keys": [], "keys": []}', "a duplicate member"),
            (b'{"keys": []}', "no entries"),
            (b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', "none of its"),
        ],
    )
    def test_a_200_that_is_not_a_key_set_is_a_failure(self, body: bytes, said: str) -> None:
        """A document without a usable key is ``bad_key_set`` with a reason, after one request."""
        outcome = failed(talk(), ok(body))
        assert outcome.code == "bad_key_set"
        assert said in outcome.message
        assert outcome.requests == 1

    @pytest.mark.parametrize(
        "odd",
        [
            {"kty": "XYZ"},
            {"kty": "EC", "crv": "P-111", "x": "AA", "y": "AA"},
            {**P256, "alg": "RSA-OAEP"},
            {**P256, "alg": "SHA256"},
            7,
            None,
        ],
    )
    @pytest.mark.parametrize("at", [0, 1])
    def test_an_unusable_entry_does_not_spoil_the_others(self, odd: object, at: int) -> None:
        """An entry of unknown type, curve or algorithm, in any position, leaves the other keys usable."""
        entries: list[object] = [ED25519]
        entries.insert(at, odd)
        key_set = fetched(talk(), ok(json.dumps({"keys": entries}).encode())).key_set
        assert key_set is not None
        assert [key.kid for key in key_set] == ["k1"]
        assert len(key_set.unusable) == 1

    def test_max_keys_is_the_fetch_policy_s(self) -> None:
        """A set with more entries than ``max_keys`` of the fetch policy is refused as a whole."""
        two = ok(json.dumps({"keys": [ED25519, P256]}).encode())
        assert fetched(talk(fetch=FetchPolicy(max_keys=2)), two).key_set is not None
        outcome = failed(talk(fetch=FetchPolicy(max_keys=1)), two)
        assert outcome.code == "bad_key_set"
        assert "max_keys" in outcome.message

    @pytest.mark.parametrize(
        "status", [201, 202, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410]
    )
    def test_only_200_counts_and_nothing_else_is_retried(self, status: int) -> None:
        """Any other status is ``fetch_failed`` after one request, whatever its body."""
        asked, outcome = play(talk(), answer(status, KEY_SET, location="https://elsewhere.example"))
        assert isinstance(outcome, Failed)
        assert outcome.code == "fetch_failed"
        assert str(status) in outcome.message
        assert ("redirect" in outcome.message) == (300 <= status < 400)
        assert [request.url for request in asked] == [KEYS]
        assert outcome.requests == 1


class TestConditions:
    HELD = Validators(KEYS, '"v1"', "Tue, 14 Nov 2023 22:13:20 GMT")

    def test_validators_of_the_last_response_make_the_next_request_conditional(self) -> None:
        """``ETag`` and ``Last-Modified`` come back as conditions, each if the response had it."""
        first = fetched(talk(), ok(etag='W/"v1"', last_modified="yesterday"))
        assert first.validators == Validators(KEYS, 'W/"v1"', "yesterday")
        (request,), _ = play(talk(validators=first.validators), ok())
        assert headers_of(request)["if-none-match"] == 'W/"v1"'
        assert headers_of(request)["if-modified-since"] == "yesterday"

        (request,), _ = play(talk(validators=Validators(KEYS, '"v1"', None)), ok())
        assert "if-modified-since" not in headers_of(request)
        (request,), _ = play(talk(validators=Validators(KEYS, None, "yesterday")), ok())
        assert "if-none-match" not in headers_of(request)

    def test_without_validators_nothing_is_conditional(self) -> None:
        """A first request, or a request after a response without validators, has no condition."""
        for held in (None, Validators(KEYS, None, None)):
            (request,), _ = play(talk(validators=held), ok())
            assert headers_of(request).keys() == {"accept", "accept-encoding", "user-agent"}

    def test_validators_go_only_to_the_url_they_came_from(self) -> None:
        """Validators of one URL are sent neither to another key-set URL nor with the metadata request."""
        elsewhere = Validators("https://keys.example.com/old", '"v1"', "yesterday")
        (request,), _ = play(talk(validators=elsewhere), ok())
        assert not {"if-none-match", "if-modified-since"} & headers_of(request).keys()

        of_metadata = Validators(METADATA, '"v1"', "yesterday")
        asked, _ = play(talk(BY_METADATA, validators=of_metadata), metadata(), ok())
        for request in asked:
            assert not {"if-none-match", "if-modified-since"} & headers_of(request).keys()

    def test_a_304_renews_the_set(self) -> None:
        """A 304 to this library's condition carries no set, keeps the validators, and gives a new lifetime or the former."""
        outcome = fetched(talk(validators=self.HELD), answer(304))
        assert outcome == Fetched(
            key_set=None, freshness=None, validators=self.HELD, discovered=None, requests=1
        )
        outcome = fetched(
            talk(validators=self.HELD), answer(304, etag='"v2"', cache_control="max-age=600")
        )
        assert outcome.freshness == Freshness(600, 3600)
        assert outcome.validators == Validators(KEYS, '"v2"', self.HELD.last_modified)
        outcome = fetched(talk(validators=self.HELD), answer(304, last_modified="today"))
        assert outcome.validators == Validators(KEYS, self.HELD.etag, "today")

    @pytest.mark.parametrize(
        "held", [Validators(KEYS, '"v1"', None), Validators(KEYS, None, "yesterday")]
    )
    def test_one_condition_is_enough(self, held: Validators) -> None:
        """A 304 to an ``ETag`` alone, or to a ``Last-Modified`` alone, also renews the set."""
        outcome = fetched(talk(validators=held), answer(304))
        assert outcome.key_set is None
        assert outcome.validators == held

    def test_a_304_does_not_renew_the_discovered_url(self) -> None:
        """A renewed key set does not make the metadata look younger."""
        known = Discovered(KEYS, NOW - 600)
        outcome = fetched(talk(BY_METADATA, validators=self.HELD, discovered=known), answer(304))
        assert outcome.discovered == known

    @pytest.mark.parametrize(
        "held",
        [
            None,
            Validators(KEYS, None, None),
            Validators("https://keys.example.com/old", '"v1"', None),
        ],
    )
    def test_a_304_to_an_unconditional_request_is_a_failure(self, held: Validators | None) -> None:
        """A 304 to an unconditional request is refused, and the reason does not call it a redirect."""
        outcome = failed(talk(validators=held), answer(304))
        assert outcome.code == "fetch_failed"
        assert "304" in outcome.message
        assert "redirect" not in outcome.message

    def test_a_200_replaces_the_former_validators(self) -> None:
        """After a 200 without validators, the next request has no condition."""
        outcome = fetched(talk(validators=self.HELD), ok())
        assert outcome.validators == Validators(KEYS, None, None)

    @pytest.mark.parametrize("value", ["", "é", "a\r\nX-Injected: 1", "a\tb", "\x00", "x" * 257])
    def test_a_validator_that_no_header_can_hold_is_dropped(self, value: str) -> None:
        """A validator that could not be sent back unchanged is dropped, and the set is accepted."""
        outcome = fetched(talk(), ok(etag=value, last_modified=value))
        assert outcome.validators == Validators(KEYS, None, None)
        assert fetched(talk(), ok(etag="x" * 256)).validators.etag == "x" * 256


class TestRevalidation:
    def test_a_fetch_that_a_token_caused_bypasses_caches(self) -> None:
        """A fetch after a bad signature or an unknown kid asks caches on the path to revalidate; a routine fetch does not."""
        for provider, answers in ((AT_URL, [ok()]), (BY_METADATA, [metadata(), ok()])):
            for revalidate in (True, False):
                asked, _ = play(talk(provider, revalidate=revalidate), *answers)
                sent = [dict(one.headers).get("Cache-Control") for one in asked]
                assert sent == ["no-cache" if revalidate else None] * len(answers)


class TestRetries:
    CAUSE = OSError("refused")

    @pytest.mark.parametrize(
        "first",
        [
            Broken(CAUSE, timed_out=False),
            Broken(CAUSE, timed_out=True),
            *(answer(status) for status in (408, 429, 500, 502, 503, 504, 599)),
        ],
    )
    def test_a_temporary_failure_is_retried_once(self, first: Response | Broken) -> None:
        """A connect failure, timeout, 408, 429 or 5xx is retried once, with the same request."""
        asked, outcome = play(talk(), first, ok())
        assert isinstance(outcome, Fetched)
        assert asked[0] == asked[1]
        assert outcome.requests == 2

    @pytest.mark.parametrize("first", [Broken(CAUSE, timed_out=False), answer(503)])
    def test_the_policy_sets_the_number_of_retries(self, first: Response | Broken) -> None:
        """``retries`` counts further attempts; after them the last failure is the outcome."""
        for retries in (0, 1, 3):
            outcome = failed(talk(fetch=FetchPolicy(retries=retries)), *[first] * (retries + 1))
            assert outcome.code == "fetch_failed"
            assert outcome.requests == retries + 1

    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    @pytest.mark.parametrize("wish", ["120", "Tue, 14 Nov 2023 22:15:20 GMT"])
    def test_a_response_with_retry_after_is_not_retried(self, status: int, wish: str) -> None:
        """A response with Retry-After is not retried, and the outcome has its value."""
        outcome = failed(talk(), answer(status, retry_after=wish))
        assert outcome.code == "fetch_failed"
        assert outcome.retry_after == 120
        assert outcome.requests == 1

    @pytest.mark.parametrize(
        ("wish", "expected"), [("0", 0), ("299", 299), ("86400", 300), ("soon", None), ("-1", None)]
    )
    def test_retry_after_is_capped_and_may_be_garbage(
        self, wish: str, expected: float | None
    ) -> None:
        """Retry-After counts up to 300 seconds; an unreadable one still prevents the retry."""
        assert failed(talk(), answer(503, retry_after=wish)).retry_after == expected

    def test_retry_after_counts_with_any_failing_response(self) -> None:
        """A 403 or a redirect may also carry a Retry-After that counts."""
        assert failed(talk(), answer(403, retry_after="60")).retry_after == 60
        assert failed(talk(), answer(302, retry_after="60")).retry_after == 60
        assert failed(talk(), answer(403)).retry_after is None

    @pytest.mark.parametrize(
        "first", [Broken(CAUSE, timed_out=False), Broken(CAUSE, timed_out=True), answer(503)]
    )
    def test_nothing_is_retried_while_the_last_attempt_failed(
        self, first: Response | Broken
    ) -> None:
        """During an outage each attempt is one request, whatever the policy says."""
        outcome = failed(talk(last_failed=True, fetch=FetchPolicy(retries=5)), first)
        assert outcome.requests == 1

    def test_a_missing_response_is_reported_with_its_cause(self) -> None:
        """A broken connection is ``fetch_failed`` and a timeout is ``fetch_timeout``, each with its cause."""
        broken, late = Broken(self.CAUSE, timed_out=False), Broken(self.CAUSE, timed_out=True)
        outcome = failed(talk(), late, broken)
        assert (outcome.code, outcome.cause) == ("fetch_failed", self.CAUSE)
        outcome = failed(talk(), broken, late)
        assert (outcome.code, outcome.cause) == ("fetch_timeout", self.CAUSE)

    def test_each_document_has_its_own_retries_and_only_the_key_set_counts(self) -> None:
        """A retry of the metadata leaves the key set its own; ``requests`` counts only GETs of the key set."""
        broken = Broken(self.CAUSE, timed_out=False)
        outcome = fetched(talk(BY_METADATA), broken, metadata(), answer(502), ok())
        assert outcome.requests == 2


class TestHeaders:
    def test_the_library_s_own_headers(self) -> None:
        """Accept names both types, gzip is the only requested encoding, and User-Agent names this library."""
        (request,), _ = play(talk(), ok())
        assert headers_of(request) == {
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "gzip",
            "user-agent": AGENT,
        }

    def test_the_application_s_headers_win_whatever_their_case(self) -> None:
        """A header of the application replaces this library's header, with its own spelling."""
        given = {"USER-AGENT": "mine/1", "accept": "*/*", "X-Api-Key": "s3cret"}
        own = Provider(
            name="p",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            jwks_url=KEYS,
            headers=given,
        )
        (request,), _ = play(talk(own), ok())
        assert headers_of(request) == {
            "accept": "*/*",
            "accept-encoding": "gzip",
            "user-agent": "mine/1",
            "x-api-key": "s3cret",
        }
        assert set(given.items()) <= set(request.headers)

    @pytest.mark.parametrize(
        ("keys", "sent"),
        [
            (f"{ISSUER}/keys", True),
            (f"{ISSUER}:443/keys", True),
            ("https://IDP.EXAMPLE.COM/keys", True),
            (f"{ISSUER}:8443/keys", False),
            ("https://keys.idp.example.com/keys", False),
            ("https://example.com/keys", False),
            (f"{ISSUER}.evil.example/keys", False),
            ("https://keys.example.com/?idp.example.com", False),
        ],
    )
    def test_the_application_s_headers_go_to_the_configured_origin_only(
        self, keys: str, *, sent: bool
    ) -> None:
        """A secret header goes to the configured scheme, host and port, not to the place that the metadata names."""
        own = providers.oidc(ISSUER, audience=providers.UNCHECKED, headers={"X-Api-Key": "s3cret"})
        asked, _ = play(talk(own), metadata(jwks_uri=keys), ok())
        assert headers_of(asked[0])["x-api-key"] == "s3cret"
        assert ("x-api-key" in headers_of(asked[1])) == sent
        assert headers_of(asked[1])["user-agent"] == AGENT

    def test_plain_http_is_another_origin(self) -> None:
        """Plain http is another origin, so a document cannot have a secret sent in the clear."""
        own = providers.oidc(
            ISSUER, audience=providers.UNCHECKED, headers={"X-Api-Key": "s"}, allow_http=True
        )
        asked, _ = play(talk(own), metadata(jwks_uri="http://idp.example.com/keys"), ok())
        assert "x-api-key" not in headers_of(asked[1])

    def test_the_application_s_headers_go_to_both_places_of_the_metadata(self) -> None:
        """Both places of the metadata are at the configured origin, so both get the headers."""
        own = providers.oidc(ISSUER, audience=providers.UNCHECKED, headers={"X-Api-Key": "s"})
        asked, _ = play(talk(own), answer(404), metadata(), ok())
        assert ["x-api-key" in headers_of(request) for request in asked] == [True, True, False]


class TestBody:
    SMALL = FetchPolicy(max_body=len(KEY_SET))

    def test_a_body_of_exactly_max_body_is_accepted(self) -> None:
        """A body of exactly ``max_body`` is accepted, compressed or not."""
        assert fetched(talk(fetch=self.SMALL), ok()).key_set is not None
        # Padded with white space, because this small document is longer when compressed.
        padded = KEY_SET.ljust(2000)
        exact = FetchPolicy(max_body=2000)
        assert (
            fetched(talk(fetch=exact), zipped(gzip.compress(padded, mtime=0))).key_set is not None
        )

    def test_one_byte_more_is_refused(self) -> None:
        """A body over ``max_body`` is refused: plain, compressed, cut short by the driver, or read whole already."""
        longer = KEY_SET + b" "
        limit = FetchPolicy(max_body=2000)
        for one, policy in (
            (ok(longer), self.SMALL),
            (zipped(gzip.compress(KEY_SET.ljust(2001), mtime=0)), limit),
            (Response(200, {}, None), self.SMALL),
            (Response(200, {"content-encoding": "gzip"}, None), self.SMALL),
            (Response(200, {}, None, decoded=True), self.SMALL),
            (Response(200, {}, longer, decoded=True), self.SMALL),
        ):
            outcome = failed(talk(fetch=policy), one)
            assert outcome.code == "bad_key_set"
            assert "max_body" in outcome.message

    @pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP", " gzip "])
    def test_gzip_is_inflated(self, name: str) -> None:
        """gzip, the only requested encoding, is inflated under both of its names."""
        one = ok(gzip.compress(KEY_SET, mtime=0), content_encoding=name)
        assert fetched(talk(), one).key_set is not None

    @pytest.mark.parametrize(
        "name", ["identity", "", " Identity ", "UTF-8", "aws-chunked", "aws-chunked, identity", ","]
    )
    def test_a_no_op_coding_is_ignored(self, name: str) -> None:
        """A no-op coding changes nothing; object stores label plain bodies so."""
        assert fetched(talk(), ok(content_encoding=name)).key_set is not None
        both = ok(gzip.compress(KEY_SET, mtime=0), content_encoding=f"gzip,{name}")
        assert fetched(talk(), both).key_set is not None

    def test_several_gzip_members_are_one_body(self) -> None:
        """Several gzip members are one body with one limit (RFC 1952), with the padding that some writers leave."""
        members = [gzip.compress(part, mtime=0) for part in (KEY_SET[:9], b"", KEY_SET[9:])]
        whole = b"".join(members)
        assert fetched(talk(), zipped(whole)).key_set is not None
        assert fetched(talk(), zipped(whole + bytes(512))).key_set is not None
        assert failed(talk(), zipped(whole + b"rest")).code == "bad_key_set"
        outcome = failed(talk(fetch=self.SMALL), zipped(whole + gzip.compress(b" ")))
        assert "max_body" in outcome.message

    @pytest.mark.parametrize("name", ["deflate", "br", "zstd", "gzip, gzip", "gzip, br", "é"])
    def test_another_encoding_is_a_failed_fetch(self, name: str) -> None:
        """An encoding that was not requested is refused instead of guessed."""
        outcome = failed(talk(), ok(zlib.compress(KEY_SET), content_encoding=name))
        assert outcome.code == "bad_key_set"
        assert "Content-Encoding" in outcome.message

    def test_a_response_read_whole_already_is_used_as_it_is(self) -> None:
        """A mock transport's response was decoded by the HTTP client, whatever its header says."""
        for name in ("gzip", "br"):
            one = Response(200, {"content-encoding": name}, KEY_SET, decoded=True)
            assert fetched(talk(), one).key_set is not None

    def test_a_gzip_bomb_is_refused_before_it_is_held(self) -> None:
        """10 MB of zeros in 10 kB of gzip cost little more memory than ``max_body``."""
        bomb = zipped(gzip.compress(bytes(10_000_000), mtime=0))
        policy = FetchPolicy(max_body=64 * 1024)
        play(talk(fetch=policy), bomb)  # so that imports on first use are not counted
        tracemalloc.start()
        try:
            outcome = failed(talk(fetch=policy), bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert outcome.code == "bad_key_set"
        assert "max_body" in outcome.message
        assert peak < 4 * policy.max_body

    def test_no_more_than_one_byte_over_the_limit_is_inflated(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One byte over the limit suffices to know, so zlib inflates no more."""
        limits: list[int] = []
        real = zlib.decompressobj

        class Watched:
            def __init__(self, **options: int) -> None:
                self.inflater = real(**options)

            def decompress(self, raw: bytes, longest: int = 0) -> bytes:
                limits.append(longest)
                return self.inflater.decompress(raw, longest)

        monkeypatch.setattr(zlib, "decompressobj", Watched)
        outcome = failed(talk(fetch=self.SMALL), zipped(gzip.compress(bytes(100_000), mtime=0)))
        assert "max_body" in outcome.message
        assert limits == [self.SMALL.max_body + 1]

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            gzip.compress(KEY_SET, mtime=0)[:-1],
            gzip.compress(KEY_SET, mtime=0)[:-8],
            gzip.compress(KEY_SET, mtime=0)[:40],
            gzip.compress(KEY_SET, mtime=0)[:5],
        ],
    )
    def test_gzip_that_is_cut_short_is_a_failure(self, raw: bytes) -> None:
        """A truncated body is refused, even if its readable part is a key set."""
        outcome = failed(talk(), zipped(raw))
        assert outcome.code == "bad_key_set"
        assert "truncated" in outcome.message

    @pytest.mark.parametrize("raw", [KEY_SET, zlib.compress(KEY_SET), b"\x1f\x8b\x08rubbish" * 9])
    def test_a_body_wrongly_labelled_gzip_is_a_failure(self, raw: bytes) -> None:
        """A body that is labelled gzip but is not is refused."""
        outcome = failed(talk(), zipped(raw))
        assert outcome.code == "bad_key_set"
        assert "gzip" in outcome.message

    def test_a_wrong_checksum_is_a_failure(self) -> None:
        """Bytes that were changed on the path are refused."""
        whole = bytearray(gzip.compress(KEY_SET, mtime=0))
        whole[-6] ^= 1
        assert failed(talk(), zipped(bytes(whole))).code == "bad_key_set"


class TestOutsiders:
    @pytest.mark.parametrize(
        ("answers", "said"),
        [
            ([ok(b"<html>")], "not JSON"),
            (
                [answer(302, location="https://elsewhere.example/a")],
                "to https://elsewhere.example/a",
            ),
            ([answer(404), answer(404)], "answered 404"),
            ([metadata(issuer="https://elsewhere.example")], "'https://elsewhere.example'"),
            ([metadata(issuer=None)], "it names none, configured is 'https://idp.example.com'"),
            ([metadata(issuer="https://idp.example.com/")], "differ in the trailing slash"),
            (
                [metadata(jwks_uri="http://elsewhere.example/keys")],
                "'http://elsewhere.example/keys'",
            ),
            ([metadata(jwks_uri="https://10.0.0.1/keys")], "configure it as jwks_url="),
            ([metadata(), answer(404)], "/jwks answered 404"),
            ([metadata(), answer(304)], "304"),
            ([metadata(), ok(b"<!doctype html>")], "looks like HTML"),
            ([metadata(), ok(KEY_SET, content_encoding="br\x1b")], "(br\\x1b)"),
            ([metadata(), *[Broken(OSError("x"), timed_out=False)] * 2], "could not be fetched"),
            ([metadata(), *[Broken(OSError("x"), timed_out=True)] * 2], "did not arrive in time"),
        ],
    )
    def test_a_failure_names_its_url_and_its_reason(
        self, answers: list[Response | Broken], said: str
    ) -> None:
        """An operator who reads the failure knows what to change."""
        message = failed(talk(BY_METADATA), *answers).message
        assert said in message
        assert "https://idp.example.com/" in message or "keys.example" in message
        assert message.isascii()
        assert message.isprintable()

    def test_a_url_is_shown_without_its_query(self) -> None:
        """The query of a URL may hold a secret, so no failure shows it."""
        secret = Provider(
            name="p",
            issuer="https://idp.example.com",
            audience="a",
            jwks_url="https://idp.example.com/keys?code=s3cret",
        )
        assert "s3cret" not in failed(talk(secret), answer(404)).message

    def test_a_certificate_that_only_python_3_13_refuses_is_explained(self) -> None:
        """The error says what Python 3.13 changed and names the fixes; other certificates get no such hint."""
        for code, strict in ((85, True), (89, True), (10, False), (62, False)):
            refused = ssl.SSLCertVerificationError("certificate verify failed")
            refused.verify_code, refused.verify_message = code, "Missing Authority Key Identifier"
            wrapped = OSError("TLS")
            wrapped.__cause__ = refused
            message = failed(talk(), *[Broken(wrapped, timed_out=False)] * 2).message
            assert ("3.13" in message and "VERIFY_X509_STRICT" in message) == strict
            assert ("http=" in message) == strict

    BODIES = st.binary(max_size=40) | st.sampled_from(
        [
            KEY_SET,
            gzip.compress(KEY_SET, mtime=0),
            b"[" * 100_000,
            b'{"keys": [{"kty": "\\ud800", "kid": "\\ud800"}]}',
            b'{"keys": [{"kty": "RSA", "n": ' + b"9" * 9999 + b"}]}",
            b'{"issuer": "%s", "jwks_uri": "https://\\ud800"}' % ISSUER.encode(),
            b'{"issuer": "%s", "jwks_uri": "https://[v1.x]/"}' % ISSUER.encode(),
            b'{"issuer": "%s", "jwks_uri": "https://[::ffff:1.2.3]/"}' % ISSUER.encode(),
            metadata().body or b"",
        ]
    )
    FIELDS = st.dictionaries(
        st.sampled_from(
            ["content-encoding", "etag", "last-modified", "retry-after", "cache-control", "expires"]
        ),
        st.sampled_from(["gzip", "", "é", "\x00", '"v1"', "max-age=-1", "9" * 99, "Nov 99", "0"]),
    )
    ANSWERS = st.builds(
        Response,
        st.sampled_from([200, 200, 304, 302, 404, 410, 429, 500, 0, 999]),
        FIELDS,
        BODIES | st.none(),
        st.booleans(),
    ) | st.builds(Broken, st.just(OSError()), st.booleans())

    @given(
        answers=st.lists(ANSWERS, min_size=8, max_size=8),
        known=st.booleans(),
        held=st.sampled_from([None, Validators(KEYS, '"v1"', None)]),
        last_failed=st.booleans(),
        discovers=st.booleans(),
    )
    def test_every_response_has_an_outcome(
        self,
        answers: list[Response | Broken],
        known: bool,
        held: Validators | None,
        last_failed: bool,
        discovers: bool,
    ) -> None:
        """No response makes the conversation raise, loop, or accept anything but a key set."""
        steps = talk(
            BY_METADATA if discovers else AT_URL,
            validators=held,
            discovered=Discovered(KEYS, NOW) if known else None,
            last_failed=last_failed,
        ).converse()
        next(steps)
        for one in answers:
            match tell(steps, one):
                case Request() as request:
                    assert request.url.startswith("https://")
                case Fetched() as outcome:
                    assert outcome.key_set is None or len(outcome.key_set) > 0
                    return
                case outcome:
                    assert isinstance(outcome, Failed)
                    return
        raise AssertionError("after 8 answers it asks on")
