"""Tenants through whole clients: the effects of many of them, of forged ones and of a bad resolver."""

from __future__ import annotations

import base64
import json
import threading

import httpx
import pytest
from driver import ByHost

from jwks_client import (
    CachePolicy,
    JWKSClient,
    KeysUnavailableError,
    Provider,
    TokenError,
    providers,
)
from jwks_client.events import TenantDropped, TenantResolved
from jwks_client.testing import FakeClock, FakeProvider

NOW = 1_700_000_000
PATIENCE = 10.0


def name(number: int) -> str:
    return f"https://tenant-{number}.test"


def ours(issuer: str, keys_at: str | None = None, audience: str = "api") -> Provider:
    """Return a tenant, whose keys are at its own host unless another is given."""
    return Provider(
        name="ours",
        issuer=issuer,
        audience=audience,
        jwks_url=f"{keys_at or issuer}/.well-known/jwks.json",
        algorithms=["ES256"],
    )


def hosts(fake: FakeProvider) -> list[str]:
    """Return the hosts of the provider's requests; tenants that share a host share its keys."""
    return [request.headers["host"] for request in fake.requests]


class Records:
    """An application's own records of its tenants, which count each question."""

    def __init__(self, *numbers: int) -> None:
        self.tenants = {name(number) for number in numbers}
        self.asked: list[str] = []
        self.answer = self.look_up

    def look_up(self, issuer: str) -> Provider | None:
        if issuer not in self.tenants:
            return None
        return ours(issuer)

    def __call__(self, issuer: str) -> Provider | None:
        self.asked.append(issuer)
        return self.answer(issuer)


@pytest.fixture
def shared(clock: FakeClock) -> FakeProvider:
    return FakeProvider("https://anybody.test", algorithm="ES256", clock=clock)


def open_client(drive, records, shared, *providers, **settings):
    return drive.client(
        *providers, transport=shared.transport, clock=shared.clock, resolve=records, **settings
    )


def code(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except (TokenError, KeysUnavailableError) as error:
        return error.code
    return "ok"


def forged(issuer: str, clock: FakeClock) -> str:
    """Return a token with an invalid signature; it costs nothing to make."""
    now = int(clock.time())
    parts = (
        {"alg": "ES256", "kid": "key-1"},
        {"iss": issuer, "aud": "api", "sub": "m", "iat": now, "exp": now + 60},
    )
    texts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return b".".join([*texts, b"A" * 86]).decode()


class TestOne:
    def test_a_tenant_is_known_by_its_issuer(self, drive, shared):
        """A tenant is known by its issuer in the token, in health(), in keys() and provider=, and is resolved once."""
        records = Records(1, 2)
        client = open_client(drive, records, shared)
        token = drive.verify(shared.issue(iss=name(1)))
        assert (token.provider, token.issuer) == (name(1), name(1))
        assert set(drive.health()) == {name(1)}
        assert drive.health(name(1)).state == "fresh"
        assert [key.kid for key in drive.keys(name(1))] == ["key-1"]
        assert drive.get_signing_key("key-1", provider=name(1)).kid == "key-1"
        assert drive.verify(shared.issue(iss=name(1)), provider=name(1)).provider == name(1)
        assert drive.explain(shared.issue(iss=name(1))).accepted
        drive.refresh(name(1))
        assert records.asked == [name(1)]
        # By name only, before any token came.
        assert [key.kid for key in drive.keys(name(2))] == ["key-1"]
        assert records.asked == [name(1), name(2)]
        assert "resolved tenants" in repr(client)

    def test_an_unknown_name_is_a_bug_of_the_caller(self, drive, shared):
        """An unknown name is a ValueError, as with configured providers."""
        open_client(drive, Records(), shared)
        with pytest.raises(ValueError, match="provider"):
            drive.verify(shared.issue(iss=name(1)), provider=name(1))
        with pytest.raises(ValueError, match="provider"):
            drive.keys(name(1))
        with pytest.raises(ValueError, match="provider"):
            drive.verify(shared.issue(iss=name(1)), provider="\n")

    def test_a_pinned_tenant_accepts_no_other_tenant_s_token(self, drive, shared):
        """A token of one tenant is refused for another, even with the same kid and the same key."""
        open_client(drive, Records(1, 2), shared)
        with pytest.raises(TokenError) as caught:
            drive.verify(shared.issue(iss=name(1)), provider=name(2))
        assert (caught.value.code, caught.value.provider) == ("wrong_issuer", name(2))

    @pytest.mark.parametrize(
        ("claims", "expected"),
        [
            ({"exp": NOW - 31, "iat": NOW - 90}, "token_expired"),
            ({"exp": "soon"}, "invalid_claim"),
            ({"iss": 1}, "invalid_claim"),
            ({"iss": None}, "missing_claim"),
            ({"iss": "https://x.test/" + "x" * 500}, "unknown_issuer"),
            ({"iss": "https://x.test/\n"}, "unknown_issuer"),
            ({"iss": ""}, "unknown_issuer"),
        ],
    )
    def test_a_token_that_is_refused_anyway_causes_no_call(self, drive, shared, claims, expected):
        """Shape, algorithm and expiry are checked first, and an issuer must be a short, printable text."""
        records = Records(1)
        open_client(drive, records, shared)
        assert code(drive.verify, shared.issue(**{"iss": name(1), **claims})) == expected
        assert (records.asked, hosts(shared)) == ([], [])

    def test_configured_providers_come_first_and_are_never_resolved(self, drive, idp, clock):
        """The resolver is called only for issuers that no configured provider names."""
        records, tenant = Records(1), FakeProvider(name(1), algorithm="ES256", clock=clock)
        drive.client(idp, transport=ByHost([idp, tenant]), resolve=records)
        assert drive.verify(idp.issue()).provider == idp.provider.name
        assert drive.verify(tenant.issue()).provider == name(1)
        assert records.asked == [name(1)]

    def test_a_provider_without_an_issuer_check_is_still_a_candidate(
        self, drive, idp, shared, clock
    ):
        """If the resolver does not know an issuer, or fails, a provider without an issuer check may accept the token; nothing of that is remembered."""
        records = Records()
        loose = Provider(
            name="loose", issuer=providers.UNCHECKED, audience="api", jwks=shared.jwks()
        )
        open_client(drive, records, shared, loose)
        token = shared.issue(iss=name(1))
        assert drive.verify(token).provider == "loose"
        records.tenants.add(name(1))
        clock.advance(11)
        assert drive.verify(token).provider == "loose"  # cached keys come before any fetch
        assert drive.keys(name(1))
        assert drive.verify(token).provider == name(1)

        def broken(issuer):
            raise RuntimeError(issuer)

        records.answer = broken
        assert drive.verify(shared.issue(iss=name(2))).provider == "loose"
        assert code(drive.verify, idp.issue(iss=name(3))) == "resolver_failed"

    def test_tenants_share_no_key_set(self, drive, shared):
        """Even with one key URL, each tenant has its own fetches, budget and end."""
        records = Records(1, 2)
        records.answer = lambda issuer: ours(issuer, "https://keys.test")
        open_client(drive, records, shared)
        tokens = [shared.issue(iss=name(number)) for number in (1, 2)]
        assert [drive.verify(token).provider for token in tokens] == [name(1), name(2)]
        assert hosts(shared) == ["keys.test"] * 2
        records.answer = lambda issuer: None
        drive.forget(name(1))
        assert [code(drive.verify, token) for token in tokens] == ["unknown_issuer", "ok"]

    def test_an_issuer_of_512_characters_can_be_a_tenant(self, drive, shared):
        """A tenant's name is its issuer, however long that is."""
        records = Records(1)
        long = "https://tenant-1.test/" + "x" * 490
        records.answer = lambda issuer: ours(issuer, "https://keys.test")
        open_client(drive, records, shared)
        assert drive.verify(shared.issue(iss=long)).provider == long


class TestGone:
    def test_a_forgotten_tenant_is_refused_at_once(self, drive, shared):
        """A forgotten tenant's remembered tokens are refused and leave the memory."""
        records, events = Records(1, 2), []
        client = open_client(drive, records, shared, listeners=[events.append])
        tokens = [shared.issue(iss=name(number), expires_in=600) for number in (1, 2)]
        for token in tokens:
            drive.verify(token)
        records.tenants.discard(name(1))
        assert code(drive.verify, tokens[0]) == "ok"
        drive.forget(name(1))
        assert len(client._verifier.memo) == 1
        assert [code(drive.verify, token) for token in tokens] == ["unknown_issuer", "ok"]
        assert set(drive.health()) == {name(2)}
        drive.forget(name(1))  # a tenant that is not loaded is not an error
        drive.forget("https://unknown.test")
        assert [one for one in events if isinstance(one, TenantDropped)] == [
            TenantDropped(provider=name(1), reason="forgotten")
        ]
        assert [one.provider for one in events if isinstance(one, TenantResolved)] == [
            name(1),
            name(2),
        ]

    def test_a_forgotten_tenant_s_keys_are_gone_too(self, drive, shared):
        """The next token of a forgotten tenant calls the resolver, and fetches again."""
        records = Records(1)
        open_client(drive, records, shared)
        for _ in range(2):
            drive.verify(shared.issue(iss=name(1)))
            drive.forget(name(1))
        assert hosts(shared) == ["tenant-1.test"] * 2
        assert records.asked == [name(1)] * 2

    def test_a_removed_tenant_is_refused_within_resolve_ttl(self, drive, shared, clock):
        """A remembered token of a removed tenant is refused too: an entry never outlives the resolver's answer."""
        records = Records(1)
        client = open_client(drive, records, shared, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        records.tenants.clear()
        clock.advance(79)
        assert code(drive.verify, token) == "ok"
        clock.advance(21)
        assert code(drive.verify, token) == "unknown_issuer"
        assert len(client._verifier.memo) == 0

    def test_a_removal_is_noticed_in_the_background_before_that(self, drive, shared, clock):
        """From 0.8 of resolve_ttl the next token calls the resolver, and does not wait."""
        records = Records(1)
        open_client(drive, records, shared, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        records.tenants.clear()
        clock.advance(81)
        assert code(drive.verify, token) == "ok"
        drive.settle()
        assert code(drive.verify, token) == "unknown_issuer"

    def test_while_the_resolver_fails_a_tenant_is_kept_for_a_limited_time(
        self, drive, shared, clock
    ):
        """While the resolver fails, a tenant is kept for stale_if_error beyond resolve_ttl; then its tokens are 503."""
        records = Records(1)
        open_client(
            drive,
            records,
            shared,
            resolve_ttl=100,
            cache=CachePolicy(stale_if_error=200),
        )
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)

        def broken(issuer):
            raise RuntimeError("the database is down")

        records.answer = broken
        for _ in range(29):
            clock.advance(10)
            assert code(drive.verify, token) == "ok"
            drive.settle()
        clock.advance(11)
        assert code(drive.verify, token) == "resolver_failed"

    def test_new_settings_of_a_tenant_count_from_the_next_answer(self, drive, shared, clock):
        """Another audience refuses the tokens that were remembered under the old one."""
        records = Records(1)
        open_client(drive, records, shared, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        records.answer = lambda issuer: ours(issuer, audience="other")
        clock.advance(101)
        assert code(drive.verify, token) == "wrong_audience"


class TestMany:
    @pytest.mark.extended
    def test_ten_thousand_allowed_tenants_under_forged_tokens_that_name_all_of_them(
        self, shared, clock
    ):
        """With 256 slots there are at most 20 + 5 t first fetches, no refusal and no wait for the 200 in use, and flat memory."""
        records = Records(*range(10_000))
        with JWKSClient(
            resolve=records,
            clock=clock,
            http=httpx.Client(transport=shared.transport),
            cache=CachePolicy(ttl=3600),
        ) as client:
            in_use = [shared.issue(iss=name(number), expires_in=10_000) for number in range(200)]
            for token in in_use:
                clock.advance(0.2)
                assert client.verify(token).provider
            clock.advance(60)
            loaded = len(hosts(shared))
            began, turn = clock.monotonic(), 0
            for second in range(50):
                for _ in range(200):
                    turn += 1
                    assert code(client.verify, forged(name(200 + turn % 9800), clock)) in (
                        "resolver_failed",
                        "bad_signature",
                    )
                assert all(client.verify(token) for token in in_use), second
                clock.advance(1)
            took = clock.monotonic() - began
            asked = hosts(shared)[loaded:]
            fresh = [host for host in asked if int(host.split(".")[0].split("-")[1]) >= 200]
            assert 20 <= len(fresh) <= 20 + 5 * took
            assert len(asked) == len(fresh)  # no tenant in use was fetched again
            assert len(client.health()) <= 256
            assert {name(number) for number in range(200)} <= set(client.health())

    @pytest.mark.parametrize("token_cache_size", [0, 1024])
    def test_a_tenant_whose_keys_a_forger_had_fetched_outlasts_others_once_it_verifies(
        self, drive, shared, clock, token_cache_size
    ):
        """From its first good token on a tenant stays, even if a forger caused its load, and whether tokens are remembered or not."""
        open_client(
            drive, Records(1, 2, 3), shared, max_resolved=2, token_cache_size=token_cache_size
        )
        drive.verify(shared.issue(iss=name(1)))
        assert code(drive.verify, forged(name(2), clock)) == "bad_signature"
        drive.verify(shared.issue(iss=name(2)))
        assert code(drive.verify, forged(name(3), clock)) == "bad_signature"
        assert set(drive.health()) == {name(1), name(2)}

    def test_tenants_with_the_same_kids_never_get_a_wrong_verdict(self):
        """Two tenants whose keys share kids never verify for each other, interleaved from 16 threads."""
        fakes = {name(number): FakeProvider(name(number), algorithm="ES256") for number in range(2)}
        records = Records(0, 1)
        with JWKSClient(
            resolve=records, http=httpx.Client(transport=ByHost([*fakes.values()]))
        ) as client:
            tokens = [
                (issuer, fake.issue(sub=str(n)))
                for n in range(40)
                for issuer, fake in fakes.items()
            ]
            crossed = [
                fake.issue(iss=name(1 - number), sub=str(n))
                for n in range(20)
                for number, fake in enumerate(fakes.values())
            ]
            wrong: list[object] = []
            together = threading.Barrier(16)

            def run() -> None:
                together.wait(PATIENCE)
                for _ in range(5):
                    for issuer, token in tokens:
                        verified = client.verify(token)
                        if (verified.provider, verified.issuer) != (issuer, issuer):
                            wrong.append(verified)
                    wrong.extend(
                        token for token in crossed if code(client.verify, token) != "bad_signature"
                    )

            threads = [threading.Thread(target=run) for _ in range(16)]
            for one in threads:
                one.start()
            for one in threads:
                one.join(PATIENCE)
            assert not any(one.is_alive() for one in threads)
            assert wrong == []

    def test_a_herd_of_one_new_tenant_calls_and_fetches_once(self, drive, shared):
        """All concurrent callers wait for the same call and the same flight."""
        records, gate, here = Records(1), threading.Event(), threading.Event()

        def slow(issuer):
            here.set()
            assert gate.wait(PATIENCE)
            return records.look_up(issuer)

        records.answer = slow
        client = open_client(drive, records, shared)
        client._tenants._patience = PATIENCE
        calls = [drive.start("verify", shared.issue(iss=name(1), sub=str(n))) for n in range(30)]
        assert here.wait(PATIENCE)
        gate.set()
        assert {call.result(PATIENCE).provider for call in calls} == {name(1)}
        assert records.asked == [name(1)]
        assert hosts(shared) == ["tenant-1.test"]

    def test_a_resolver_that_hangs_harms_only_the_token_that_asked(self, drive, shared):
        """Loaded tenants are served while the resolver hangs, and the token that waits gets a 503 in the end."""
        records, gate, here = Records(1, 2), threading.Event(), threading.Event()
        client = open_client(drive, records, shared)
        drive.verify(shared.issue(iss=name(1)))

        def hanging(issuer):
            here.set()
            gate.wait(PATIENCE)
            return records.look_up(issuer)

        records.answer = hanging
        client._tenants._patience = 0.2  # real seconds, instead of two
        waiting = drive.start("verify", shared.issue(iss=name(2)))
        assert here.wait(PATIENCE)
        assert drive.verify(shared.issue(iss=name(1), sub="u2")).subject == "u2"
        with pytest.raises(KeysUnavailableError) as caught:
            waiting.result(PATIENCE)
        gate.set()
        assert (caught.value.code, caught.value.http_status) == ("resolver_failed", 503)
        assert caught.value.retry_after >= 1


class TestWhatTheResolverSays:
    def test_a_tenant_has_its_own_static_keys(self, drive):
        """A configured provider whose name is a tenant's issuer does not verify its tokens."""
        main, tenant = FakeProvider(issuer="https://main.test"), FakeProvider(issuer=name(1))
        configured = Provider(
            name=name(1), issuer="https://main.test", audience="api", jwks=main.jwks()
        )
        answer = Provider(name="x", issuer=name(1), audience="api", jwks=tenant.jwks())
        drive.client(configured, resolve=lambda _: answer)
        assert drive.verify(tenant.issue(aud="api")).issuer == name(1)
        with pytest.raises(TokenError) as caught:
            drive.verify(main.issue(iss=name(1), aud="api"))
        assert caught.value.code == "bad_signature"

    def test_the_newest_rule_counts_although_python_calls_them_equal(self, drive):
        """``{"adm": 1}`` that becomes ``{"adm": True}`` is another rule."""
        clock, rule = FakeClock(NOW), [1]
        idp = FakeProvider(issuer=name(1), clock=clock)

        def resolve(issuer: str) -> Provider:
            fields = {"jwks": idp.jwks(), "claim_values": {"adm": rule[0]}}
            return Provider(name="x", issuer=issuer, audience=idp.audience, **fields)

        drive.client(resolve=resolve, clock=clock, resolve_ttl=1)
        drive.verify(idp.issue(adm=1))
        rule[0] = True
        clock.advance(100)
        drive.verify(idp.issue(adm=True))
        with pytest.raises(TokenError) as caught:
            drive.verify(idp.issue(adm=1))
        assert caught.value.code == "invalid_claim"
