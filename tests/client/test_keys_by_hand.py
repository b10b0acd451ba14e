"""`get_signing_key` and `get_signing_key_from_jwt`: they live by the same table as `verify`, with both clients."""

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


def provider(name: str, algorithm: str, url: str = URL) -> Provider:
    return Provider(name=name, issuer=ISSUER, audience=name, jwks_url=url, algorithms=(algorithm,))


class Served:
    """A transport that answers each URL with the keys laid under it, and counts."""

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
    """An RSA and an EC issuer of one name, whose keys stand in one set."""
    rsa = FakeProvider(issuer=ISSUER, clock=clock)
    ec = FakeProvider(issuer=ISSUER, algorithm="ES256", clock=clock)
    return rsa, ec


@pytest.mark.parametrize("stale_if_error", [0, STALE])
def test_an_expired_key_is_not_handed_out(drive, idp, clock, stale_if_error):
    """What `verify` would refuse in an outage that lasts, nobody gets by hand either."""
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


def test_a_due_key_is_refreshed_behind_the_call(drive, idp, clock):
    """Who only ever asks for keys by hand sees a rotation as early as one who verifies."""
    drive.client(idp)
    drive.get_signing_key("key-1")
    idp.rotate(overlap=False)
    clock.advance(LIFE - 1)
    assert drive.get_signing_key("key-1").kid == "key-1"  # it is fresh enough, and fetched behind
    drive.settle()
    assert idp.fetches == 2
    with pytest.raises(TokenError) as caught:
        drive.get_signing_key("key-1")
    assert caught.value.code == "unknown_key"


def test_a_fetch_behind_that_lands_at_once_takes_no_key_away(idp, clock, monkeypatch):
    """Who was to use a key gets it, however soon the fetch behind the call lands."""
    client = idp.client()
    client.get_signing_key("key-1")
    idp.rotate(overlap=False)
    clock.advance(LIFE - 1)
    monkeypatch.setattr(client._flights, "refresh_behind", lambda _: client.refresh())
    assert client.get_signing_key("key-1").kid == "key-1"
    [after] = client.keys()
    assert after.kid == "key-2"


def test_a_stale_key_is_told_of_and_refreshed_once_the_provider_is_back(drive, idp, clock):
    """After an outage the withdrawn key goes with the first fetch behind a call."""
    told = []
    drive.client(idp, listeners=[told.append])
    drive.get_signing_key("key-1")
    idp.fail(503)
    clock.advance(LIFE + 1)
    assert drive.get_signing_key("key-1").kid == "key-1"
    assert [one.provider for one in told if isinstance(one, ServingStale)] == ["issuer.test"]
    idp.recover()
    idp.rotate(overlap=False)
    clock.advance(60)
    drive.get_signing_key("key-1")
    drive.settle()
    with pytest.raises(TokenError):
        drive.get_signing_key("key-1")


class TestASharedKeySet:
    def test_each_provider_s_own_algorithms_count(self, drive, clock, two):
        """Who shares a key set with another does not share its algorithms."""
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
        """All candidates of the token are asked, in their order."""
        served = Served(one=[key_of(idp, "a")], two=[key_of(idp, "b")])
        self.client(drive, clock, served)
        assert drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"})).kid == "b"
        assert served.asked == ["/one", "/two"]

    def test_a_key_at_hand_comes_before_any_fetch(self, drive, clock, idp):
        """Nobody is asked for a key that another candidate holds already."""
        served = Served(one=[key_of(idp, "a")], two=[key_of(idp, "b")])
        self.client(drive, clock, served)
        drive.keys("two")
        assert drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"})).kid == "b"
        assert served.asked == ["/two"]

    def test_the_error_is_the_one_that_counts_for_a_verification(self, drive, clock, idp):
        """As long as one candidate cannot be asked, nobody knows that the key is unknown."""
        self.client(drive, clock, Served(one=[key_of(idp, "a")]))
        with pytest.raises(KeysUnavailableError):
            drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"}))
        self.client(drive, clock, Served(one=[key_of(idp, "a")], two=[key_of(idp, "c")]))
        with pytest.raises(TokenError) as caught:
            drive.get_signing_key_from_jwt(idp.issue(headers={"kid": "b"}))
        assert caught.value.code == "unknown_key"
        assert caught.value.__context__ is caught.value.__cause__ is None


def test_a_key_that_goes_between_look_up_and_choice_is_unknown(idp):
    """Another caller's fetch may land at any moment; that is no misfit of algorithms."""
    client = idp.client()
    client.get_signing_key("key-1")
    [source] = client._sources.values()
    idp.rotate(overlap=False)
    client.refresh()
    with pytest.raises(TokenError) as caught:
        _by_hand._choose(source, "key-1", ("RS256", "ES256"))
    assert caught.value.code == "unknown_key"


def test_a_key_without_kid_is_found_without_a_permit(drive, clock, two):
    """Whichever of the provider's algorithms it fits, it is there, and nothing need be fetched."""
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
