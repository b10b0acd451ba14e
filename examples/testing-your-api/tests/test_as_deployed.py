"""Test the app as it is deployed, with its own client and without a network."""

from collections.abc import Callable

import httpx
import pytest
import respx
from jwks_client import AsyncJWKSClient
from jwks_client.testing import FakeProvider

from orders_api import PROVIDER, create_app


@pytest.mark.anyio
@pytest.mark.jwks(PROVIDER)
async def test_the_app_asks_its_provider_where_it_really_is(
    jwks_provider: FakeProvider,
    auth_headers: Callable[..., dict[str, str]],
    respx_mock: respx.MockRouter,
) -> None:
    """The app fetches its keys from Auth0's URL, where respx lets the fake provider answer."""
    jwks_provider.mock(respx_mock)
    app = create_app(AsyncJWKSClient(PROVIDER))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders.test") as api:
        assert (await api.get("/orders", headers=auth_headers())).status_code == 200
    [asked] = respx_mock.calls
    assert str(asked.request.url) == "https://acme.eu.auth0.com/.well-known/jwks.json"
