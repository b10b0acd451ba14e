"""Clients wired to a fake provider, blocks that make one, and routes on respx."""

import asyncio
import inspect
import threading
import unittest

import httpx
import pytest
import respx

import jwks_client.testing
from jwks_client import (
    AsyncJWKSClient,
    CachePolicy,
    ConfigurationError,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
    providers,
)
from jwks_client._client.clock import SystemClock
from jwks_client.testing import FakeClock, FakeProvider, provider
from jwks_client.testing._clients import AsyncClientSettings, ClientSettings


def test_a_client_is_wired_to_the_provider(idp):
    """One line makes a client of this provider, on its clock, without sockets."""
    client = idp.client()
    assert type(client) is JWKSClient
    assert client._clock is idp.clock
    assert client.verify(idp.issue()).subject == "u1"
    assert idp.fetches == 1


def test_the_async_client_is_wired_too(idp):
    """The async client is made the same way, without a running event loop."""
    client = idp.async_client()
    assert type(client) is AsyncJWKSClient

    async def story():
        async with client:
            return await client.verify(idp.issue())

    assert asyncio.run(story()).subject == "u1"


@pytest.mark.parametrize(
    ("client", "settings"),
    [(JWKSClient, ClientSettings), (AsyncJWKSClient, AsyncClientSettings)],
)
def test_type_checkers_know_every_setting_of_the_client(client, settings):
    """A type checker accepts every setting of the client for the kit's client, and no other keyword."""
    assert settings.__annotations__.keys() == (
        inspect.signature(client).parameters.keys() - {"providers"}
    )


@pytest.mark.parametrize("make", ["client", "async_client"])
def test_settings_and_providers_can_be_given(idp, make):
    """Any setting of the client may be given, the clock too, and more providers in addition to this one."""
    clock, seen = FakeClock(), []
    other = providers.stytch("project-test-1")
    client = getattr(idp, make)(
        idp.provider, other, cache=CachePolicy(ttl=60), listeners=[seen.append], clock=clock
    )
    assert client._clock is clock
    assert set(client.health()) == {idp.provider.name, "stytch"}
    with pytest.raises(ConfigurationError):
        getattr(idp, make)(cache="60")
    with pytest.raises(TypeError):
        getattr(idp, make)(ttl=60)


def test_a_custom_http_client_is_used(idp):
    """`http=` wins over the transport."""
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    with pytest.raises(KeysUnavailableError):
        idp.client(http=http).verify(idp.issue())
    assert idp.fetches == 0


def test_the_fake_clock_is_the_only_clock(idp):
    """Keys age and tokens expire by `advance`; a wall clock that jumps affects no cache."""
    client = idp.client()
    token = idp.issue(expires_in=60)
    client.verify(token)
    idp.clock.advance(89)
    client.verify(token)
    idp.clock.advance(1)  # 60 seconds and the leeway of 30
    with pytest.raises(TokenError) as caught:
        client.verify(token)
    assert caught.value.code == "token_expired"
    assert client.health()["issuer.test"].age == 90
    idp.clock.jump_wall(6 * 3600)
    assert client.health()["issuer.test"].age == 90
    assert idp.fetches == 1


def test_a_block_gives_the_same_as_the_fixtures():
    """`provider` makes a provider on a clock that starts now, and closes its clients at the end."""
    with provider() as idp:
        assert isinstance(idp.clock, FakeClock)
        assert abs(idp.clock.time() - SystemClock().time()) < 60
        client = idp.client()
        assert client.verify(idp.issue()).subject == "u1"
    idp.clock.advance(10_000)
    with pytest.raises(KeysUnavailableError):
        client.verify(idp.issue())


def test_a_block_accepts_the_provider_s_arguments(clock):
    """A block accepts issuer, audience and algorithm, or a real provider's shape with its factory's arguments."""
    with provider(issuer="https://a.test", audience="b", algorithm="ES256", clock=clock) as idp:
        assert (idp.issuer, idp.audience, idp.algorithm) == ("https://a.test", "b", "ES256")
        assert idp.clock is clock
    with provider("stytch", "project-test-7", algorithm="ES256") as idp:
        assert (idp.audience, idp.algorithm) == ("project-test-7", "ES256")
    with provider(provider="hanko", audience="https://a.test") as idp:
        assert idp.audience == "https://a.test"
    mine = providers.stytch("project-test-1")
    with provider(mine) as idp:
        assert idp.provider == mine


def test_the_end_of_a_block_ends_hanging_requests():
    """A hanging request does not keep a test from ending."""
    ended = threading.Event()

    def ask(idp):
        with httpx.Client(transport=idp.transport, timeout=None) as client:
            with pytest.raises(httpx.HTTPError):
                client.get(idp.jwks_url)
        ended.set()

    with FakeProvider(algorithm="ES256") as idp:
        idp.fail("hang")
        with idp.hold() as held:
            threading.Thread(target=ask, args=(idp,), daemon=True).start()
            held.wait()
    assert ended.wait(10)


class AsUnittestHasIt(unittest.TestCase):
    """A TestCase as users of unittest write it."""

    def setUp(self):
        self.idp = self.enterContext(jwks_client.testing.provider(audience="shop"))
        self.client = self.idp.client()

    def runTest(self):  # noqa: N802 (unittest's)
        assert self.client.verify(self.idp.issue()).audience == ("shop",)
        for token in self.idp.forge.all():
            with self.subTest(token.name), self.assertRaises(TokenError):  # noqa: PT027 (as users do)
                self.client.verify(token)


def test_unittest_works_too():
    """A TestCase enters the block in setUp, and has everything."""
    result = unittest.TestResult()
    AsUnittestHasIt().run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


# Rotation and withdrawal.


def test_a_rotation_with_overlap_keeps_old_tokens_good(idp):
    """By default the old key stays published, as providers do it."""
    client, before = idp.client(), idp.issue()
    idp.rotate()
    assert client.verify(idp.issue()).key_id == "key-2"
    assert client.verify(before).key_id == "key-1"


def test_a_rotation_without_overlap_withdraws_the_rest(idp):
    """Without overlap old tokens are refused as soon as the new set is fetched."""
    client, before = idp.client(), idp.issue()
    client.verify(before)
    idp.rotate()
    assert idp.rotate(overlap=False) == idp.kid == "key-3"
    assert [key["kid"] for key in idp.jwks()["keys"]] == ["key-3"]
    assert client.verify(idp.issue()).key_id == "key-3"
    with pytest.raises(TokenError) as caught:
        client.verify(before)
    assert caught.value.code == "unknown_key"


# respx.


def test_code_that_opens_its_own_connections_is_answered():
    """An application's own client meets the fake on respx's router, and nothing else."""
    configured = providers.stytch("project-test-1")
    with respx.mock(assert_all_mocked=True) as router:
        idp = FakeProvider().as_provider(configured)
        idp.mock(router)
        other = router.get("https://api.example.com/things").respond(json=[])
        client = JWKSClient(configured)
        assert client.verify(idp.issue()).provider == "stytch"
        assert httpx.get("https://api.example.com/things").json() == []
        assert other.call_count == router["jwks"].call_count == idp.fetches == 1
        idp.rotate()
        assert client.verify(idp.issue()).key_id == idp.kid
        idp.fail(503)
        with pytest.raises(KeysUnavailableError):
            JWKSClient(configured).verify(idp.issue())


def test_respx_and_the_async_client():
    """Coroutines work too, and a held response delays no other."""
    configured = providers.oidc("https://id.acme.com/a", audience="x")

    async def story(idp):
        async with AsyncJWKSClient(configured) as client:
            with idp.hold() as held:
                asked = asyncio.ensure_future(client.verify(idp.issue()))
                await held.wait_async()
                held.release()
            return await asked

    with respx.mock as router:
        idp = FakeProvider().as_provider(configured)
        idp.mock(router)
        assert asyncio.run(story(idp)).issuer == "https://id.acme.com/a"
        paths = [one.path for one in idp.requests]
    assert paths == ["/a/.well-known/openid-configuration", "/.well-known/jwks.json"]


def test_respx_routes_serve_this_provider_only():
    """At another host, or another path of this one, respx's own rules apply."""
    with respx.mock(assert_all_called=False) as router:
        FakeProvider(algorithm="ES256").mock(router)
        for url in ("https://other.test/.well-known/jwks.json", "https://issuer.test/else"):
            with pytest.raises(respx.models.AllMockedAssertionError):
                httpx.get(url)
