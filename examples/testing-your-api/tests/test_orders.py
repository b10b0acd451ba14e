"""What the API promises to its users, and what it does when the provider is in trouble."""

import pytest

from orders_api import PROVIDER

pytestmark = [pytest.mark.anyio, pytest.mark.jwks(PROVIDER)]


async def test_who_has_a_token_reads_their_orders(api, auth_headers):
    """The subject of the token is who asks."""
    answer = await api.get("/orders", headers=auth_headers(sub="auth0|7"))
    assert answer.status_code == 200
    assert answer.json() == {"orders_of": "auth0|7"}


async def test_who_has_none_does_not(api):
    """No credentials are 401, with a challenge; the health of the process is for everyone."""
    answer = await api.get("/orders")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await api.get("/health")).status_code == 200


async def test_an_order_takes_a_scope(api, auth_headers):
    """A good token that may not is 403, and one that may is 201."""
    refused = await api.post("/orders", headers=auth_headers(scope="orders:read"))
    assert refused.status_code == 403
    assert refused.json()["code"] == "insufficient_scope"
    placed = await api.post("/orders", headers=auth_headers(scope="orders:read orders:write"))
    assert placed.status_code == 201


async def test_a_session_ends(api, auth_headers, jwks_clock):
    """A token is good for its life and the leeway, and then 401."""
    headers = auth_headers(expires_in=60)
    assert (await api.get("/orders", headers=headers)).status_code == 200
    jwks_clock.advance(60 + PROVIDER.leeway)
    answer = await api.get("/orders", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_a_rotation_is_not_noticed(api, auth_headers, jwks_provider):
    """Tokens of the new key and of the old one are good at once."""
    old = auth_headers()
    assert (await api.get("/orders", headers=old)).status_code == 200
    jwks_provider.rotate()
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    assert (await api.get("/orders", headers=old)).status_code == 200
    assert jwks_provider.fetches == 2


async def test_an_outage_is_survived(api, auth_headers, jwks_provider, jwks_clock):
    """Users who were let in stay; with a key that nobody could fetch it is 503, never 401."""
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    jwks_provider.fail(500)
    jwks_clock.advance(400)  # longer than keys live
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    jwks_provider.rotate()
    answer = await api.get("/orders", headers=auth_headers())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    jwks_provider.recover()
    jwks_clock.advance(60)
    assert (await api.get("/orders", headers=auth_headers())).status_code == 200
