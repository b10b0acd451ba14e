"""Several providers in one client: which are asked, which accepts, and that they do not disturb each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import permutations, product
from unittest.mock import patch

import pytest

from jwks_client import (
    ConfigurationError,
    FetchPolicy,
    IssuerTemplate,
    JWKSClient,
    KeysUnavailableError,
    Provider,
    TokenError,
    providers,
)
from jwks_client.events import LoggingListener
from jwks_client.testing import FakeProvider


def refused(drive, token, **options) -> str:
    with pytest.raises(TokenError) as caught:
        drive.verify(token, **options)
    return caught.value.code


@pytest.fixture
def one(clock):
    return FakeProvider(issuer="https://one.test", clock=clock)


@pytest.fixture
def two(clock):
    return FakeProvider(issuer="https://two.test", clock=clock)


class TestRouting:
    def test_the_issuer_decides(self, drive, one, two):
        """Each token goes only to the provider that names its issuer."""
        drive.client(one, two)
        assert drive.verify(one.issue()).provider == "one.test"
        assert drive.verify(two.issue()).provider == "two.test"
        assert drive.verify(two.issue()).provider == "two.test"
        assert (one.fetches, two.fetches) == (1, 1)

    def test_an_unknown_issuer_causes_no_fetch(self, drive, one, two):
        """A token with an unknown issuer, without one, or with one that is not a string is refused without a fetch."""
        drive.client(one, two)
        assert refused(drive, one.issue(iss="https://three.test")) == "unknown_issuer"
        assert refused(drive, one.issue(iss=None)) == "missing_claim"
        assert refused(drive, one.issue(iss=["https://one.test"])) == "invalid_claim"
        assert one.fetches + two.fetches == 0

    def test_providers_with_equal_kids_are_kept_apart(self, drive, one, two):
        """Two providers with one kid and different keys never verify for each other."""
        drive.client(one, two)
        assert one.kid == two.kid
        drive.verify(one.issue())
        drive.verify(two.issue())
        assert refused(drive, two.issue(iss="https://one.test")) == "bad_signature"

    def test_a_refusal_names_the_provider_that_decided(self, drive, one, two):
        """If several providers may accept a token, the error and the event name the one that decided."""
        reported = []
        open_to_all = replace(two.provider, name="any", issuer=providers.UNCHECKED, audience="b")
        drive.client(
            *(one.provider, open_to_all),
            transport=Both(one, two),
            clock=one.clock,
            listeners=[reported.append],
        )
        decided = [
            (two.issue(iss="https://one.test"), "wrong_audience", "any"),
            (one.issue(aud="b"), "wrong_audience", "one.test"),
            (one.issue(headers={"kid": "unknown"}), "unknown_key", "one.test"),
        ]
        for token, code, name in decided:
            with pytest.raises(TokenError) as caught:
                drive.verify(token)
            assert (caught.value.code, caught.value.provider) == (code, name)
            assert (reported[-1].code, reported[-1].provider) == (code, name)
        two.fail(500)
        with pytest.raises(KeysUnavailableError) as unavailable:
            drive.refresh()
        assert unavailable.value.provider == "any"

    def test_unchecked_issuers_come_last(self, drive, one, two):
        """A provider with an unchecked issuer is asked after those that name the issuer."""
        open_to_all = replace(two.provider, name="any", issuer=providers.UNCHECKED)
        drive.client(one.provider, open_to_all, transport=Both(one, two), clock=one.clock)
        assert drive.verify(one.issue()).provider == "one.test"
        assert drive.verify(two.issue(iss="https://who.test")).provider == "any"
        assert drive.verify(two.issue(iss=None)).provider == "any"
        # Named by the first, signed by the second: caches are checked before any fetch.
        assert drive.verify(two.issue(iss="https://one.test")).provider == "any"

    def test_a_call_can_pin_the_provider(self, drive, one, two):
        """`provider=` selects one provider, whatever the token says; an unknown name is a bug in the caller."""
        drive.client(one, two)
        assert drive.verify(one.issue(), provider="one.test").provider == "one.test"
        assert refused(drive, one.issue(), provider="two.test") == "wrong_issuer"
        with pytest.raises(ValueError, match="no provider is named 'three'"):
            drive.verify(one.issue(), provider="three")
        for name in (5, b"one.test", ["one.test"], one.provider):
            with pytest.raises(ValueError, match="name of a provider"):
                drive.verify(one.issue(), provider=name)

    def test_the_pin_is_part_of_the_memory(self, drive, one, two):
        """A token that is remembered for one `provider=` is not accepted for another."""
        drive.client(one, two)
        token = one.issue()
        drive.verify(token)
        assert refused(drive, token, provider="two.test") == "wrong_issuer"
        drive.verify(token, claim_values={"aud": "api"})
        assert refused(drive, token, claim_values={"aud": "other"}) == "invalid_claim"
        assert refused(drive, token, claim_values={"nonce": "n"}) == "missing_claim"
        with pytest.raises(ValueError, match="JSON"):
            drive.verify(token, claim_values={"aud": {"api"}})


class Both:
    """A transport for two providers, each at the host of its issuer."""

    def __new__(cls, *fakes):
        from driver import ByHost

        return ByHost(list(fakes))


class TestOneIssuerTwice:
    """Two providers on one issuer and key set, distinguished by their claims (Stytch; Cognito)."""

    @pytest.fixture
    def pair(self, one):
        session = replace(one.provider, name="session", required_claims=("session",))
        machine = replace(one.provider, name="machine", claim_values={"kind": "machine"})
        return session, machine

    def test_the_first_that_accepts(self, drive, one, pair):
        """One key set causes one fetch, and the provider that accepts is named in the token."""
        drive.client(*pair, transport=one.transport, clock=one.clock)
        assert drive.verify(one.issue(session="s")).provider == "session"
        machine = one.issue(kind="machine")
        assert drive.verify(machine).provider == "machine"
        assert drive.verify(machine).provider == "machine"
        assert drive.verify(one.issue(session="s", kind="machine")).provider == "session"
        assert one.fetches == 1

    def test_the_first_error_counts(self, drive, one, pair):
        """If a signature is valid but no provider accepts, the first such error is raised."""
        drive.client(*pair, transport=one.transport, clock=one.clock)
        with pytest.raises(TokenError) as caught:
            drive.verify(one.issue())
        assert (caught.value.code, caught.value.claim) == ("missing_claim", "session")

    def test_a_check_runs_again_on_every_hit(self, drive, one, pair):
        """A remembered token is refused the moment a check of its provider refuses it."""
        session, machine = pair
        members = {"u1"}
        strict = replace(machine, checks=(lambda token: token.subject in members,))
        drive.client(session, strict, transport=one.transport, clock=one.clock)
        token = one.issue(sub="u1", kind="machine")
        assert drive.verify(token).provider == "machine"
        assert drive.verify(token).provider == "machine"
        members.clear()
        with pytest.raises(TokenError) as caught:
            drive.verify(token)
        # Both signatures are valid; the first candidate's error is raised.
        assert caught.value.code == "missing_claim"


class TestVerdicts:
    def test_503_before_a_bad_signature(self, drive, one, two):
        """If one candidate's keys are unavailable, the answer is 503 and not 401."""
        twin = replace(two.provider, issuer="https://one.test", name="twin")
        drive.client(one.provider, twin, transport=Both(one, two), clock=one.clock)
        drive.verify(one.issue())
        two.fail(500)
        token = two.issue(iss="https://one.test", headers={"kid": "key-1"})
        with pytest.raises(KeysUnavailableError):
            drive.verify(token)
        two.recover()
        one.clock.advance(2)
        assert drive.verify(token).provider == "twin"

    def test_the_order_given_breaks_ties(self, drive, one, two):
        """Of two equal errors the first provider's is raised."""
        first = replace(one.provider, audience="a")
        second = replace(one.provider, audience="b", name="second")
        drive.client(first, second, transport=one.transport, clock=one.clock)
        with pytest.raises(TokenError) as caught:
            drive.verify(one.issue(aud="c"))
        assert caught.value.expected == "a"


async def _awaited_by_nothing(event):
    """Stand for a listener that is a coroutine function."""


class TestConfiguration:
    @pytest.mark.parametrize(
        "change",
        [
            {"name": "other"},
            {"name": "other", "leeway": 5},
            {"name": "other", "locations": (providers.Cookie("c"),)},
        ],
    )
    def test_twins_are_refused(self, one, change):
        """Two providers with equal issuer, keys and claim rules are refused: the second could never accept a token."""
        with pytest.raises(ConfigurationError, match="same tokens"):
            JWKSClient(one.provider, replace(one.provider, **change))

    def test_equal_names_are_refused(self, one, two):
        """Provider names must differ; the message explains how."""
        with pytest.raises(ConfigurationError, match="name="):
            JWKSClient(one.provider, replace(two.provider, name="one.test"))

    def test_a_client_needs_a_provider(self):
        """A client without a provider is refused."""
        with pytest.raises(ConfigurationError, match="providers"):
            JWKSClient()

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("cache", None),
            ("fetch", 5),
            ("token_cache_size", -1),
            ("token_cache_size", True),
            ("listeners", 5),
            ("listeners", [5]),
            (
                "listeners",
                [LoggingListener],
            ),  # instead of LoggingListener(): it would never be called
            ("listeners", [_awaited_by_nothing]),
            ("clock", 5),
            ("http", 5),
            ("max_resolved", 0),  # even without a resolver
            ("resolve_ttl", "x"),
        ],
    )
    def test_a_wrong_setting_is_named(self, drive, one, setting, value):
        """A wrong client setting is refused when the client is made, and the error names it."""
        with pytest.raises(ConfigurationError) as caught:
            drive.client(one.provider, **{setting: value})
        assert caught.value.field == setting

    def test_settings_without_effect_are_refused(self, drive, one):
        """A private CA or a proxy would be ignored with a caller-supplied HTTP client, so it is refused."""
        for fetch in (FetchPolicy(ca_file="ca.pem"), FetchPolicy(proxy="http://proxy.test:1")):
            with pytest.raises(ConfigurationError) as caught:
                drive.client(one, fetch=fetch)
            assert caught.value.field == "http"

    def test_a_socks_proxy_that_cannot_work_is_refused_when_made(self, drive, one):
        """httpx would only report the missing SOCKS package at each fetch, so the client refuses it when it is made."""
        with (
            patch.dict(sys.modules, {"socksio": None}),
            pytest.raises(ConfigurationError, match=r"httpx\[socks\]") as caught,
        ):
            drive.client(one.provider, fetch=FetchPolicy(proxy="SOCKS5://proxy.test:1"))
        assert caught.value.field == "proxy"

    def test_anything_but_a_provider_is_refused(self, drive):
        """A URL in place of a provider is refused with a clear error."""
        with pytest.raises(ConfigurationError, match="Provider"):
            drive.client("https://one.test/jwks")

    def test_coroutine_checks_are_refused_or_awaited(self, drive, one):
        """The sync client refuses a coroutine function; the async client awaits it."""

        async def member(token):
            return token.subject == "u1"

        provider = replace(one.provider, checks=(member,))
        if drive.kind == "sync":
            with pytest.raises(ConfigurationError, match="AsyncJWKSClient"):
                drive.client(provider, transport=one.transport, clock=one.clock)
            return
        drive.client(provider, transport=one.transport, clock=one.clock)
        token = one.issue(sub="u1")
        assert drive.verify(token) == drive.verify(token)
        assert refused(drive, one.issue(sub="u2")) == "rejected_by_check"

    def test_a_check_may_return_an_awaitable(self, drive, one):
        """An awaitable that a plain check returns is awaited by the async client and refuses the token in the sync client."""

        async def later():
            return True

        provider = replace(one.provider, checks=(lambda token: later(),))
        drive.client(provider, transport=one.transport, clock=one.clock)
        if drive.kind == "sync":
            assert refused(drive, one.issue()) == "rejected_by_check"
        else:
            assert drive.verify(one.issue()).provider == "one.test"

    def test_the_results_of_checks(self, drive, one):
        """None and True accept; False refuses; an error of this library passes; another exception becomes the cause."""
        answers = {}

        def check(token):
            answer = answers["now"]
            if isinstance(answer, Exception):
                raise answer
            return answer

        drive.client(
            replace(one.provider, checks=(check,)), transport=one.transport, clock=one.clock
        )
        for answer in (None, True):
            answers["now"] = answer
            drive.verify(one.issue())
        for answer in (False, 1, "yes"):
            answers["now"] = answer
            assert refused(drive, one.issue()) == "rejected_by_check"
        answers["now"] = LookupError("no such user")
        with pytest.raises(TokenError) as caught:
            drive.verify(one.issue())
        assert caught.value.__cause__ is answers["now"]
        answers["now"] = KeysUnavailableError("fetch_failed", "the database is down")
        with pytest.raises(KeysUnavailableError) as passed:
            drive.verify(one.issue())
        assert passed.value is answers["now"]


class TestTemplates:
    def provider(self, one, allowed, **more) -> Provider:
        return replace(
            one.provider, issuer=IssuerTemplate("https://id.test/{tid}/v2", allowed=allowed), **more
        )

    def test_the_claim_must_name_the_issuer_s_tenant(self, drive, one):
        """The tenant in the issuer must be allowed and must equal the claim that the template names."""
        drive.client(self.provider(one, {"t1"}), transport=one.transport, clock=one.clock)
        token = drive.verify(one.issue(iss="https://id.test/t1/v2", tid="t1"))
        assert token.issuer == "https://id.test/t1/v2"
        for iss, tid in (
            ("https://id.test/t2/v2", "t2"),
            ("https://id.test/t1/v2", "t2"),
            ("https://id.test/t1/v2", None),
            ("https://id.test/t1/v2/", "t1"),
            ("https://id.test//v2", ""),
            ("https://id.test/a/b/v2", "a/b"),
        ):
            assert refused(drive, one.issue(iss=iss, tid=tid)) == "wrong_issuer"

    def test_a_template_beside_other_providers(self, drive, one, two):
        """With several providers a template matches the issuers that it allows, and no others."""
        provider = self.provider(one, lambda value: value == "t1" or 1)
        drive.client(two.provider, provider, transport=Both(one, two), clock=one.clock)
        assert drive.verify(one.issue(iss="https://id.test/t1/v2", tid="t1")).provider == "one.test"
        assert refused(drive, one.issue(iss="https://id.test/t2/v2", tid="t2")) == "unknown_issuer"

    def test_one_key_under_several_entries(self, drive, one):
        """A key counts for each issuer that one of its entries names, in any order, with and without kid."""
        [jwk] = one.jwks()["keys"]
        owns = ["https://id.test/t2/v2", "https://id.test/{tenantid}/v2", "https://id.test/t3/v2"]
        for some, kid in product(permutations(owns), ("key-1", None)):
            keys = [{**jwk, "issuer": own} for own in some]
            held = self.provider(one, {"t1", "t2", "t3"}, jwks_url=None, jwks={"keys": keys})
            drive.client(held, clock=one.clock)
            for tid in ("t1", "t2", "t3"):
                token = one.issue(iss=f"https://id.test/{tid}/v2", tid=tid, headers={"kid": kid})
                assert drive.verify(token).claims["tid"] == tid
                assert drive.explain(token).first_failed is None
            expired = one.issue(iss="https://id.test/t1/v2", tid="t1", expires_in=-60)
            assert refused(drive, expired) == "token_expired"
            keys = [{**jwk, "issuer": own} for own in owns if "{" not in own]
            drive.client(replace(held, jwks={"keys": keys}), clock=one.clock)
            token = one.issue(iss="https://id.test/t1/v2", tid="t1")
            assert refused(drive, token) == "wrong_issuer"

    def test_a_key_of_another_tenant_is_refused(self, drive, one):
        """A key's own issuer must be the token's, with any placeholder for the tenant (Entra)."""
        [jwk] = one.jwks()["keys"]
        for own, good in (
            ("https://id.test/{tenantid}/v2", True),
            ("https://id.test/t1/v2", True),
            ("https://id.test/t2/v2", False),
            ("https://id.test/{tenantid}/v1", False),
        ):
            held = {"keys": [{**jwk, "issuer": own}]}
            provider = self.provider(one, {"t1"}, jwks_url=None, jwks=held)
            drive.client(provider, clock=one.clock)
            token = one.issue(iss="https://id.test/t1/v2", tid="t1")
            if good:
                drive.verify(token)
            else:
                assert refused(drive, token) == "wrong_issuer"


class TestKeysInHand:
    def test_a_static_key_set_is_never_fetched(self, drive, one):
        """A static key set causes no fetch for unknown kids or bad signatures."""
        provider = Provider(name="p", issuer=one.issuer, audience="api", jwks=one.jwks())
        client = drive.client(provider, transport=one.transport, clock=one.clock)
        drive.verify(one.issue())
        assert refused(drive, one.issue(headers={"kid": "lost"})) == "unknown_key"
        one.swap(one.kid)
        assert refused(drive, one.issue()) == "bad_signature"
        drive.refresh()
        drive.warm_up()
        one.clock.advance(1e6)
        assert client.health()["p"].state == "fresh"
        assert client.health()["p"].age is None
        assert len(drive.keys()) == 1
        assert one.fetches == 0

    @pytest.mark.parametrize(
        "document", [{}, {"keys": []}, "x", b"\xff", {"keys": [{"kty": "oct"}]}]
    )
    def test_a_static_key_set_without_usable_keys_is_refused(self, drive, document):
        """A static key set that could verify nothing is refused when the client is made."""
        provider = Provider(name="p", issuer="i", audience="a", jwks=document)
        with pytest.raises(ConfigurationError) as caught:
            drive.client(provider)
        assert caught.value.field == "jwks"
