"""`get_signing_key` and `get_signing_key_from_jwt`: they follow the same table as `verify`, with both clients."""

from __future__ import annotations

import httpx
import pytest

from jwks_client import CachePolicy, KeysUnavailableError, Provider, TokenError, providers
from jwks_client._client.verify import key_lookup as _by_hand
from jwks_client.events import ServingStale
from jwks_client.testing import FakeProvider

ISSUER = "https://issuer.test"
URL = "https://keys.test/jwks"
LIFE, STALE = 300, 3600


def kind(value: object) -> str:
    return type(value).__name__


def provider(name: str, algorithm: str, url: str = URL) -> Provider:
    return Provider(name=name, issuer=ISSUER, audience=name, jwks_url=url, algorithms=(algorithm,))


class Served:
    """A transport that serves the key set of each URL, and counts requests."""

    def __init__(self, **keys_by_path: list[dict]) -> None:
        self.keys_by_path = keys_by_path
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        keys = self.keys_by_path.get(request.url.path.removeprefix("/"))
        return httpx.Response(503) if keys is None else httpx.Response(200, json={"keys": keys})


def key_of(idp: FakeProvider, kid: str | None) -> dict:
    key = {**idp.jwks()["keys"][0], "kid": kid}
    return {name: value for name, value in key.items() if value is not None}


@pytest.fixture
def two(clock):
    """Return an RSA and an EC issuer of one name, whose keys are in one set."""
    rsa = FakeProvider(issuer=ISSUER, clock=clock)
    ec = FakeProvider(issuer=ISSUER, algorithm="ES256", clock=clock)
    return rsa, ec


@pytest.mark.parametrize("stale_if_error", [0, STALE])
def test_an_expired_key_is_not_handed_out(drive, idp, clock, stale_if_error):
    """In a long outage a key look-up refuses an expired key as `verify` does."""
    drive.client(idp, cache=CachePolicy(stale_if_error=stale_if_error))
    token = idp.issue(expires_in=10**6)
    assert drive.get_signing_key("key-1").kid == "key-1"
    idp.fail(503)
    clock.advance(LIFE + stale_if_error + 1)
    for _ in range(2):
        with pytest.raises(KeysUnavailableError) as caught:
            drive.get_signing_key("key-1")
        assert caught.value.code == "fetch_failed"
        with pytest.raises(KeysUnavailableError):
            drive.get_signing_key_from_jwt(token)


def test_a_due_key_is_refreshed_in_the_background(drive, idp, clock):
    """An application that only looks up keys sees a rotation as early as one that verifies."""
    drive.client(idp)
    drive.get_signing_key("key-1")
    idp.rotate(overlap=False)
    clock.advance(LIFE - 1)
    assert (
        drive.get_signing_key("key-1").kid == "key-1"
    )  # still usable, and refreshed in the background
    drive.settle()
    assert idp.fetches == 2
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key("key-1")
    assert caught.value.code == "unknown_key"


def test_a_background_fetch_that_lands_at_once_removes_no_key(idp, clock, monkeypatch):
    """A caller that found a key gets it, however soon the background fetch ends."""
    client = idp.client()
    client.get_signing_key("key-1")
    idp.rotate(overlap=False)
    clock.advance(LIFE - 1)
    monkeypatch.setattr(client._flights, "refresh_behind", lambda _: client.refresh())
    assert client.get_signing_key("key-1").kid == "key-1"
    [after] = client.keys()
    assert after.kid == "key-2"


def test_a_stale_key_is_reported_and_refreshed_once_the_provider_is_back(drive, idp, clock):
    """After an outage the withdrawn key is gone with the first background fetch."""
    reported = []
    drive.client(idp, listeners=[reported.append])
    drive.get_signing_key("key-1")
    idp.fail(503)
    clock.advance(LIFE + 1)
    assert drive.get_signing_key("key-1").kid == "key-1"
    assert [one.provider for one in reported if isinstance(one, ServingStale)] == ["issuer.test"]
    idp.recover()
    idp.rotate(overlap=False)
    clock.advance(60)
    drive.get_signing_key("key-1")
    drive.settle()
    with pytest.raises(TokenError):
        drive.get_signing_key("key-1")


class TestASharedKeySet:
    def test_each_provider_s_own_algorithms_count(self, drive, clock, two):
        """Providers that share a key set do not share their algorithms."""
        rsa, ec = two
        served = Served(jwks=[key_of(rsa, "rsa"), key_of(ec, "ec")])
        drive.client(
            provider("web", "RS256"),
            provider("iot", "ES256"),
            transport=httpx.MockTransport(served),
            clock=clock,
        )
        assert drive.get_signing_key("rsa", provider="web").kty == "RSA"
        assert drive.get_signing_key("ec", provider="iot").kty == "EC"
        for kid, name in (("rsa", "iot"), ("ec", "web")):
            with pytest.raises(TokenError) as caught:
                drive.get_signing_key(kid, provider=name)
            assert caught.value.code == "algorithm_not_allowed"
        for token, kty in (
            (rsa.issue(headers={"kid": "rsa"}), "RSA"),
            (ec.issue(headers={"kid": "ec"}), "EC"),
        ):
            assert drive.get_signing_key_from_jwt(token).kty == kty
        assert len(served.asked) == 1


class TestAnIssuerWithSeveralKeySets:
    def client(self, drive, clock, served: Served) -> None:
        drive.client(
            provider("one", "RS256", "https://keys.test/one"),
            provider("two", "RS256", "https://keys.test/two"),
            transport=httpx.MockTransport(served),
            clock=clock,
        )

    def test_the_key_is_found_wherever_a_verification_would_find_it(self, drive, clock, idp):
        """All candidates of the token are considered, in their order."""
        served = Served(one=[key_of(idp, "a")], two=[key_of(idp, "b")])
        self.client(drive, clock, served)
        assert drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"})).kid == "b"
        assert served.asked == ["/one", "/two"]

    def test_a_cached_key_comes_before_any_fetch(self, drive, clock, idp):
        """No candidate is fetched while another candidate has the key cached."""
        served = Served(one=[key_of(idp, "a")], two=[key_of(idp, "b")])
        self.client(drive, clock, served)
        drive.keys("two")
        assert drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"})).kid == "b"
        assert served.asked == ["/two"]

    def test_the_error_is_that_of_a_verification(self, drive, clock, idp):
        """While a candidate's keys are unavailable, the key is not called unknown."""
        self.client(drive, clock, Served(one=[key_of(idp, "a")]))
        with pytest.raises(KeysUnavailableError):
            drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"}))
        self.client(drive, clock, Served(one=[key_of(idp, "a")], two=[key_of(idp, "c")]))
        with pytest.raises(TokenError) as caught:
            drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"}))
        assert caught.value.code == "unknown_key"
        assert caught.value.__context__ is caught.value.__cause__ is None


def test_a_key_that_is_removed_between_look_up_and_selection_is_unknown(idp):
    """Another caller's fetch may remove a key between look-up and selection; the key is then unknown, not of a wrong algorithm."""
    client = idp.client()
    client.get_signing_key("key-1")
    [source] = client._sources.values()
    idp.rotate(overlap=False)
    client.refresh()
    with pytest.raises(TokenError) as caught:
        _by_hand._choose(source, "key-1", ("RS256", "ES256"))
    assert caught.value.code == "unknown_key"


def test_a_key_without_kid_is_found_without_a_permit(drive, clock, two):
    """A key without kid that fits one of the provider's algorithms is found without a fetch."""
    _, ec = two
    served = Served(jwks=[key_of(ec, None)])
    drive.client(
        Provider(name="any", issuer=ISSUER, audience=providers.UNCHECKED, jwks_url=URL),
        transport=httpx.MockTransport(served),
        clock=clock,
    )
    for _ in range(4):
        assert drive.get_signing_key(None).kty == "EC"
    assert len(served.asked) == 1


@pytest.mark.parametrize("kid", [7, b"key-1", ["key-1"], {}, "k" * 1025], ids=kind)
def test_a_kid_that_no_token_can_have_is_unknown_without_a_fetch(drive, idp, kid):
    """A kid of another type or above 1 KiB, from a token that was not verified, is only an unknown key."""
    drive.client(idp)
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key(kid)
    assert caught.value.code == "unknown_key"
    assert idp.fetches == 0


@pytest.mark.parametrize("alg", [7, ["RS256"], {}], ids=kind)
def test_an_alg_of_another_type_fits_no_key(drive, idp, alg):
    """An ``alg`` from a token that was not verified may have any type."""
    drive.client(idp)
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key("key-1", alg=alg)
    assert caught.value.code == "algorithm_not_allowed"
