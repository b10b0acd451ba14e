"""Every hostile token the kit knows, against the API itself."""

import httpx
import pytest
from jwks_client.testing import FakeProvider

from orders_api import PROVIDER, create_app

idp = FakeProvider().as_provider(PROVIDER)
app = create_app(idp.async_client())


@pytest.mark.anyio
@pytest.mark.parametrize("token", idp.forge.all(scope="orders:write"))
async def test_a_hostile_token_is_refused(token):
    """It is 401, and the answer says why by a code."""
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders.test") as api:
        answer = await api.post("/orders", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == token.code
