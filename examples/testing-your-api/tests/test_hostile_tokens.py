"""Send every hostile token of the testing kit to the API."""

import httpx
import pytest
from jwks_client.testing import FakeProvider, ForgedToken

from orders_api import PROVIDER, create_app

idp = FakeProvider().as_provider(PROVIDER)
app = create_app(idp.async_client())


@pytest.mark.anyio
@pytest.mark.parametrize("token", idp.forge.all(scope="orders:write"))
async def test_a_hostile_token_is_refused(token: ForgedToken) -> None:
    """The answer is 401, with a code that says why."""
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders.test") as api:
        answer = await api.post("/orders", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == token.code
