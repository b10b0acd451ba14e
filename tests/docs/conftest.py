"""Shared fixtures of the tests of documents and examples."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterator

import httpx
import pytest
from accounts import FakeInternet


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInternet]:
    """Return an internet with only what a test publishes; loopback stays real.

    Two methods of httpx's own transports use it while the test runs. Neither this library nor
    the code under test is changed.
    """
    internet = FakeInternet()
    real = httpx.HTTPTransport.handle_request
    real_async = httpx.AsyncHTTPTransport.handle_async_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        local = request.url.host == "127.0.0.1"
        return real(transport, request) if local else internet.answer(request)

    async def handle_async(
        transport: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        local = request.url.host == "127.0.0.1"
        return await real_async(transport, request) if local else internet.answer(request)

    with monkeypatch.context() as patch:
        patch.setattr(httpx.HTTPTransport, "handle_request", handle)
        patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_async)
        # A proxy of this machine would be used first, and it might not even exist.
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        yield internet


@pytest.fixture(autouse=True)
def release_2_of_the_mcp_sdk(request: pytest.FixtureRequest) -> None:
    """Skip code for release 2 of the MCP SDK where release 1 is installed."""
    callspec = getattr(request.node, "callspec", None)
    given = [] if callspec is None else map(str, callspec.params.values())
    if any(one == "mcp_server" or one.endswith("frameworks/mcp.md") for one in given):
        installed = importlib.metadata.version("mcp")
        if installed.startswith("1."):
            pytest.skip(f"written for release 2 of the MCP SDK, and {installed} is installed")
    if any(one.endswith("frameworks/mcp.md") for one in given):
        pytest.importorskip("fastmcp", reason="FastMCP is in the dependency group test")


@pytest.fixture
def logging_of_its_own() -> Iterator[None]:
    """Restore the root logger and the library's logger after a page changed them."""
    logs = [logging.getLogger(name) for name in (None, "jwks_client", "jwks_client.requests")]
    before = [(log, log.level, log.handlers[:], log.propagate) for log in logs]
    yield
    for log, level, handlers, propagate in before:
        log.setLevel(level)
        log.handlers[:] = handlers
        log.propagate = propagate
