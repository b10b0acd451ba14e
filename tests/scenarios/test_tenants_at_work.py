"""Tenants through whole clients: what many of them, forged ones and a bad resolver can and cannot cause."""

from __future__ import annotations

import base64
import json
import threading

import httpx
import pytest

from jwks_client import CachePolicy, JWKSClient, KeysUnavailableError, Provider, TokenError
from jwks_client.events import TenantDropped, TenantResolved
from jwks_client.testing import FakeClock, FakeProvider

NOW = 1_700_000_000
PATIENCE = 10.0


def name(number: int) -> str:
    return f"https://tenant-{number}.test"


class Network(httpx.MockTransport):
    """All tenants' key sets, each at its own host; those without a provider of their own share one."""

    def __init__(self, shared: FakeProvider, own: dict[str, FakeProvider] | None = None) -> None:
        super().__init__(self.answer)
        self.hosts: list[str] = []
        self._own = own or {}
        self._document = json.dumps(shared.jwks()).encode()

    def answer(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.hosts.append(host)
        fake = self._own.get(f"https://{host}")
        document = self._document if fake is None else json.dumps(fake.jwks()).encode()
        return httpx.Response(200, content=document)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.answer(request)


class Records:
    """An application's own records of its tenants; each question is counted."""

    def __init__(self, *numbers: int) -> None:
        self.tenants = {name(number) for number in numbers}
        self.asked: list[str] = []
        self.answer = self.look_up

    def look_up(self, issuer: str) -> Provider | None:
        if issuer not in self.tenants:
            return None
        return Provider(
            name="ours",
            issuer=issuer,
            audience="api",
            jwks_url=f"{issuer}/jwks.json",
            algorithms=["ES256"],
        )

    def __call__(self, issuer: str) -> Provider | None:
        self.asked.append(issuer)
        return self.answer(issuer)


@pytest.fixture
def shared(clock: FakeClock) -> FakeProvider:
    return FakeProvider("https://anybody.test", algorithm="ES256", clock=clock)


def open_client(drive, records, network, clock, **settings):
    return drive.client(transport=network, clock=clock, resolve=records, **settings)


def code(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except (TokenError, KeysUnavailableError) as error:
        return error.code
    return "ok"


def forged(issuer: str, clock: FakeClock) -> str:
    """A token that nobody signed; it costs nothing to make."""
    now = int(clock.time())
    parts = (
        {"alg": "ES256", "kid": "key-1"},
        {"iss": issuer, "aud": "api", "sub": "m", "iat": now, "exp": now + 60},
    )
    texts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return b".".join([*texts, b"A" * 86]).decode()


class TestOne:
    def test_it_is_known_by_its_issuer(self, drive, shared, clock):
        """In the token, in health(), in keys() and provider=; and it is asked about once."""
        records = Records(1, 2)
        client = open_client(drive, records, Network(shared), clock)
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
        # By name alone, before any token came.
        assert [key.kid for key in drive.keys(name(2))] == ["key-1"]
        assert records.asked == [name(1), name(2)]
        assert "resolved tenants" in repr(client)

    def test_a_name_that_is_none_is_a_mistake_of_the_caller(self, drive, shared, clock):
        """ValueError, as with configured providers."""
        open_client(drive, Records(), Network(shared), clock)
        with pytest.raises(ValueError, match="no provider"):
            drive.verify(shared.issue(iss=name(1)), provider=name(1))
        with pytest.raises(ValueError, match="no provider"):
            drive.keys(name(1))
        with pytest.raises(ValueError, match="no provider"):
            drive.verify(shared.issue(iss=name(1)), provider="\n")

    def test_who_is_pinned_is_not_somebody_else(self, drive, shared, clock):
        """A token of one tenant is none of another's, with the same kid and even the same key."""
        open_client(drive, Records(1, 2), Network(shared), clock)
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
    def test_what_condemns_a_token_already_asks_nobody(
        self, drive, shared, clock, claims, expected
    ):
        """Shape, algorithm and expiry come first; and an issuer is a short, printable text."""
        records, network = Records(1), Network(shared)
        open_client(drive, records, network, clock)
        assert code(drive.verify, shared.issue(**{"iss": name(1), **claims})) == expected
        assert (records.asked, network.hosts) == ([], [])

    def test_configured_providers_come_first_and_are_never_asked_about(
        self, drive, idp, shared, clock
    ):
        """The resolver hears of issuers only that no configured provider names."""
        records = Records(1)
        open_client(drive, records, Network(shared, {"https://issuer.test": idp}), clock)
        drive.client(
            idp.provider,
            transport=Network(shared, {"https://issuer.test": idp}),
            clock=clock,
            resolve=records,
        )
        assert drive.verify(idp.issue()).provider == idp.provider.name
        assert drive.verify(shared.issue(iss=name(1))).provider == name(1)
        assert records.asked == [name(1)]

    def test_a_provider_without_issuer_still_has_its_say(self, drive, idp, shared, clock):
        """If the resolver does not know an issuer, or fails, who checks none may accept the token; nothing of that is remembered."""
        records = Records()
        loose = Provider(name="loose", issuer=None, audience="api", jwks=shared.jwks())
        drive.client(loose, transport=Network(shared), clock=clock, resolve=records)
        token = shared.issue(iss=name(1))
        assert drive.verify(token).provider == "loose"
        records.tenants.add(name(1))
        clock.advance(11)
        assert drive.verify(token).provider == "loose"  # keys at hand come before any fetch
        assert drive.keys(name(1))
        assert drive.verify(token).provider == name(1)

        def broken(issuer):
            raise RuntimeError(issuer)

        records.answer = broken
        assert drive.verify(shared.issue(iss=name(2))).provider == "loose"
        assert code(drive.verify, idp.issue(iss=name(3))) == "resolver_failed"

    def test_tenants_share_no_key_set(self, drive, shared, clock):
        """Not even where their keys come from one URL: what one causes is its own, and so is its end."""
        network, records = Network(shared), Records(1, 2)
        records.answer = lambda issuer: Provider(
            name="ours",
            issuer=issuer,
            audience="api",
            jwks_url="https://keys.test/",
            algorithms=["ES256"],
        )
        open_client(drive, records, network, clock)
        tokens = [shared.issue(iss=name(number)) for number in (1, 2)]
        assert [drive.verify(token).provider for token in tokens] == [name(1), name(2)]
        assert network.hosts == ["keys.test"] * 2
        records.answer = lambda issuer: None
        drive.forget(name(1))
        assert [code(drive.verify, token) for token in tokens] == ["unknown_issuer", "ok"]

    def test_an_issuer_of_512_characters_can_be_a_tenant(self, drive, shared, clock):
        """Its name is its issuer, however long that is."""
        records = Records(1)
        long = "https://tenant-1.test/" + "x" * 490
        records.answer = lambda issuer: Provider(
            name="ours",
            issuer=issuer,
            audience="api",
            jwks_url="https://keys.test/",
            algorithms=["ES256"],
        )
        open_client(drive, records, Network(shared), clock)
        assert drive.verify(shared.issue(iss=long)).provider == long


class TestGone:
    def test_a_forgotten_tenant_is_refused_at_once(self, drive, shared, clock):
        """Its remembered tokens with it, and nothing of them stays in memory."""
        records, events = Records(1, 2), []
        client = open_client(drive, records, Network(shared), clock, listeners=[events.append])
        tokens = [shared.issue(iss=name(number), expires_in=600) for number in (1, 2)]
        for token in tokens:
            drive.verify(token)
        records.tenants.discard(name(1))
        assert code(drive.verify, tokens[0]) == "ok"
        drive.forget(name(1))
        assert len(client._memo) == 1
        assert [code(drive.verify, token) for token in tokens] == ["unknown_issuer", "ok"]
        assert set(drive.health()) == {name(2)}
        drive.forget(name(1))  # one that is not loaded is no error
        drive.forget("https://nobody.test")
        assert [one for one in events if isinstance(one, TenantDropped)] == [
            TenantDropped(provider=name(1), reason="forgotten")
        ]
        assert [one.provider for one in events if isinstance(one, TenantResolved)] == [
            name(1),
            name(2),
        ]

    def test_its_keys_are_gone_too(self, drive, shared, clock):
        """The next token of a forgotten tenant asks the application, and fetches anew."""
        records, network = Records(1), Network(shared)
        open_client(drive, records, network, clock)
        for _ in range(2):
            drive.verify(shared.issue(iss=name(1)))
            drive.forget(name(1))
        assert network.hosts == ["tenant-1.test"] * 2
        assert records.asked == [name(1)] * 2

    def test_a_removed_tenant_is_refused_within_resolve_ttl(self, drive, shared, clock):
        """Also for a token that is remembered: an entry never outlives the answer that it rests on."""
        records = Records(1)
        client = open_client(drive, records, Network(shared), clock, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        records.tenants.clear()
        clock.advance(79)
        assert code(drive.verify, token) == "ok"
        clock.advance(21)
        assert code(drive.verify, token) == "unknown_issuer"
        assert len(client._memo) == 0

    def test_it_is_noticed_in_the_background_before_that(self, drive, shared, clock):
        """From 0.8 of resolve_ttl the next token asks, and does not wait."""
        records = Records(1)
        open_client(drive, records, Network(shared), clock, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        records.tenants.clear()
        clock.advance(81)
        assert code(drive.verify, token) == "ok"
        drive.settle()
        assert code(drive.verify, token) == "unknown_issuer"

    def test_while_the_resolver_fails_a_tenant_is_kept_so_long_and_no_longer(
        self, drive, shared, clock
    ):
        """stale_if_error beyond resolve_ttl; then nobody can know."""
        records = Records(1)
        open_client(
            drive,
            records,
            Network(shared),
            clock,
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
        open_client(drive, records, Network(shared), clock, resolve_ttl=100)
        token = shared.issue(iss=name(1), expires_in=10_000)
        drive.verify(token)
        old = records.look_up
        records.answer = lambda issuer: Provider(
            name="ours",
            issuer=issuer,
            audience="other",
            jwks_url=old(issuer).jwks_url,
            algorithms=["ES256"],
        )
        clock.advance(101)
        assert code(drive.verify, token) == "wrong_audience"


class TestMany:
    def test_ten_thousand_allowed_tenants_under_forged_tokens_that_name_all_of_them(
        self, shared, clock
    ):
        """256 slots: at most 20 + 5 t first fetches; no refusal and no wait for the 200 in use; memory flat."""
        network, records = Network(shared), Records(*range(10_000))
        with JWKSClient(
            resolve=records,
            clock=clock,
            http=httpx.Client(transport=network),
            cache=CachePolicy(ttl=3600),
        ) as client:
            in_use = [shared.issue(iss=name(number), expires_in=10_000) for number in range(200)]
            for token in in_use:
                clock.advance(0.2)
                assert client.verify(token).provider
            clock.advance(60)
            network.hosts.clear()
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
            fresh = [host for host in network.hosts if int(host.split(".")[0].split("-")[1]) >= 200]
            assert 20 <= len(fresh) <= 20 + 5 * took
            assert len(network.hosts) == len(fresh)  # nobody in use was fetched again
            assert len(client.health()) <= 256
            assert {name(number) for number in range(200)} <= set(client.health())

    def test_same_kid_other_keys_never_one_wrong_verdict(self):
        """Two tenants whose keys have the same names, interleaved from 16 threads."""
        fakes = {name(number): FakeProvider(name(number), algorithm="ES256") for number in range(2)}
        records = Records(0, 1)
        with JWKSClient(
            resolve=records, http=httpx.Client(transport=Network(fakes[name(0)], fakes))
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

    def test_a_herd_of_one_new_tenant_asks_and_fetches_once(self, drive, shared, clock):
        """Everybody who comes meanwhile waits for the same call and the same flight."""
        records, network, gate, here = (
            Records(1),
            Network(shared),
            threading.Event(),
            threading.Event(),
        )

        def slow(issuer):
            here.set()
            assert gate.wait(PATIENCE)
            return records.look_up(issuer)

        records.answer = slow
        client = open_client(drive, records, network, clock)
        client._tenants._patience = PATIENCE
        calls = [drive.start("verify", shared.issue(iss=name(1), sub=str(n))) for n in range(30)]
        assert here.wait(PATIENCE)
        gate.set()
        assert {call.result(PATIENCE).provider for call in calls} == {name(1)}
        assert records.asked == [name(1)]
        assert network.hosts == ["tenant-1.test"]

    def test_a_resolver_that_hangs_harms_only_the_token_that_asked(self, drive, shared, clock):
        """Loaded tenants are served while it hangs, and the token that waits gets a 503 in the end."""
        records, gate, here = Records(1, 2), threading.Event(), threading.Event()
        client = open_client(drive, records, Network(shared), clock)
        drive.verify(shared.issue(iss=name(1)))

        def hanging(issuer):
            here.set()
            gate.wait(PATIENCE)
            return records.look_up(issuer)

        records.answer = hanging
        client._tenants._patience = 0.2  # real seconds, in place of two
        waiting = drive.start("verify", shared.issue(iss=name(2)))
        assert here.wait(PATIENCE)
        assert drive.verify(shared.issue(iss=name(1), sub="u2")).subject == "u2"
        with pytest.raises(KeysUnavailableError) as caught:
            waiting.result(PATIENCE)
        gate.set()
        assert (caught.value.code, caught.value.http_status) == ("resolver_failed", 503)
        assert caught.value.retry_after >= 1
