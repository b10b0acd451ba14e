from collections.abc import AsyncIterator

import httpx
import pytest
from jwks_client import AsyncJWKSClient

from orders_api import create_app


@pytest.fixture
def anyio_backend() -> str:
    """Run coroutines with anyio, which httpx installs; pytest-asyncio works as well."""
    return "asyncio"


@pytest.fixture
async def api(async_jwks_client: AsyncJWKSClient) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the API; the fixture ``jwks_provider`` has its keys."""
    transport = httpx.ASGITransport(create_app(async_jwks_client))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders.test") as client:
        yield client
