"""Responses that are late or come in small pieces, on each way to a `FakeProvider`, and their end."""

import asyncio
import threading

import httpx
import pytest

from jwks_client import FetchPolicy, JWKSClient, KeysUnavailableError
from jwks_client.testing import FakeProvider

LONG = 3600.0  # seconds that no test waits: the tests end what they began


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
    """Return functions that request the key set of ``idp`` in each way."""
    if request.param == "served":
        with idp.serve():
            yield lambda **options: WAYS["served"](idp, **options)
    else:
        yield lambda **options: WAYS[request.param](idp, **options)


class Asking(threading.Thread):
    """A request in its own thread."""

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


def test_a_late_response_is_complete(ask, idp):
    """A short delay changes only the time."""
    idp.delay(0.02)
    assert ask().json() == idp.jwks()
    idp.delay(0)
    assert ask().json() == idp.jwks()


def test_recover_ends_a_delay_in_progress(ask, idp):
    """A request that waits for an hour gets its response at once when the provider recovers."""
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
    """A dripping body is complete in the end."""
    idp.drip(octets=100, every=0.001)
    assert ask().json() == idp.jwks()


def test_recover_ends_a_drip_in_progress(ask, idp):
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
def test_a_read_timeout_ends_a_slow_response(way, slowness, idp):
    """An impatient client gets its read timeout, without sockets as with them."""
    if slowness == "delay":
        idp.delay(LONG)
    else:
        idp.drip(every=LONG)
    with idp.serve():
        with pytest.raises(httpx.ReadTimeout):
            WAYS[way](idp, timeout=0.05)


def test_it_can_be_slow_again_after_it_recovered(idp):
    """Recovery ends a slow response, and no later one."""
    idp.delay(LONG)
    idp.recover()
    assert over_transport(idp, timeout=0.05).status_code == 200
    idp.delay(LONG)
    with pytest.raises(httpx.ReadTimeout):
        over_transport(idp, timeout=0.05)


def test_failures_are_slow_too(ask, idp):
    """A failure may be late too."""
    idp.fail(503)
    idp.delay(0.02)
    assert ask().status_code == 503


def test_the_app_notices_a_disconnect_during_a_delay(idp):
    """A server that reports a lost connection ends the app's wait."""
    idp.delay(LONG)

    sent = []

    async def leave():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/.well-known/jwks.json", "headers": []}
        await asyncio.wait_for(idp.app(scope, receive, send), 10)

    asyncio.run(leave())
    assert sent == []


def test_the_end_of_serving_ends_slow_responses(idp):
    """A response that would take an hour leaves no thread behind."""
    idp.delay(LONG)
    with idp.serve() as base_url:
        with httpx.Client(trust_env=False, timeout=0.05) as client:
            with pytest.raises(httpx.ReadTimeout):
                client.get(f"{base_url}/.well-known/jwks.json")
    names = [one.name for one in threading.enumerate()]
    assert not [one for one in names if one.startswith("fake-provider")]


def test_the_deadline_of_a_client_ends_a_drip(idp):
    """The client's total deadline counts, whatever trickles in."""
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
def test_a_wrong_pace_is_refused(mistake):
    """A negative or endless pace is an error, and changes nothing."""
    idp = FakeProvider(algorithm="ES256")
    with pytest.raises(ValueError, match="must be"):
        mistake(idp)
    assert over_transport(idp, timeout=0.05).status_code == 200
