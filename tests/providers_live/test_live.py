"""One table of scenarios against third-party providers, with both clients."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from edge_running import serving

from jwks_client import AsyncJWKSClient, CachePolicy, FetchPolicy, JWKSClient
from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.errors import KeysUnavailableError, TokenError

# The client retries at once after an outage: the tests wait for that and not for a backoff.
CACHE = CachePolicy(failure_backoff=(0.05, 0.1))


class Sync:
    """`JWKSClient`, unchanged."""

    def __init__(self, *providers: Any, **settings: Any) -> None:
        self._client = JWKSClient(*providers, cache=CACHE, **settings)
        self.verify = self._client.verify
        self.refresh = self._client.refresh

    def close(self) -> None:
        """Close the client."""
        self._client.close()


class Async:
    """`AsyncJWKSClient`, driven by one event loop."""

    def __init__(self, *providers: Any, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncJWKSClient(*providers, cache=CACHE, **settings)

    def verify(self, token: str) -> Any:
        """Verify, and wait for the result."""
        return self._runner.run(self._client.verify(token))

    def refresh(self) -> None:
        """Refresh, and wait for the end."""
        self._runner.run(self._client.refresh())

    def close(self) -> None:
        """Close the client and its loop."""
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Any:
    """Return a function that makes a client of one kind, then of the other; close them at the end of the test."""
    made: list[Any] = []

    def make(*providers: Any, **settings: Any) -> Any:
        made.append(request.param(*providers, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_every_algorithm(live, connect):
    """A token of each algorithm that the provider uses is verified, with keys found by discovery."""
    client = connect(*(live.provider(one, name=one) for one in live.algorithms))
    for algorithm in live.algorithms:
        token = client.verify(live.token(algorithm))
        assert (token.algorithm, token.issuer) == (algorithm, live.issuer)
        assert live.audience(algorithm) in token.audience


def test_roles_become_scopes(live, connect):
    """With `scope_claim` the provider's own roles are the token's scopes."""
    algorithm = live.algorithms[0]
    client = connect(live.provider(algorithm, scope_claim=live.scope_claim))
    assert client.verify(live.token(algorithm)).scopes == live.roles


def test_another_audience_is_refused(live, connect):
    """A good token of the same provider for another application is refused."""
    algorithm = live.algorithms[0]
    client = connect(replace(live.provider(algorithm), audience="another"))
    with pytest.raises(TokenError) as caught:
        client.verify(live.token(algorithm))
    assert caught.value.code == "wrong_audience"


def test_a_changed_token_is_refused(live, connect):
    """A good token with one letter of its claims changed is refused."""
    algorithm = live.algorithms[-1]
    client = connect(live.provider(algorithm))
    head, claims, signature = live.token(algorithm).split(".")
    changed = claims[:20] + ("A" if claims[20] != "A" else "B") + claims[21:]
    with pytest.raises(TokenError) as caught:
        client.verify(f"{head}.{changed}.{signature}")
    assert caught.value.code in ("bad_signature", "malformed_token")


def test_a_rotation_with_overlap(live, connect):
    """After a rotation new tokens are accepted at once, and old ones still are."""
    algorithm = live.algorithms[0]
    client = connect(live.provider(algorithm))
    old = live.token(algorithm)
    client.verify(old)
    live.rotate(keep=1)
    new = live.token(algorithm)
    assert client.verify(new).key_id != client.verify(old).key_id


def test_a_dropped_key(live, connect):
    """A key that the provider dropped is refused after the next fetch."""
    algorithm = live.algorithms[0]
    client = connect(live.provider(algorithm))
    old = live.token(algorithm)
    live.rotate(keep=1)
    client.verify(old)
    live.drop()
    client.refresh()
    with pytest.raises(TokenError) as caught:
        client.verify(old)
    assert caught.value.code == "unknown_key"
    client.verify(live.token(algorithm))


def test_a_rotation_without_overlap(live, connect):
    """If old keys are gone with the rotation, the first new token makes the client notice both changes."""
    algorithm = live.algorithms[0]
    client = connect(live.provider(algorithm))
    old = live.token(algorithm)
    client.verify(old)
    live.rotate(keep=0)
    client.verify(live.token(algorithm))
    with pytest.raises(TokenError) as caught:
        client.verify(old)
    assert caught.value.code == "unknown_key"


def test_stopped_and_started_again(live, connect):
    """While the provider is down, known keys verify and unknown kids are 503; afterwards both verify again."""
    algorithm = live.algorithms[0]
    client, cold = connect(live.provider(algorithm)), connect(live.provider(algorithm))
    token = live.token(algorithm)
    client.verify(token)
    live.stop()
    try:
        client.verify(token)
        with pytest.raises(KeysUnavailableError) as caught:
            client.refresh()
        assert caught.value.code in ("fetch_failed", "discovery_failed")
        client.verify(token)
        with pytest.raises(KeysUnavailableError):
            cold.verify(token)
    finally:
        live.start()
    cold.refresh()
    assert cold.verify(token).issuer == client.verify(token).issuer


def test_a_private_authority(secured, connect):
    """Over TLS the keys are fetched with the private CA's file, and not without it."""
    algorithm = secured.algorithms[0]
    token = secured.token(algorithm)
    fetch = FetchPolicy(ca_file=str(secured.ca_file))
    assert connect(secured.provider(algorithm), fetch=fetch).verify(token).issuer == secured.issuer
    with pytest.raises(KeysUnavailableError) as caught:
        connect(secured.provider(algorithm)).verify(token)
    assert caught.value.code in ("fetch_failed", "discovery_failed")


def test_an_app_under_the_middleware(live):
    """Under uvicorn a live token is answered 200, a missing one 401, and one of another audience 401."""
    algorithm = live.algorithms[0]
    client = AsyncJWKSClient(live.provider(algorithm), cache=CACHE)
    other = AsyncJWKSClient(replace(live.provider(algorithm), audience="another"), cache=CACHE)
    headers = {"Authorization": f"Bearer {live.token(algorithm)}"}
    for one, given, status in ((client, headers, 200), (client, {}, 401), (other, headers, 401)):
        with (
            serving(JWKSMiddleware(app, one, warm_up=None, close_client=True), "uvicorn") as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
        ):
            answer = http.get("/", headers=given)
        assert answer.status_code == status
        assert ("www-authenticate" in answer.headers) is (status == 401)


async def app(scope, receive, send):
    """Answer with the subject of the token."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": get_token(scope).subject.encode()})
