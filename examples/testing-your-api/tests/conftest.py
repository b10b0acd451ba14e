import httpx
import pytest

from orders_api import create_app


@pytest.fixture
def anyio_backend():
    """Run the coroutines here by anyio, which httpx brings along; pytest-asyncio does as well."""
    return "asyncio"


@pytest.fixture
async def api(async_jwks_client):
    """Give an HTTP client of the API, whose keys come from the fixture ``jwks_provider``."""
    transport = httpx.ASGITransport(create_app(async_jwks_client))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders.test") as client:
        yield client
