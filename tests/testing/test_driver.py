"""The tests' own driver: the same story for both clients, and the kit with real clients."""

import threading

import pytest
from driver import AsyncDriver, driving

from jwks_client import AsyncJWKSClient, JWKSClient, KeysUnavailableError, TokenError, providers
from jwks_client.testing import FakeProvider


def test_a_story_runs_with_both_clients(drive, idp):
    """The driver makes the client of its kind on the provider's clock, and calls it without await."""
    client = drive.client(idp)
    assert type(client) is {"sync": JWKSClient, "async": AsyncJWKSClient}[drive.kind]
    assert client._clock is idp.clock
    assert drive.verify(idp.issue(sub="u9")).subject == "u9"
    assert {key.kid for key in list(drive.keys())} == {idp.kid}
    assert drive.get_signing_key(idp.kid).kid == idp.kid
    assert drive.get_signing_key_from_jwt(idp.issue()).kid == idp.kid
    assert drive.health("issuer.test").key_count == 1
    drive.refresh()
    assert idp.fetches == 2
    forged = FakeProvider(clock=idp.clock).issue()
    with pytest.raises(TokenError) as caught:
        drive.verify(forged)
    assert caught.value.code == "bad_signature"
    drive.close()
    idp.clock.advance(10_000)
    with pytest.raises(KeysUnavailableError):
        drive.verify(idp.issue())


def test_calls_can_be_held_in_flight(drive, idp):
    """A test can start many calls, see one request arrive, and release it."""
    drive.client(idp)
    token = idp.issue()
    with idp.hold() as held:
        calls = [drive.start("verify", token) for _ in range(5)]
        held.wait()
        assert not any(call.done() for call in calls)
        held.release()
        assert {call.result(10).subject for call in calls} == {"u1"}
    drive.settle()
    assert idp.fetches == 1


def test_settle_waits_for_flights(drive, idp):
    """A background flight ends before `settle` does."""
    drive.client(idp)
    drive.warm_up()
    idp.clock.advance(299)  # due, and within its lifetime
    with idp.hold() as held:
        assert drive.verify(idp.issue()).subject == "u1"
        held.wait()
        timer = threading.Timer(0.05, held.release)
        timer.start()
        drive.settle()
        assert held.gate.is_open
        timer.join(10)
    assert drive.health("issuer.test").state == "fresh"


def test_several_providers_are_each_at_their_host(drive, clock):
    """Fake providers of one client do not answer for each other, and unknown hosts get no answer."""
    idps = [FakeProvider(f"https://{name}.test", algorithm="ES256", clock=clock) for name in "ab"]
    drive.client(*idps)
    assert [drive.verify(idp.issue()).provider for idp in idps] == ["a.test", "b.test"]
    assert [idp.fetches for idp in idps] == [1, 1]
    elsewhere = providers.generic("https://c.test/jwks", issuer="https://c.test", audience="api")
    drive.client(*idps, elsewhere)
    with pytest.raises(KeysUnavailableError):
        drive.keys(elsewhere.name)


def test_a_served_provider_is_asked_over_the_wire(drive, idp):
    """Inside `serve` the client opens its own connections."""
    with idp.serve():
        drive.client(idp)
        assert drive.verify(idp.issue()).subject == "u1"
        assert idp.requests[0].headers["host"] in idp.base_url
        drive.settle()


def test_a_transport_can_be_given(drive, idp):
    """A plain provider is reached through the transport that the test names."""
    drive.client(idp.provider, transport=idp.transport, clock=idp.clock)
    assert drive.verify(idp.issue()).subject == "u1"
    assert idp.fetches == 1


def test_a_failure_comes_back_through_start(drive, idp):
    """The result of a background call raises the call's exception."""
    drive.client(idp)
    call = drive.start("verify", "nonsense")
    with pytest.raises(TokenError):
        call.result(10)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_end_of_a_driver_leaves_nothing_behind(kind, idp):
    """Even with a hanging flight, no thread is left and the loop is closed."""
    before = set(threading.enumerate())
    with driving(kind) as drive:
        drive.client(idp)
        idp.fail("hang")
        with idp.hold() as held:
            call = drive.start("verify", idp.issue())
            held.wait()
    assert isinstance(call.exception(10), KeysUnavailableError | None)
    assert not set(threading.enumerate()) - before
    assert not isinstance(drive, AsyncDriver) or drive.loop.is_closed()
