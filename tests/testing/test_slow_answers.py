"""Answers that are late or come in small pieces, on each way to a `FakeProvider`, and their end."""

import asyncio
import threading

import httpx
import pytest

from jwks_client import FetchPolicy, JWKSClient, KeysUnavailableError
from jwks_client.testing import FakeProvider

LONG = 3600.0  # seconds that no test waits: what ends is ended by the test


def over_http(idp, timeout=10.0):
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        return client.get(idp.jwks_url)


def over_transport(idp, timeout=10.0):
    with httpx.Client(transport=idp.transport, timeout=timeout) as client:
        return client.get(idp.jwks_url)


def over_async(transport, idp, timeout):
    async def ask():
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
            return await client.get(idp.jwks_url)

    return asyncio.run(ask())


WAYS = {
    "transport": over_transport,
    "async transport": lambda idp, timeout=10.0: over_async(idp.transport, idp, timeout),
    "app": lambda idp, timeout=10.0: over_async(httpx.ASGITransport(idp.app), idp, timeout),
    "served": over_http,
}


@pytest.fixture(params=WAYS)
def ask(request, idp):
    """Asks for the key set of ``idp`` in each way."""
    if request.param == "served":
        with idp.serve():
            yield lambda **options: WAYS["served"](idp, **options)
    else:
        yield lambda **options: WAYS[request.param](idp, **options)


class Asking(threading.Thread):
    """One question in a thread of its own."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self._ask = ask
        self.answer = None

    def run(self):
        self.answer = self._ask()

    def ended(self):
        self.join(10)
        assert not self.is_alive(), "a request is not answered"
        return self.answer


def arrived(idp):
    """Wait until a request was recorded."""
    for _ in range(1000):
        if idp.requests:
            return
        threading.Event().wait(0.01)
    raise AssertionError("no request arrived")


def test_a_late_answer_is_whole(ask, idp):
    """A short delay changes nothing but the time."""
    idp.delay(0.02)
    assert ask().json() == idp.jwks()
    idp.delay(0)
    assert ask().json() == idp.jwks()


def test_recover_ends_a_delay_that_is_under_way(ask, idp):
    """A request that waits for an hour is answered at once when the provider recovers."""
    idp.delay(LONG)
    asking = Asking(ask)
    asking.start()
    arrived(idp)
    asking.join(0.05)
    assert asking.is_alive()
    idp.recover()
    assert asking.ended().json() == idp.jwks()
    assert ask().status_code == 200


def test_a_body_comes_in_pieces(ask, idp):
    """A drip is the same body in the end."""
    idp.drip(octets=100, every=0.001)
    assert ask().json() == idp.jwks()


def test_recover_ends_a_drip_that_is_under_way(ask, idp):
    """The rest of a dripping body comes at once when the provider recovers."""
    idp.drip(octets=10, every=LONG)
    asking = Asking(lambda: ask(timeout=None))
    asking.start()
    arrived(idp)
    asking.join(0.05)
    assert asking.is_alive()
    idp.recover()
    assert asking.ended().json() == idp.jwks()


@pytest.mark.parametrize("slowness", ["delay", "drip"])
@pytest.mark.parametrize("way", ["transport", "async transport", "served"])
def test_a_read_timeout_is_shorter_than_what_is_slow(way, slowness, idp):
    """A client that gives up gets its read timeout, without sockets as with them."""
    if slowness == "delay":
        idp.delay(LONG)
    else:
        idp.drip(every=LONG)
    with idp.serve():
        with pytest.raises(httpx.ReadTimeout):
            WAYS[way](idp, timeout=0.05)


def test_it_can_be_slow_again_after_it_recovered(idp):
    """Recovery ends what was slow, and nothing that is told later."""
    idp.delay(LONG)
    idp.recover()
    assert over_transport(idp, timeout=0.05).status_code == 200
    idp.delay(LONG)
    with pytest.raises(httpx.ReadTimeout):
        over_transport(idp, timeout=0.05)


def test_failures_are_slow_too(ask, idp):
    """What fails may fail late."""
    idp.fail(503)
    idp.delay(0.02)
    assert ask().status_code == 503


def test_the_app_notices_who_leaves_while_it_delays(idp):
    """A server that tells the app of a lost connection ends its wait."""
    idp.delay(LONG)

    async def leave():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError("nobody is there to be answered")

        scope = {"type": "http", "method": "GET", "path": "/.well-known/jwks.json", "headers": []}
        await asyncio.wait_for(idp.app(scope, receive, send), 10)

    asyncio.run(leave())


def test_the_end_of_serving_ends_what_is_slow(idp):
    """No thread is left behind by an answer that would take an hour."""
    idp.delay(LONG)
    with idp.serve() as base_url:
        with httpx.Client(trust_env=False, timeout=0.05) as client:
            with pytest.raises(httpx.ReadTimeout):
                client.get(f"{base_url}/.well-known/jwks.json")
    names = [one.name for one in threading.enumerate()]
    assert not [one for one in names if one.startswith("fake-provider")]


def test_the_deadline_of_a_client_ends_a_drip(idp):
    """What the drip is for: the client's total deadline holds, whatever trickles in."""
    idp.drip(octets=1, every=0.05)
    with idp.serve():
        policy = FetchPolicy(deadline=1.5, attempt_timeout=1, connect_timeout=1, retries=0)
        with JWKSClient(idp.provider, fetch=policy, clock=idp.clock) as client:
            with pytest.raises(KeysUnavailableError) as caught:
                client.verify(idp.issue())
            assert caught.value.code == "fetch_timeout"
            idp.recover()
            client.refresh()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda idp: idp.delay(-1),
        lambda idp: idp.delay(float("inf")),
        lambda idp: idp.drip(octets=0),
        lambda idp: idp.drip(every=float("nan")),
    ],
)
def test_what_is_no_pace_is_refused(mistake):
    """A negative or endless pace is an error, and changes nothing."""
    idp = FakeProvider(algorithm="ES256")
    with pytest.raises(ValueError, match="must be"):
        mistake(idp)
    assert over_transport(idp, timeout=0.05).status_code == 200
