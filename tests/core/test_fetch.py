"""The conversation that fetches a key set, driven by hand: each request, each answer, the outcome."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwks_client import CachePolicy, FetchPolicy, IssuerTemplate, Provider, providers
from jwks_client._core.fetch import (
    DISCOVERY_LIFE,
    Broken,
    Conversation,
    Discovered,
    Failed,
    Fetched,
    Outcome,
    Plan,
    Request,
    Response,
    Talk,
    Validators,
    may_ask,
)
from jwks_client._core.freshness import Freshness

NOW = 5000.0
WALL = 1_700_000_000.0
ISSUER = "https://idp.example.com"
METADATA = f"{ISSUER}/.well-known/openid-configuration"
OTHER_METADATA = f"{ISSUER}/.well-known/oauth-authorization-server"
KEYS = "https://keys.example.com/jwks"
AGENT = "jwks-client-sdk/0"

# The key of RFC 8037, appendix A.2.
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "k1",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPJHURo",
}
# Coordinates of RFC 7515, appendix A.3.
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "k2",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
KEY_SET = json.dumps({"keys": [ED25519]}).encode()

AT_URL = Provider(name="p", issuer=ISSUER, audience="api", jwks_url=KEYS)
BY_METADATA = providers.oidc(ISSUER, audience="api")


def talk(provider: Provider = AT_URL, **facts: Any) -> Talk:
    """A conversation about to begin; ``cache`` and ``fetch`` are its policies."""
    plan = Plan(
        provider=provider,
        cache=facts.pop("cache", CachePolicy()),
        fetch=facts.pop("fetch", FetchPolicy()),
        user_agent=AGENT,
    )
    headers = tuple(provider.headers.items()) if isinstance(provider.headers, Mapping) else ()
    usual = {"validators": None, "discovered": None, "last_failed": False, "headers": headers}
    return Talk(plan=plan, now=NOW, wall=WALL, **{**usual, **facts})


def tell(steps: Conversation, answer: Response | Broken) -> Request | Outcome:
    """Give one answer; what is asked next, or the outcome."""
    try:
        return steps.send(answer)
    except StopIteration as done:
        return done.value


def play(one: Talk, *answers: Response | Broken) -> tuple[list[Request], Outcome]:
    """Give these answers, all of which must be asked for and no more, and see what comes of it."""
    steps = one.converse()
    asked = [next(steps)]
    for number, answer in enumerate(answers, 1):
        match tell(steps, answer):
            case Request() as request:
                asked.append(request)
            case outcome:
                assert number == len(answers), f"it had enough of {number} of {len(answers)}"
                return asked, outcome
    raise AssertionError(f"it asks on, for {asked[-1].url}")


def fetched(one: Talk, *answers: Response | Broken) -> Fetched:
    """The outcome of a conversation that must go well."""
    _, outcome = play(one, *answers)
    assert isinstance(outcome, Fetched), outcome
    return outcome


def failed(one: Talk, *answers: Response | Broken) -> Failed:
    """The outcome of a conversation that must fail."""
    _, outcome = play(one, *answers)
    assert isinstance(outcome, Failed), outcome
    return outcome


def ok(body: bytes = KEY_SET, **headers: str) -> Response:
    """A 200 as it comes from the wire; ``_`` in a header's name stands for ``-``."""
    return answer(200, body, **headers)


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    """An answer as it comes from the wire."""
    return Response(status, {name.replace("_", "-"): v for name, v in headers.items()}, body)


def metadata(**members: Any) -> Response:
    """The provider's metadata; a member of None is left out."""
    document = {"issuer": ISSUER, "jwks_uri": KEYS, **members}
    return ok(json.dumps({k: v for k, v in document.items() if v is not None}).encode())


def zipped(raw: bytes) -> Response:
    """A 200 that says gzip."""
    return ok(raw, content_encoding="gzip")


def headers_of(request: Request) -> dict[str, str]:
    """A request's headers by name in lower case; a name that stands twice fails the test."""
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


class TestTheKeySet:
    def test_one_get_of_the_configured_url_is_all(self) -> None:
        """A provider with a key-set URL is asked once, for that, and its answer is the key set."""
        asked, outcome = play(talk(), ok())
        assert [(request.url, request.for_keys) for request in asked] == [(KEYS, True)]
        assert isinstance(outcome, Fetched)
        assert outcome.key_set is not None
        assert [key.kid for key in outcome.key_set] == ["k1"]
        assert outcome == Fetched(
            key_set=outcome.key_set,
            freshness=Freshness(300, 3600),
            validators=Validators(KEYS, None, None),
            discovered=None,
            requests=1,
        )

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "application/jwk-set+json", "text/html", "image/png", "", "nonsense"],
    )
    def test_the_content_type_is_not_relied_on(self, content_type: str) -> None:
        """What the bytes are decides, not what the answer calls them."""
        assert fetched(talk(), ok(content_type=content_type)).key_set is not None
        assert failed(talk(), ok(b"<html>", content_type=content_type)).code == "bad_key_set"

    def test_the_freshness_is_that_of_the_answer(self) -> None:
        """Cache-Control of the key set's answer sets its life, within the cache policy."""
        policy = CachePolicy(max_ttl=1000)
        assert fetched(
            talk(cache=policy), ok(cache_control="max-age=5000, stale-if-error=7")
        ).freshness == Freshness(1000, 7)
        # The wall clock that the talk was given is what Expires is held against.
        assert fetched(talk(), ok(expires="Tue, 14 Nov 2023 22:21:40 GMT")).freshness == Freshness(
            500, 3600
        )

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "not JSON"),
            (b"<!doctype html><title>Sign in</title>", "not JSON"),
            (b"Error while retrieving the keys", "not JSON"),  # WSO2, with its 200
            (b'{"keys": [', "not JSON"),
            (b"\xff\xfe\x00", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"null", "no object"),
            (b"[]", "no object"),
            (b'"Error while retrieving the keys"', "no object"),  # the same, quoted
            (b"{}", "no list of keys"),
            (b'{"keys": null}', "no list of keys"),
            (b'{"keys": 7}', "no list of keys"),
            (b'{"keys": {}}', "no list of keys"),
            (b'{"keys": [], "keys": []}', "stands twice"),
            (b'{"keys": []}', "no entries"),
            (b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', "none of them usable"),
        ],
    )
    def test_a_200_that_is_no_key_set_is_a_failure(self, body: bytes, said: str) -> None:
        """A document without a usable key is ``bad_key_set``, says what is wrong, is asked once."""
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
    def test_an_entry_of_no_use_does_not_cost_the_others(self, odd: object, at: int) -> None:
        """An unknown type, curve or algorithm, wherever it stands, leaves the other keys usable."""
        entries: list[object] = [ED25519]
        entries.insert(at, odd)
        key_set = fetched(talk(), ok(json.dumps({"keys": entries}).encode())).key_set
        assert key_set is not None
        assert [key.kid for key in key_set] == ["k1"]
        assert len(key_set.unusable) == 1

    def test_max_keys_is_the_fetch_policy_s(self) -> None:
        """A set with more entries than ``max_keys`` is refused whole."""
        two = ok(json.dumps({"keys": [ED25519, P256]}).encode())
        assert fetched(talk(fetch=FetchPolicy(max_keys=2)), two).key_set is not None
        outcome = failed(talk(fetch=FetchPolicy(max_keys=1)), two)
        assert outcome.code == "bad_key_set"
        assert "max_keys" in outcome.message

    @pytest.mark.parametrize(
        "status", [201, 202, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410]
    )
    def test_only_200_counts_and_nothing_else_is_asked_again(self, status: int) -> None:
        """Another answer is ``fetch_failed`` after one request, whatever it carries."""
        asked, outcome = play(talk(), answer(status, KEY_SET, location="https://elsewhere.example"))
        assert isinstance(outcome, Failed)
        assert outcome.code == "fetch_failed"
        assert str(status) in outcome.message
        assert ("redirect" in outcome.message) == (300 <= status < 400)
        assert [request.url for request in asked] == [KEYS]
        assert outcome.requests == 1


class TestConditions:
    HELD = Validators(KEYS, '"v1"', "Tue, 14 Nov 2023 22:13:20 GMT")

    def test_validators_of_the_last_answer_make_the_next_request_conditional(self) -> None:
        """``ETag`` and ``Last-Modified`` come back as conditions, each where there is one."""
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
        """A first request, or one after an answer without validators, has no condition."""
        for held in (None, Validators(KEYS, None, None)):
            (request,), _ = play(talk(validators=held), ok())
            assert headers_of(request).keys() == {"accept", "accept-encoding", "user-agent"}

    def test_validators_go_only_to_the_url_they_came_from(self) -> None:
        """Neither another key-set URL nor the metadata is asked about what this URL once said."""
        elsewhere = Validators("https://keys.example.com/old", '"v1"', "yesterday")
        (request,), _ = play(talk(validators=elsewhere), ok())
        assert not {"if-none-match", "if-modified-since"} & headers_of(request).keys()

        of_metadata = Validators(METADATA, '"v1"', "yesterday")
        asked, _ = play(talk(BY_METADATA, validators=of_metadata), metadata(), ok())
        for request in asked:
            assert not {"if-none-match", "if-modified-since"} & headers_of(request).keys()

    def test_304_renews(self) -> None:
        """A 304 to our condition has no set, keeps the validators, and says a new life or the old."""
        outcome = fetched(talk(validators=self.HELD), answer(304))
        assert outcome == Fetched(
            key_set=None, freshness=None, validators=self.HELD, discovered=None, requests=1
        )
        outcome = fetched(
            talk(validators=self.HELD), answer(304, etag='"v2"', cache_control="max-age=600")
        )
        assert outcome.freshness == Freshness(600, 3600)
        assert outcome.validators == Validators(KEYS, '"v2"', self.HELD.last_modified)

    def test_304_to_a_discovered_url_keeps_what_was_discovered(self) -> None:
        """A renewal does not make the metadata look younger than it is."""
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
    def test_304_to_no_condition_of_ours_is_a_failure(self, held: Validators | None) -> None:
        """Who did not ask "if changed" cannot be told "unchanged", and is told so, not "redirect"."""
        outcome = failed(talk(validators=held), answer(304))
        assert outcome.code == "fetch_failed"
        assert "304" in outcome.message
        assert "redirect" not in outcome.message

    def test_a_200_forgets_the_former_validators(self) -> None:
        """A new set without validators of its own is not asked about by the old one's."""
        outcome = fetched(talk(validators=self.HELD), ok())
        assert outcome.validators == Validators(KEYS, None, None)

    @pytest.mark.parametrize("value", ["", "é", "a\r\nX-Injected: 1", "a\tb", "\x00", "x" * 257])
    def test_a_validator_that_no_header_can_hold_is_dropped(self, value: str) -> None:
        """What could not be sent back as it came is not kept, and the set is taken all the same."""
        outcome = fetched(talk(), ok(etag=value, last_modified=value))
        assert outcome.validators == Validators(KEYS, None, None)
        assert fetched(talk(), ok(etag="x" * 256)).validators.etag == "x" * 256


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
    def test_what_may_be_gone_in_a_moment_is_tried_once_more(
        self, first: Response | Broken
    ) -> None:
        """No connection, a timeout, 408, 429 and 5xx have one retry, with the very same request."""
        asked, outcome = play(talk(), first, ok())
        assert isinstance(outcome, Fetched)
        assert asked[0] == asked[1]
        assert outcome.requests == 2

    @pytest.mark.parametrize("first", [Broken(CAUSE, timed_out=False), answer(503)])
    def test_there_are_as_many_retries_as_the_policy_says(self, first: Response | Broken) -> None:
        """``retries`` counts further attempts; then the last failure is the outcome."""
        for retries in (0, 1, 3):
            outcome = failed(talk(fetch=FetchPolicy(retries=retries)), *[first] * (retries + 1))
            assert outcome.code == "fetch_failed"
            assert outcome.requests == retries + 1

    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    @pytest.mark.parametrize("wish", ["120", "Tue, 14 Nov 2023 22:15:20 GMT"])
    def test_who_says_retry_after_is_left_alone(self, status: int, wish: str) -> None:
        """An answer with Retry-After is not tried again, and its wish is in the outcome."""
        outcome = failed(talk(), answer(status, retry_after=wish))
        assert outcome.code == "fetch_failed"
        assert outcome.retry_after == 120
        assert outcome.requests == 1

    @pytest.mark.parametrize(
        ("wish", "expected"), [("0", 0), ("299", 299), ("86400", 300), ("soon", None), ("-1", None)]
    )
    def test_the_wish_is_capped_and_may_be_garbage(self, wish: str, expected: float | None) -> None:
        """Retry-After counts up to 300 seconds; what cannot be read still forbids the retry."""
        assert failed(talk(), answer(503, retry_after=wish)).retry_after == expected

    def test_the_wish_counts_with_any_failing_answer(self) -> None:
        """Also a 403 or a redirect may say when to come again."""
        assert failed(talk(), answer(403, retry_after="60")).retry_after == 60
        assert failed(talk(), answer(302, retry_after="60")).retry_after == 60
        assert failed(talk(), answer(403)).retry_after is None

    @pytest.mark.parametrize(
        "first", [Broken(CAUSE, timed_out=False), Broken(CAUSE, timed_out=True), answer(503)]
    )
    def test_nothing_is_retried_while_the_last_attempt_failed(
        self, first: Response | Broken
    ) -> None:
        """In an outage each attempt is one request, whatever the policy says."""
        outcome = failed(talk(last_failed=True, fetch=FetchPolicy(retries=5)), first)
        assert outcome.requests == 1

    def test_no_answer_is_told_with_its_cause(self) -> None:
        """A broken connection is ``fetch_failed``, time that ran out ``fetch_timeout``, with cause."""
        broken, late = Broken(self.CAUSE, timed_out=False), Broken(self.CAUSE, timed_out=True)
        outcome = failed(talk(), late, broken)
        assert (outcome.code, outcome.cause) == ("fetch_failed", self.CAUSE)
        outcome = failed(talk(), broken, late)
        assert (outcome.code, outcome.cause) == ("fetch_timeout", self.CAUSE)

    def test_each_document_has_its_own_retries_and_only_the_key_set_counts(self) -> None:
        """Metadata that needed its retry leaves the key set its own; ``requests`` are its GETs."""
        broken = Broken(self.CAUSE, timed_out=False)
        outcome = fetched(talk(BY_METADATA), broken, metadata(), answer(502), ok())
        assert outcome.requests == 2


class TestHeaders:
    def test_the_library_s_own(self) -> None:
        """Accept names both types, gzip is the one encoding asked for, User-Agent is the plan's."""
        (request,), _ = play(talk(), ok())
        assert headers_of(request) == {
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "gzip",
            "user-agent": AGENT,
        }

    def test_the_application_s_win_whatever_their_case(self) -> None:
        """A header of the application stands in the place of ours, as it was given."""
        given = {"USER-AGENT": "mine/1", "accept": "*/*", "X-Api-Key": "s3cret"}
        own = Provider(name="p", issuer=None, audience=None, jwks_url=KEYS, headers=given)
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
    def test_they_go_to_the_configured_origin_only(self, keys: str, *, sent: bool) -> None:
        """A secret header goes to the metadata's scheme, host and port, not where that points to."""
        own = providers.oidc(ISSUER, audience=None, headers={"X-Api-Key": "s3cret"})
        asked, _ = play(talk(own), metadata(jwks_uri=keys), ok())
        assert headers_of(asked[0])["x-api-key"] == "s3cret"
        assert ("x-api-key" in headers_of(asked[1])) == sent
        assert headers_of(asked[1])["user-agent"] == AGENT

    def test_plain_http_is_another_origin(self) -> None:
        """A document must not have a secret sent in the clear."""
        own = providers.oidc(ISSUER, audience=None, headers={"X-Api-Key": "s"}, allow_http=True)
        asked, _ = play(talk(own), metadata(jwks_uri="http://idp.example.com/keys"), ok())
        assert "x-api-key" not in headers_of(asked[1])

    def test_they_go_along_to_the_other_metadata(self) -> None:
        """Both places of the metadata are at the configured origin."""
        own = providers.oidc(ISSUER, audience=None, headers={"X-Api-Key": "s"})
        asked, _ = play(talk(own), answer(404), metadata(), ok())
        assert ["x-api-key" in headers_of(request) for request in asked] == [True, True, False]


class TestBody:
    SMALL = FetchPolicy(max_body=len(KEY_SET))

    def test_exactly_max_body_is_taken(self) -> None:
        """The limit is the longest that is read, compressed or not."""
        assert fetched(talk(fetch=self.SMALL), ok()).key_set is not None
        # Compressed, this small document is longer than itself: white space makes room.
        padded = KEY_SET.ljust(2000)
        exact = FetchPolicy(max_body=2000)
        assert fetched(talk(fetch=exact), zipped(gzip.compress(padded))).key_set is not None

    def test_one_byte_more_is_refused(self) -> None:
        """However it came: plain, compressed, cut short by the driver, or read whole already."""
        longer = KEY_SET + b" "
        limit = FetchPolicy(max_body=2000)
        for one, policy in (
            (ok(longer), self.SMALL),
            (zipped(gzip.compress(KEY_SET.ljust(2001))), limit),
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
        """The one encoding that was asked for, by either of its names."""
        one = ok(gzip.compress(KEY_SET), content_encoding=name)
        assert fetched(talk(), one).key_set is not None

    @pytest.mark.parametrize("name", ["identity", "", " Identity "])
    def test_identity_is_no_encoding(self, name: str) -> None:
        """The body is as it is."""
        assert fetched(talk(), ok(content_encoding=name)).key_set is not None

    @pytest.mark.parametrize("name", ["deflate", "br", "zstd", "gzip, gzip", "gzip, br", "é"])
    def test_another_encoding_is_a_failure(self, name: str) -> None:
        """What was not asked for is not guessed at."""
        outcome = failed(talk(), ok(zlib.compress(KEY_SET), content_encoding=name))
        assert outcome.code == "bad_key_set"
        assert "Content-Encoding" in outcome.message

    def test_an_answer_read_whole_already_is_taken_as_it_is(self) -> None:
        """A mock transport's answer was decoded by the HTTP client, whatever its header says."""
        for name in ("gzip", "br"):
            one = Response(200, {"content-encoding": name}, KEY_SET, decoded=True)
            assert fetched(talk(), one).key_set is not None

    def test_a_bomb_is_refused_before_it_is_held(self) -> None:
        """10 MB of zeros in 10 kB of gzip cost no more memory than ``max_body`` and a little."""
        bomb = zipped(gzip.compress(bytes(10_000_000)))
        policy = FetchPolicy(max_body=64 * 1024)
        play(talk(fetch=policy), bomb)  # what is imported on first use is not counted
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
        """One byte over is enough to know, and zlib is told so."""
        limits: list[int] = []
        real = zlib.decompressobj

        class Watched:
            def __init__(self, **options: int) -> None:
                self.inflater = real(**options)

            def decompress(self, raw: bytes, longest: int = 0) -> bytes:
                limits.append(longest)
                return self.inflater.decompress(raw, longest)

        monkeypatch.setattr(zlib, "decompressobj", Watched)
        outcome = failed(talk(fetch=self.SMALL), zipped(gzip.compress(bytes(100_000))))
        assert "max_body" in outcome.message
        assert limits == [self.SMALL.max_body + 1]

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            gzip.compress(KEY_SET)[:-1],
            gzip.compress(KEY_SET)[:-8],
            gzip.compress(KEY_SET)[:40],
            gzip.compress(KEY_SET)[:5],
        ],
    )
    def test_gzip_that_is_cut_short_is_a_failure(self, raw: bytes) -> None:
        """Half an answer is none, even where what is there would read as a key set."""
        outcome = failed(talk(), zipped(raw))
        assert outcome.code == "bad_key_set"
        assert "cut short" in outcome.message

    @pytest.mark.parametrize("raw", [KEY_SET, zlib.compress(KEY_SET), b"\x1f\x8b\x08rubbish" * 9])
    def test_what_says_gzip_and_is_not_is_a_failure(self, raw: bytes) -> None:
        """A wrong label is not looked behind."""
        outcome = failed(talk(), zipped(raw))
        assert outcome.code == "bad_key_set"
        assert "gzip" in outcome.message

    def test_a_wrong_checksum_is_a_failure(self) -> None:
        """Bytes that were changed on the way are not a key set."""
        whole = bytearray(gzip.compress(KEY_SET))
        whole[-6] ^= 1
        assert failed(talk(), zipped(bytes(whole))).code == "bad_key_set"


class TestDiscovery:
    def test_metadata_then_keys(self) -> None:
        """The metadata names the key set; both are asked, and the place is remembered with its time."""
        asked, outcome = play(talk(BY_METADATA), metadata(), ok(etag='"v1"'))
        assert [(request.url, request.for_keys) for request in asked] == [
            (METADATA, False),
            (KEYS, True),
        ]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)
        assert outcome.validators == Validators(KEYS, '"v1"', None)
        assert outcome.requests == 1

    @pytest.mark.parametrize("age", [0.0, 3600.0, DISCOVERY_LIFE - 1])
    def test_what_was_discovered_is_used_for_24_hours(self, age: float) -> None:
        """Within a day the key set is asked directly, and the day is not begun anew by that."""
        known = Discovered(KEYS, NOW - age)
        asked, outcome = play(talk(BY_METADATA, discovered=known), ok())
        assert [request.url for request in asked] == [KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == known

    def test_after_24_hours_the_metadata_is_asked_again(self) -> None:
        """A provider that moved its keys is followed within a day."""
        assert DISCOVERY_LIFE == 24 * 3600
        old = Discovered("https://keys.example.com/old", NOW - DISCOVERY_LIFE)
        asked, outcome = play(talk(BY_METADATA, discovered=old), metadata(), ok())
        assert [request.url for request in asked] == [METADATA, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_key_set_that_is_gone_is_looked_for_anew(self, status: int) -> None:
        """404 and 410 from a URL discovered earlier lead back to the metadata, once."""
        old = Discovered("https://keys.example.com/old", NOW - 60)
        asked, outcome = play(talk(BY_METADATA, discovered=old), answer(status), metadata(), ok())
        assert [request.url for request in asked] == [old.jwks_url, METADATA, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)
        assert outcome.requests == 2

        outcome = failed(
            talk(BY_METADATA, discovered=old), answer(status), metadata(), answer(status)
        )
        assert outcome.code == "fetch_failed"
        assert str(status) in outcome.message

    @pytest.mark.parametrize("status", [400, 403, 304])
    def test_another_refusal_is_not(self, status: int) -> None:
        """Where the key set is still there but not had, the metadata is left alone."""
        known = Discovered(KEYS, NOW - 60)
        assert failed(talk(BY_METADATA, discovered=known), answer(status)).code == "fetch_failed"

    def test_a_key_set_just_discovered_is_not_looked_for_again(self) -> None:
        """Metadata that names a URL with nothing behind it is a failure, no loop."""
        outcome = failed(talk(BY_METADATA), metadata(), answer(404))
        assert outcome.code == "fetch_failed"

    @pytest.mark.parametrize(
        ("issuer", "first", "second"),
        [
            (
                "https://idp.example.com",
                "https://idp.example.com/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/",
                "https://idp.example.com/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/api/oidc",
                "https://idp.example.com/api/oidc/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server/api/oidc",
            ),
            (
                "https://idp.example.com:8443/o/",
                "https://idp.example.com:8443/o/.well-known/openid-configuration",
                "https://idp.example.com:8443/.well-known/oauth-authorization-server/o",
            ),
        ],
    )
    @pytest.mark.parametrize("status", [404, 410])
    def test_without_openid_metadata_oauth_s_is_asked(
        self, issuer: str, first: str, second: str, status: int
    ) -> None:
        """RFC 8414, section 3.1 puts the issuer's path behind its well-known part."""
        provider = providers.oidc(issuer, audience="api")
        asked, outcome = play(talk(provider), answer(status), metadata(issuer=issuer), ok())
        assert [request.url for request in asked] == [first, second, KEYS]
        assert [request.for_keys for request in asked] == [False, False, True]
        assert isinstance(outcome, Fetched)
        assert outcome.requests == 1

    @pytest.mark.parametrize(
        "url",
        [
            "https://idp.example.com/metadata.json",
            "https://idp.example.com/.well-known/openid-configuration?appid=1",
            "https://idp.example.com/.well-known/oauth-authorization-server",
        ],
    )
    def test_metadata_at_another_place_is_asked_there_only(self, url: str) -> None:
        """A URL of the application's own has no second place that could be meant."""
        provider = Provider(name="p", issuer=ISSUER, audience=None, discovery_url=url)
        assert failed(talk(provider), answer(404)).code == "discovery_failed"
        assert fetched(talk(provider), metadata(), ok()).key_set is not None

    @pytest.mark.parametrize("status", [204, 302, 304, 400, 401, 403])
    def test_metadata_that_is_not_had_is_a_failure(self, status: int) -> None:
        """Anything but 200 is ``discovery_failed``; OAuth's place is not tried, nor is a redirect."""
        outcome = failed(talk(BY_METADATA), answer(status, metadata().body or b"", retry_after="9"))
        assert outcome.code == "discovery_failed"
        assert str(status) in outcome.message
        assert outcome.retry_after == 9
        assert outcome.requests == 0

    def test_neither_place_has_it(self) -> None:
        """404 at both places is ``discovery_failed``."""
        outcome = failed(talk(BY_METADATA), answer(404), answer(404))
        assert outcome.code == "discovery_failed"
        assert outcome.requests == 0

    def test_metadata_is_retried_like_keys(self) -> None:
        """One retry on 5xx and broken connections; then the failure says which document it was."""
        cause = OSError("refused")
        outcome = failed(talk(BY_METADATA), answer(500), answer(500))
        assert outcome.code == "discovery_failed"
        outcome = failed(talk(BY_METADATA), *[Broken(cause, timed_out=False)] * 2)
        assert (outcome.code, outcome.cause) == ("fetch_failed", cause)
        assert "metadata" in outcome.message
        outcome = failed(talk(BY_METADATA, last_failed=True), Broken(cause, timed_out=True))
        assert outcome.code == "fetch_timeout"
        assert "metadata" in outcome.message

    @pytest.mark.parametrize(
        "one",
        [
            ok(b""),
            ok(b"<html>"),
            ok(b"null"),
            ok(b"[]"),
            ok(b'"' + ISSUER.encode() + b'"'),
            ok(b"[" * 100_000),
            ok(
                json.dumps({"issuer": ISSUER, "jwks_uri": KEYS}).encode()[:-1] + b', "issuer": "x"}'
            ),
            ok(zlib.compress(b"{}"), content_encoding="deflate"),
            zipped(b"{}"),
            Response(200, {}, None),
            ok(b"{" + b" " * 600_000 + b"}"),
        ],
    )
    def test_metadata_that_cannot_be_read_is_a_failure(self, one: Response) -> None:
        """No JSON object, an ambiguous one, a wrong encoding or too long: ``discovery_failed``."""
        outcome = failed(talk(BY_METADATA), one)
        assert outcome.code == "discovery_failed"
        assert outcome.requests == 0

    def test_metadata_is_read_as_tolerantly_as_keys(self) -> None:
        """gzip, a byte order mark and unknown members are fine."""
        raw = b"\xef\xbb\xbf" + (metadata(more={"a": [1]}).body or b"")
        assert fetched(talk(BY_METADATA), zipped(gzip.compress(raw)), ok()).key_set is not None

    @pytest.mark.parametrize("named", [None, 7, "", ["https://keys.example.com/jwks"], {}])
    def test_metadata_without_jwks_uri_is_a_failure(self, named: object) -> None:
        """It says so: the member is absent, or no URL at all."""
        outcome = failed(talk(BY_METADATA), metadata(jwks_uri=named))
        assert outcome.code == "discovery_failed"
        assert "jwks_uri" in outcome.message


class TestTheIssuerOfMetadata:
    @staticmethod
    def taken(configured: Any, found: object) -> bool:
        """Whether metadata that names one issuer is taken for a provider with another configured."""
        provider = Provider(name="p", issuer=configured, audience=None, discovery_url=METADATA)
        steps = talk(provider).converse()
        next(steps)
        outcome = tell(steps, metadata(issuer=found))
        if isinstance(outcome, Failed):
            assert outcome.code == "discovery_failed"
            assert "another issuer" in outcome.message
            return False
        assert isinstance(outcome, Request)
        assert outcome.url == KEYS
        return True

    @pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/", f"{ISSUER}/a/b", "idp.example.com"])
    def test_the_very_same_is_taken(self, issuer: str) -> None:
        """Slash, path and an issuer that is no URL included."""
        assert self.taken(issuer, issuer)

    @pytest.mark.parametrize(
        "found",
        [
            f"{ISSUER}/",
            "http://idp.example.com",
            "https://IDP.example.com",
            "HTTPS://idp.example.com",
            f"{ISSUER}:443",
            "idp.example.com",
            f"{ISSUER}.evil.example",
            f" {ISSUER}",
            ISSUER[:-1],
            "",
            None,
            7,
            [ISSUER],
            {ISSUER: ISSUER},
        ],
    )
    def test_any_other_is_refused(self, found: object) -> None:
        """Compared exactly (OpenID Connect Discovery, section 4.3): nothing is added or forgiven."""
        assert not self.taken(ISSUER, found)
        assert not self.taken((ISSUER, "https://other.example.com"), found)

    def test_one_of_several(self) -> None:
        """With several issuers configured the metadata names one of them."""
        several = (ISSUER, "accounts.example.com")
        assert self.taken(several, ISSUER)
        assert self.taken(several, "accounts.example.com")
        assert not self.taken(several, list(several))

    @pytest.mark.parametrize("found", [ISSUER, "https://any.example", None, 7])
    def test_none_is_knowingly_not_checked(self, found: object) -> None:
        """Who configured no issuer is not asked about it."""
        assert self.taken(None, found)

    TENANTS = IssuerTemplate("https://login.example.com/{tid}/v2.0", allowed={"t1"})

    @pytest.mark.parametrize(
        "found",
        [
            "https://login.example.com/{tid}/v2.0",
            "https://login.example.com/{tenantid}/v2.0",  # so Entra ID spells it
            "https://login.example.com/t1/v2.0",
        ],
    )
    def test_a_template_is_named_by_itself_or_by_an_issuer_of_it(self, found: str) -> None:
        """Metadata for many tenants names the template, whatever it calls the placeholder."""
        assert self.taken(self.TENANTS, found)

    @pytest.mark.parametrize(
        "found",
        [
            "https://login.example.com/v2.0",
            "https://login.example.com//v2.0",
            "https://login.example.com/t1/evil/v2.0",
            "https://login.example.com/../v2.0",
            "https://login.example.com/t1/v2.0/",
            "http://login.example.com/t1/v2.0",
            "https://login.example.com/t1/v1.0",
            "https://login.example.com/t 1/v2.0",
            None,
            7,
        ],
    )
    def test_what_is_no_issuer_of_the_template_is_refused(self, found: object) -> None:
        """The whole string must fit, with one plain value in the one place."""
        assert not self.taken(self.TENANTS, found)


class TestWhereMetadataMayPoint:
    @staticmethod
    def allowed(url: str, issuer: str = ISSUER, **options: Any) -> bool:
        """Whether a key set at ``url`` is asked when the metadata of ``issuer`` names it."""
        provider = providers.oidc(issuer, audience=None, **options)
        steps = talk(provider).converse()
        next(steps)
        outcome = tell(steps, metadata(issuer=issuer, jwks_uri=url))
        assert isinstance(outcome, Request) == may_ask(url, provider)
        if isinstance(outcome, Failed):
            assert outcome.code == "discovery_failed"
            assert "jwks_uri" in outcome.message
            return False
        assert isinstance(outcome, Request)
        assert outcome.url == url
        return True

    @pytest.mark.parametrize(
        "url",
        [
            "https://idp.example.com/keys",
            "https://keys.example.net:8443/a/b?c=d",
            "https://8.8.8.8/keys",
            "https://[2606:4700::1111]/keys",
            "https://[::ffff:8.8.8.8]/keys",
            "https://1password.example/keys",
            "https://a.0xdeadbeef.example/keys",
        ],
    )
    def test_https_at_a_public_place_is_fine(self, url: str) -> None:
        """Another host than the issuer's may publish its keys (Google, Microsoft)."""
        assert self.allowed(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://idp.example.com/keys",
            "ftp://idp.example.com/keys",
            "file:///etc/passwd",
            "data:application/json,{}",
            "//idp.example.com/keys",
            "/keys",
            "keys",
            "https:///keys",
            "https://user:secret@idp.example.com/keys",
            "https://idp.example.com@evil.example/keys",
            "https://idp.example.com\\@evil.example/keys",
            "https://idp.example.com/keys#fragment",
            "https://idp.example.com:99999/keys",
            "https://[::1/keys",
            "https://idp.example.com/a b",
            "https://idp.example.com/\r\nX: 1",
            "https://ïdp.example.com/keys",
            "https://idp.example.com/" + "a" * 2048,
        ],
    )
    def test_what_is_no_plain_https_url_is_refused(self, url: str) -> None:
        """Plain http, another scheme, no host, a user, a fragment, or no URL."""
        assert not self.allowed(url)

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.8.8.8",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "idp.localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "[::]",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a00:1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fd00::1]",
            "255.255.255.255",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "127.1",
            "10.1",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.0x1",
            "127.0.0.1.",
            "2852039166",
        ],
    )
    @pytest.mark.parametrize("scheme", ["https", "http"])
    def test_no_document_points_into_a_private_net(self, scheme: str, host: str) -> None:
        """Loopback, private and link-local addresses, in every spelling a resolver takes."""
        assert not self.allowed(f"{scheme}://{host}/keys")
        assert not self.allowed(f"{scheme}://{host}:8443/keys")

    @pytest.mark.parametrize(
        "host",
        [
            "[fec0::1]",  # site-local, RFC 3879
            "[::a00:1]",  # IPv4-compatible, RFC 4291, section 2.5.5.1
            "[64:ff9b::a00:1]",  # behind NAT64, RFC 6052
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a00:1::]",  # 6to4, RFC 3056
            "[2002:7f00:1::]",
        ],
    )
    def test_a_private_address_inside_another_is_private(self, host: str) -> None:
        """IPv6 has older ways than the mapped one to write a private address."""
        assert not self.allowed(f"https://{host}/keys")

    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("http://127.0.0.1:8080", "http://127.0.0.1:9090/keys"),
            ("http://localhost:8080", "http://localhost:8080/keys"),
            ("http://localhost:8080", "http://[::1]:8080/keys"),
            (
                "https://127.0.0.1:9443",
                "https://localhost:9443/oauth2/jwks",
            ),  # WSO2, out of the box
            ("https://10.0.0.5", "https://10.0.0.6/keys"),
            ("https://[fd00::5]", "https://[fd00::6]/keys"),
        ],
    )
    def test_a_provider_at_home_may_point_home(self, issuer: str, url: str) -> None:
        """Loopback, also plain http, where the issuer is there; private where the issuer is."""
        assert self.allowed(url, issuer)

    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("http://127.0.0.1:8080", "http://idp.example.com/keys"),
            ("http://127.0.0.1:8080", "http://10.0.0.1/keys"),
            ("https://10.0.0.5", "http://10.0.0.5/keys"),
            ("https://10.0.0.5", "https://127.0.0.1/keys"),
            ("https://8.8.8.8", "https://10.0.0.1/keys"),
        ],
    )
    def test_home_opens_no_other_door(self, issuer: str, url: str) -> None:
        """A private issuer gives no plain http, and no loopback."""
        assert not self.allowed(url, issuer)

    def test_allow_http_is_about_the_scheme_only(self) -> None:
        """With ``allow_http`` plain http is asked, and a private net still is not."""
        assert self.allowed("http://idp.example.com/keys", allow_http=True)
        assert not self.allowed("http://10.0.0.1/keys", allow_http=True)
        assert not self.allowed("http://localhost/keys", allow_http=True)
        assert self.allowed("http://10.0.0.1/keys", "http://10.0.0.1", allow_http=True)

    def test_the_configured_key_set_url_is_not_judged(self) -> None:
        """What the application wrote itself may be anywhere: the rule is for documents."""
        private = Provider(name="p", issuer=None, audience=None, jwks_url="https://10.0.0.1/keys")
        assert fetched(talk(private), ok()).key_set is not None


class TestOutsiders:
    @pytest.mark.parametrize(
        "answers",
        [
            [ok(b"<html>")],
            [answer(302, location="https://elsewhere.example")],
            [answer(404), answer(404)],
            [metadata(issuer="https://elsewhere.example")],
            [metadata(jwks_uri="http://elsewhere.example/keys")],
            [metadata(), answer(404)],
            [metadata(), answer(304)],
            [metadata(), ok(b"elsewhere.example")],
            [metadata(), ok(KEY_SET, content_encoding="elsewhere.example")],
            [metadata(), *[Broken(OSError("elsewhere.example"), timed_out=False)] * 2],
        ],
    )
    def test_a_failure_s_message_names_no_host(self, answers: list[Response | Broken]) -> None:
        """Messages may reach clients of the API: no host, no URL, nothing that an outsider wrote."""
        message = failed(talk(BY_METADATA), *answers).message
        assert "example" not in message
        assert "://" not in message

    BODIES = st.binary(max_size=40) | st.sampled_from(
        [
            KEY_SET,
            gzip.compress(KEY_SET),
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
    def test_whatever_is_answered_there_is_an_outcome(
        self,
        answers: list[Response | Broken],
        known: bool,
        held: Validators | None,
        last_failed: bool,
        discovers: bool,
    ) -> None:
        """No answer makes the conversation raise, ask for ever, or take what is no key set."""
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
