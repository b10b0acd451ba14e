"""aiohttp: WebSockets, streams, paths, start and end, and wrong settings."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer

from jwks_client import ConfigurationError, events
from jwks_client.asgi import current_token
from jwks_client.integrations.aiohttp import get_token, middleware, setup
from jwks_client.providers import Subprotocol
from jwks_client.testing import FakeProvider


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def serve(app: web.Application) -> TestClient:
    """Serve an app with aiohttp's own server, and send it requests."""
    return TestClient(TestServer(app, access_log=None))


def app_of(idp: FakeProvider, handler: Any, path: str = "/{rest:.*}", **settings: Any) -> Any:
    app = web.Application(middlewares=[middleware(idp.async_client(), **settings)])
    app.router.add_route("*", path, handler)
    return app


@pytest.mark.asyncio
async def test_a_refusal_before_a_websocket_is_accepted_denies_the_handshake(idp):
    """A handler that requires a scope before it accepts denies the handshake: 403 with the challenge."""

    async def handler(request):
        get_token(request).require("live")
        raise AssertionError

    async with serve(app_of(idp, handler)) as http:
        with pytest.raises(WSServerHandshakeError) as denied:
            await http.ws_connect("/ws", headers=bearer(idp.issue()))
    assert denied.value.status == 403
    assert 'scope="live"' in denied.value.headers["WWW-Authenticate"]


@pytest.mark.asyncio
async def test_a_refusal_after_a_websocket_was_accepted_closes_it_with_1008(idp):
    """A refusal after the accept closes with 1008 (policy violation) and is reported once."""
    refusals = []

    def listen(event):
        if isinstance(event, events.RequestRefused):
            refusals.append(event.code)

    async def handler(request):
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await websocket.send_str("welcome")
        current_token().require("live")

    app = web.Application(middlewares=[middleware(idp.async_client(listeners=[listen]))])
    app.router.add_get("/ws", handler)
    async with serve(app) as http:
        async with http.ws_connect("/ws", headers=bearer(idp.issue())) as websocket:
            assert await websocket.receive_str() == "welcome"
            await websocket.receive()
            assert websocket.close_code == 1008
    assert refusals == ["insufficient_scope"]


@pytest.mark.asyncio
async def test_the_handler_s_subprotocol_wins(idp):
    """The handler can negotiate its own subprotocol next to a token; otherwise the marker is echoed."""
    offers = []

    async def handler(request):
        offers.append(request.headers["Sec-WebSocket-Protocol"])
        websocket = web.WebSocketResponse(protocols=("chat.v2",))
        await websocket.prepare(request)
        await websocket.close()
        return websocket

    app = app_of(idp, handler, locations=[Subprotocol("bearer")])
    async with serve(app) as http:
        for offered, chosen in ((("bearer",), "bearer"), (("chat.v2", "bearer"), "chat.v2")):
            protocols = (*offered, idp.issue())
            async with http.ws_connect("/ws", protocols=protocols) as websocket:
                assert websocket._response.headers["Sec-WebSocket-Protocol"] == chosen
    assert offers == ["bearer", "chat.v2, bearer"]


@pytest.mark.asyncio
async def test_a_stream_is_not_held_back(idp):
    """The client reads the first chunk while the handler waits, and a later refusal changes nothing."""
    go_on = asyncio.Event()

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        get_token(request).require("more")

    async with serve(app_of(idp, handler)) as http:
        http.server.runner.server.logger = logging.getLogger("silent")
        logging.getLogger("silent").disabled = True
        async with http.get("/", headers=bearer(idp.issue())) as answer:
            assert answer.status == 200
            assert await answer.content.readexactly(5) == b"first"
            go_on.set()
            with pytest.raises(Exception, match=r"payload|transfer"):
                await answer.content.read()


@pytest.mark.asyncio
async def test_an_escaped_slash_does_not_reach_below_an_excluded_path(idp):
    """aiohttp routes /open%2Fx by its escaped form, so exclude does not read it as /open/x."""

    async def handler(request):
        return web.Response()

    app = app_of(idp, handler, "/{name}", exclude=["/open/x", "/docs/*"])
    async with serve(app) as http:
        for path in ("/open%2Fx", "/docs%2Fx"):
            async with http.get(path) as answer:
                assert answer.status == 401


@pytest.mark.asyncio
async def test_a_sub_application_is_protected_and_compared_by_its_whole_path(idp):
    """Middleware of the parent covers sub-applications, and exclude names the whole path."""

    async def handler(request):
        return web.json_response(get_token(request) and get_token(request).subject)

    inner = web.Application()
    inner.router.add_get("/health", handler)
    inner.router.add_get("/me", handler)
    app = web.Application(middlewares=[middleware(idp.async_client(), exclude=["/api/health"])])
    app.add_subapp("/api", inner)
    async with serve(app) as http:
        async with http.get("/api/health") as answer:
            assert answer.status == 200
        async with http.get("/api/me") as answer:
            assert answer.status == 401
        async with http.get("/api/me", headers=bearer(idp.issue(sub="u7"))) as answer:
            assert await answer.json() == "u7"
        async with http.get("/nowhere") as answer:
            assert answer.status == 401


@pytest.mark.asyncio
async def test_setup_loads_the_keys_at_the_start_and_closes_the_client_at_the_end(idp):
    """Required keys are loaded before the first request, and close_client ends the client with the app."""
    client = idp.async_client()
    app = web.Application()
    setup(app, client, warm_up="required", close_client=True)
    runner = web.AppRunner(app)
    await runner.setup()
    assert idp.fetches == 1
    await runner.cleanup()
    idp.rotate()
    with pytest.raises(Exception, match="closed"):
        await client.refresh()


@pytest.mark.asyncio
async def test_a_start_that_requires_keys_fails_without_them(idp):
    """With warm_up="required" and a provider that is down, the app does not start, and the log says why."""
    idp.fail(503)
    app = web.Application()
    setup(app, idp.async_client(), warm_up="required")
    with pytest.raises(RuntimeError, match="keys could not be loaded"):
        await web.AppRunner(app).setup()


@pytest.mark.parametrize(
    "protect", [middleware, lambda client, **rest: setup(web.Application(), client, **rest)]
)
def test_wrong_settings_fail_at_the_start(idp, protect):
    """A client of the other kind, a class, or an unknown setting is refused by name."""
    with pytest.raises(ConfigurationError, match="AsyncJWKSClient"):
        protect(idp.client())
    with pytest.raises(ConfigurationError, match="AsyncJWKSClient"):
        protect(type(idp.async_client()))
    with pytest.raises(ConfigurationError, match=r"exclud.*the settings are.*exclude"):
        protect(idp.async_client(), exclud=["/health"])


def test_setup_and_get_token_name_the_wrong_type(idp):
    """setup without an application, and get_token without a request, raise errors that name the type."""
    with pytest.raises(ConfigurationError, match=r"web.Application, got dict"):
        setup({}, idp.async_client())
    with pytest.raises(TypeError, match="got dict"):
        get_token({})
