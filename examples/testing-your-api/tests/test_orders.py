"""Test what the API promises to its users, and how it behaves in an outage."""

from collections.abc import Callable

import httpx
import pytest
from jwks_client.testing import FakeClock, FakeProvider

from orders_api import PROVIDER

pytestmark = [pytest.mark.anyio, pytest.mark.jwks(PROVIDER)]


async def test_a_caller_with_a_token_reads_their_orders(
    api: httpx.AsyncClient, auth_headers: Callable[..., dict[str, str]]
) -> None:
    """The token's subject is the caller."""
    answer = await api.get("/orders", headers=auth_headers(sub="auth0|7"))
    assert answer.status_code == 200
    assert answer.json() == {"orders_of": "auth0|7"}


async def test_a_caller_without_a_token_does_not(api: httpx.AsyncClient) -> None:
    """A request without credentials is a 401 with a challenge; /health is public."""
    answer = await api.get("/orders")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await api.get("/health")).status_code == 200


async def test_an_order_requires_a_scope(
    api: httpx.AsyncClient, auth_headers: Callable[..., dict[str, str]]
) -> None:
    """A valid token without the scope is a 403; with the scope, the order is created (201)."""
    refused = await api.post("/orders", headers=auth_headers(scope="orders:read"))
    assert refused.status_code == 403
    assert refused.json()["code"] == "insufficient_scope"
    placed = await api.post("/orders", headers=auth_headers(scope="orders:read orders:write"))
    assert placed.status_code == 201


async def test_a_session_ends(
    api: httpx.AsyncClient, auth_headers: Callable[..., dict[str, str]], jwks_clock: FakeClock
) -> None:
    """A token is accepted during its lifetime and the leeway, then it is a 401."""
    headers = auth_headers(expires_in=60)
    assert (await api.get("/orders", headers=headers)).status_code == 200
    jwks_clock.advance(60 + PROVIDER.leeway)
    answer = await api.get("/orders", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_a_rotation_is_not_noticed(
    api: httpx.AsyncClient, auth_headers: Callable[..., dict[str, str]], jwks_provider: FakeProvider
) -> None:
    """Tokens signed with the new key and with the old one are accepted at once."""
    old = auth_headers()
    assert (await api.get("/orders", headers=old)).status_code == 200
    jwks_provider.rotate()
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    assert (await api.get("/orders", headers=old)).status_code == 200
    assert jwks_provider.fetches == 2


async def test_an_outage_is_survived(
    api: httpx.AsyncClient,
    auth_headers: Callable[..., dict[str, str]],
    jwks_provider: FakeProvider,
    jwks_clock: FakeClock,
) -> None:
    """Cached keys still verify tokens; a key that cannot be fetched is a 503, never a 401."""
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    jwks_provider.fail(500)
    jwks_clock.advance(400)  # longer than the lifetime of keys
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    jwks_provider.rotate()
    answer = await api.get("/orders", headers=auth_headers())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    jwks_provider.recover()
    jwks_clock.advance(60)
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
