"""Small promises: each test here killed a mutant that all other tests let live."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keys import jwk
from signed_tokens import KEY, token, unverified, verified

from jwks_client import CachePolicy, TokenError
from jwks_client._core.credentials.answers import Answers
from jwks_client._core.credentials.reader import CredentialsReader, UnverifiedRequest
from jwks_client._core.keysets.cache import Budget, Fetch, KeyCache, Need, Refuse, selected
from jwks_client._core.keysets.fetch import Failed, Fetched, Validators
from jwks_client._core.keysets.freshness import Freshness
from jwks_client._core.keysets.jwk import Found, KeySet, read_key_set
from jwks_client._core.locations import Cookie, Header, Query
from jwks_client._core.tokens.unverified import UnverifiedHeader, parse, text_of
from jwks_client.errors import CredentialsError, JWKSError, KeysUnavailableError

ASKED_AT, LIFE, STALE_FOR = 1000.0, 100.0, 50.0
SET = KeySet((KEY,))
NEED = Need(KEY.kid, "ES256")
FAILURE = Failed(code="fetch_failed", message="no answer", requests=1)
VALIDATORS = Validators("https://i.test/jwks", '"1"', None)


def late() -> KeyCache:
    """Return a set that was requested long after the clock began."""
    empty = KeyCache(policy=CachePolicy(), due_share=0.5)
    brought = Fetched(
        key_set=SET,
        freshness=Freshness(LIFE, STALE_FOR),
        validators=VALIDATORS,
        discovered=None,
        requests=1,
    )
    return empty.fetched(1, brought, began_at=ASKED_AT)


class TestCache:
    @pytest.mark.parametrize(
        ("age", "state"),
        [
            (0, "fresh"),
            (49, "fresh"),
            (50, "due"),
            (99, "due"),
            (100, "stale"),
            (149, "stale"),
            (150, "expired"),
        ],
    )
    def test_ages_count_from_the_request_of_the_set(self, age, state):
        """A set's age counts from its request, not from the clock's zero."""
        assert late().state(ASKED_AT + age) == state

    @pytest.mark.parametrize("now", [ASKED_AT - 1e6, ASKED_AT, ASKED_AT + 1e6])
    def test_a_cold_set_in_backoff_waits_only_for_an_in_flight_fetch(self, now):
        """During backoff a caller without a key set joins the in-flight fetch, and is refused if there is none."""
        resting = replace(
            KeyCache(policy=CachePolicy(), due_share=None), failure=FAILURE, retry_at=now + 1
        )
        assert resting.look_up(NEED, now, in_flight=True) == Fetch(Budget.ROUTINE)
        assert resting.look_up(NEED, now) == Refuse(known=False)

    def test_an_expired_set_in_backoff_waits_only_for_an_in_flight_fetch(self):
        """During backoff a caller with an expired key set joins the in-flight fetch, and is refused if there is none."""
        now = ASKED_AT + 1000
        resting = replace(late(), failure=FAILURE, retry_at=now + 1)
        assert resting.look_up(NEED, now, in_flight=True) == Fetch(Budget.ROUTINE)
        assert resting.look_up(NEED, now) == Refuse(known=False)

    def test_a_bad_signature_may_fetch_again_after_the_interval(self):
        """A bad signature may cause another fetch once the interval since the last one is over."""
        paid = late().paid(Budget.BAD_SIGNATURE, ASKED_AT)
        assert not paid.may_recheck_kid(ASKED_AT + 59)
        assert paid.may_recheck_kid(ASKED_AT + 60)

    def test_a_fetch_replaces_validators_and_ends_the_backoff(self):
        """A successful fetch replaces the validators and ends the backoff."""
        before = replace(late(), failure=FAILURE, failures=3, retry_at=ASKED_AT + 9)
        brought = Fetched(key_set=SET, freshness=None, validators=None, discovered=None, requests=1)
        assert late().validators is VALIDATORS
        after = before.fetched(2, brought, began_at=ASKED_AT + 1)
        assert (after.validators, after.failure, after.failures, after.retry_at) == (
            None,
            None,
            0,
            0.0,
        )
        assert after.newest == 2

    def test_a_failure_counts_as_the_newest_that_ended(self):
        """An older flight that ends after a failed newer flight changes nothing."""
        failed = late().failed(3, FAILURE, ASKED_AT + 1, draw=0.0)
        assert failed.newest == 3
        assert failed.failed(2, FAILURE, ASKED_AT + 2, draw=0.0) is failed

    def test_the_alg_is_part_of_a_key_s_identity(self):
        """The same material under another alg is a change."""
        named, nameless = Found((replace(KEY, alg="ES256"),)), Found((replace(KEY, alg=None),))
        assert selected(named) == ((KEY.thumbprint, "ES256"),)
        assert selected(nameless) == ((KEY.thumbprint, ""),)


class TestToken:
    def test_a_known_header_is_not_parsed_again(self):
        """A known header segment is not parsed again."""
        text = token()
        segment = text.split(".")[0].encode()
        known = {
            segment: UnverifiedHeader(
                {"alg": "ES256"}, "ES256", "remembered", None, ("remembered", "ES256")
            )
        }
        assert parse(text, 4096, known).kid == "remembered"
        assert parse(text, 4096).kid == KEY.kid

    def test_a_header_that_another_thread_evicts_is_parsed(self):
        """A known header may vanish between two look-ups; then the header is parsed and checked as any other."""

        class Fleeting(dict):
            def __contains__(self, _):
                return True

        good = token()
        assert parse(good, 4096, Fleeting()) == parse(good, 4096)
        with pytest.raises(TokenError) as caught:
            parse(token({"crit": ["x"]}), 4096, Fleeting())
        assert caught.value.code == "unsupported_critical_header"
        assert caught.value.__context__ is None

    def test_no_repr_shows_the_token(self):
        """The reprs of tokens and headers are fixed texts."""
        assert repr(unverified()) == "<UnverifiedToken>"
        assert repr(unverified().header) == "<UnverifiedHeader>"
        assert repr(verified()._facts) == "<TokenFacts>"

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (5, "malformed_token: the token must be str or bytes, got int"),
            (b"\xff", "malformed_token: the token is not ASCII"),
            ("a" * 17, "token_too_large: the token is longer than 16 characters (max_token)"),
        ],
    )
    def test_a_token_that_is_not_text_has_an_exact_message(self, raw, said):
        """A token that is not text is refused with an exact message for the log."""
        with pytest.raises(TokenError) as caught:
            text_of(raw, 16)
        assert str(caught.value) == said


class TestKeySet:
    def test_a_selection_is_computed_once(self):
        """A selection is computed once, and the same object is returned afterwards."""
        keys = read_key_set({"keys": [jwk("ES256", kid="a")]}, max_keys=9)
        first = keys.select("a", "ES256")
        assert keys.chosen == {("a", "ES256"): first}
        assert keys.select("a", "ES256") is first

    def test_different_sets_have_different_hashes(self):
        """Two different key sets have different hashes."""
        one, other = (read_key_set({"keys": [jwk("ES256", kid=kid)]}, max_keys=9) for kid in "ab")
        assert hash(one) != hash(other)

    def test_key_is_the_object_that_cryptography_verifies_with(self):
        """`Key.key` is the object that cryptography verifies with."""
        (key,) = read_key_set({"keys": [jwk("ES256")]}, max_keys=9)
        assert key.key.curve.name == "secp256r1"

    def test_an_issuer_that_is_not_text_matches_none(self):
        """An issuer member that is not text matches no issuer."""
        (key,) = read_key_set({"keys": [jwk("ES256", issuer=5)]}, max_keys=9)
        assert key.issuer == ""


class TestBearer:
    @pytest.mark.parametrize("value", ["X", "XX", "aX", "XX=", "X==", "a=="])
    def test_a_b64token_may_end_in_padding(self, value):
        """A b64token may end in padding, however long (RFC 6750, section 2.1)."""
        sent = UnverifiedRequest("http", "GET", ((b"authorization", b"Bearer " + value.encode()),))
        assert CredentialsReader([Header("Authorization", scheme="Bearer")]).read(sent) == value

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            (
                ((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")),
                "one location holds two credentials",
            ),
            (
                ((b"authorization", b"Bearer \xff"),),
                "the credentials are not a b64token (RFC 6750, 2.1)",
            ),
            (
                (
                    (b"cookie", b"session=a"),
                    (b"origin", b"https://evil.test"),
                    (b"host", b"a.test"),
                ),
                "another site may have caused this request (see trusted_origins)",
            ),
        ],
    )
    def test_wrong_credentials_have_an_exact_message(self, sent, said):
        """Wrong credentials are refused with an exact message for the log."""
        reader = CredentialsReader([Header("Authorization", scheme="Bearer"), Cookie("session")])
        with pytest.raises(CredentialsError) as caught:
            reader.read(UnverifiedRequest("http", "POST", sent))
        assert caught.value.message == said

    def test_two_tokens_have_an_exact_message(self):
        """A token in the query and another elsewhere are refused with an exact message for the log."""
        reader = CredentialsReader([Header("Authorization", scheme="Bearer"), Query("token")])
        sent = UnverifiedRequest("websocket", "GET", ((b"authorization", b"Bearer a"),), b"token=b")
        with pytest.raises(CredentialsError) as caught:
            reader.read(sent)
        assert caught.value.message == "the request has a token in the query and another elsewhere"

    def test_a_503_always_has_retry_after(self):
        """A 503 without a known time asks the caller to come again in a second."""
        error = KeysUnavailableError("fetch_failed", "m")
        error.retry_after = None
        assert (b"retry-after", b"1") in Answers().to(error).headers

    def test_any_error_with_retry_after_sends_it(self):
        """An error with a `retry_after` sends Retry-After, whatever its status."""

        class Slow(JWKSError):
            http_status = 429

        assert (b"retry-after", b"3") in Answers().to(Slow("slow", "m", retry_after=3)).headers
        assert not any(
            name == b"retry-after" for name, _ in Answers().to(Slow("slow", "m")).headers
        )

    def test_a_problem_has_a_detail_in_words(self):
        """The detail of a problem is the same sentence for every refused token."""
        assert (
            b'"detail": "The token is not accepted."'
            in Answers().to(TokenError("bad_signature", "m")).body
        )

    def test_a_realm_may_hold_every_printable_character(self):
        """A realm may hold every printable character, from the blank to the tilde."""
        answer = Answers("a ~").to(CredentialsError("missing_credentials", "m"))
        assert (b"www-authenticate", b'Bearer realm="a ~"') in answer.headers
