"""Litestar with the plugin: guards, open routes, WebSockets, streams, the document, the start."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
import trio
from asgi_calls import call, http_scope
from litestar import Controller, Litestar, Request, WebSocket, asgi, get, post, websocket
from litestar.config.cors import CORSConfig
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import Stream
from litestar.status_codes import WS_1008_POLICY_VIOLATION
from litestar.testing import TestClient

from jwks_client import ConfigurationError, decorators, events
from jwks_client.asgi import ProtectedResource, get_token
from jwks_client.integrations.litestar import JWKSAuth, requires
from jwks_client.providers import Cookie, Header


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@get("/me")
async def me(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {"sub": request.auth.subject, "name": request.user.display_name}


@get("/open", exclude_from_auth=True)
async def opened(request: Request[Any, Any, Any]) -> dict[str, bool]:
    return {"anonymous": request.auth is None and not request.user.is_authenticated}


def app_of(client: Any, *handlers: Any, **settings: Any) -> Litestar:
    config = settings.pop("openapi_config", None)
    auth = JWKSAuth(client, **settings)
    return Litestar(
        [me, opened, *handlers], plugins=[auth], openapi_config=config, logging_config=None
    )


def test_a_request_has_its_user_and_token(idp):
    """request.auth is the VerifiedToken, and request.user identifies the caller."""
    with TestClient(app_of(idp.async_client())) as http:
        answer = http.get("/me", headers=bearer(idp.issue(sub="u7", name="Una")))
        assert answer.json() == {"sub": "u7", "name": "Una"}
        assert http.get("/me").headers["www-authenticate"] == "Bearer"


def test_a_route_with_exclude_from_auth_needs_no_token(idp):
    """Credentials on an open route are not checked."""
    with TestClient(app_of(idp.async_client())) as http:
        assert http.get("/open").json() == {"anonymous": True}
        assert http.get("/open", headers=bearer("junk")).json() == {"anonymous": True}


def test_a_guard_covers_a_controller_and_reports_once(idp):
    """A controller's guard answers 403 with the scope and one event; missing claims have no challenge."""
    refusals = []

    def listen(event: Any) -> None:
        if isinstance(event, events.RequestRefused):
            refusals.append(event.code)

    class Orders(Controller):
        path = "/orders"
        guards = [requires("orders:read")]  # noqa: RUF012

        @get()
        async def read(self) -> str:
            return "orders"

        @get("/all", guards=[requires(claims={"role": "admin"})])
        async def read_all(self) -> str:
            return "all orders"

    with TestClient(app_of(idp.async_client(listeners=[listen]), Orders)) as http:
        good = bearer(idp.issue(scope="orders:read"))
        assert http.get("/orders", headers=good).text == "orders"
        answer = http.get("/orders", headers=bearer(idp.issue()))
        assert answer.status_code == 403
        assert 'scope="orders:read"' in answer.headers["www-authenticate"]
        answer = http.get("/orders/all", headers=good)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_claims")
        assert "www-authenticate" not in answer.headers
    assert refusals == ["insufficient_scope", "insufficient_claims"]


def test_a_guard_refuses_anonymous_requests_with_401(idp):
    """Under optional=True a guard still requires a token."""

    @get("/orders", guards=[requires()])
    async def orders() -> str:
        return ""

    with TestClient(app_of(idp.async_client(), orders, optional=True)) as http:
        assert http.get("/orders").status_code == 401


def test_refusals_of_websockets(idp):
    """A guard denies the handshake, and a refusal after the accept closes with 1008."""
    from litestar.exceptions import WebSocketDisconnect

    @websocket("/guarded", guards=[requires("live")])
    async def guarded(socket: WebSocket[Any, Any, Any]) -> None:
        raise AssertionError

    @websocket("/late")
    async def late(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        socket.auth.require("live")

    with TestClient(app_of(idp.async_client(), guarded, late)) as http:
        for path in ("/guarded", "/late"):
            with pytest.raises(WebSocketDisconnect) as ended:
                with http.websocket_connect(path, headers=bearer(idp.issue())) as socket:
                    socket.receive_text()
            assert ended.value.code == WS_1008_POLICY_VIOLATION


def test_a_stream_is_passed_on(idp):
    """The handler's chunks arrive unchanged."""

    @get("/stream")
    async def stream() -> Stream:
        async def chunks() -> Any:
            yield b"one"
            yield b"two"

        return Stream(chunks())

    with TestClient(app_of(idp.async_client(), stream)) as http:
        assert http.get("/stream", headers=bearer(idp.issue())).content == b"onetwo"


def test_the_document_names_the_schemes_and_the_default_config_stays_as_it_was(idp):
    """Each app has its own document: two plugins, and an app without a plugin, do not mix."""
    from litestar.app import DEFAULT_OPENAPI_CONFIG

    before = repr(DEFAULT_OPENAPI_CONFIG)
    locations = [Header("Authorization", scheme="Bearer"), Cookie("session")]
    auth = JWKSAuth(
        idp.async_client(),
        locations=locations,
        openid_connect_url="https://idp.test/.well-known/openid-configuration",
    )
    document = Litestar([me], plugins=[auth]).openapi_schema.to_schema()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "Bearer", "bearerFormat": "JWT"}
    assert schemes["cookie-session"] == {"type": "apiKey", "name": "session", "in": "cookie"}
    assert schemes["openid"]["type"] == "openIdConnect"
    assert document["security"] == [{"bearer": []}, {"cookie-session": []}, {"openid": []}]
    assert repr(DEFAULT_OPENAPI_CONFIG) == before
    assert "security" not in Litestar([me]).openapi_schema.to_schema()


def test_the_app_s_own_document_keeps_its_components(idp):
    """The schemes are added to the components that the app configures."""
    own = Components(security_schemes={"own": SecurityScheme(type="http", scheme="basic")})
    config = OpenAPIConfig(title="Shop", version="1", components=own, security=[{"own": []}])
    app = app_of(idp.async_client(), openapi_config=config)
    document = app.openapi_schema.to_schema()
    assert document["components"]["securitySchemes"].keys() == {"own", "bearer"}
    assert document["security"] == [{"own": []}, {"bearer": []}]
    assert (config.components, config.security) == (own, [{"own": []}])


@pytest.mark.parametrize("routed", [False, True])
def test_the_metadata_document_is_served_without_a_token(idp, routed):
    """The document that a challenge names is served, even if the app has a route for it."""
    resource = ProtectedResource(resource="https://api.test/mcp", scopes_supported=["a"])

    @get(resource.path)
    async def own() -> str:
        return "the app's own"

    app = app_of(idp.async_client(), *([own] if routed else []), resource_metadata=resource)
    with TestClient(app) as http:
        challenge = http.get("/me").headers["www-authenticate"]
        assert challenge == f'Bearer resource_metadata="{resource.url}"'
        for headers in ({}, bearer(idp.issue())):
            answer = http.get(resource.path, headers=headers)
            assert (answer.status_code, answer.json()["resource"]) == (200, resource.resource)
        assert http.get(f"{resource.path}/more").status_code == 404


def test_an_app_with_a_path_serves_the_metadata_document_below_it(idp):
    """A proxy may map the well-known path to an app that has only routes below a path."""
    resource = ProtectedResource(resource="https://api.test")
    auth = JWKSAuth(idp.async_client(), resource_metadata=resource)
    app = Litestar([me], path="/v1", plugins=[auth], openapi_config=None, logging_config=None)
    with TestClient(app) as http:
        assert http.get(f"/v1{resource.path}").json()["resource"] == resource.resource


@get(["/docs/x", "/tenant/docs/x"])
async def docs() -> str:
    return "docs"


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"mounted"})


@pytest.mark.parametrize(
    ("change", "path", "status"),
    [
        ({}, "/docs/x", 200),
        ({}, "/mount/x", 200),
        ({}, "/second/mount/x", 401),
        ({}, "/admin/docs/x", 401),
        ({}, "//docs/x", 401),
        # A server does not report the path as it was sent.
        ({"raw_path": None}, "/docs/x", 200),
        ({"raw_path": None}, "/admin/docs/x", 401),
        ({"raw_path": None}, "/mount/x", 401),  # the mount has two paths
        # A middleware outside rewrites the path.
        ({"path": "/tenant/docs/x"}, "/docs/x", 401),
        ({"path": "/admin/docs/x"}, "/docs/x", 401),
        ({"path": "/docs/x"}, "/v1/docs/x", 200),
    ],
)
def test_exclude_compares_the_path_that_is_routed(idp, change, path, status):
    """A mount, a server without ``raw_path`` or a rewriting middleware opens no other path."""
    app = app_of(
        idp.async_client(),
        docs,
        asgi(["/mount", "/second/mount"], is_mount=True, copy_scope=True)(mounted),
        asgi("/admin", is_mount=True, copy_scope=True)(mounted),
        exclude=["/docs/*", "/mount/*"],
    )

    scope = {**http_scope(None, path), "raw_path": path.encode(), **change}
    assert call(app, scope).status == status


def test_required_keys_are_loaded_at_the_start(idp):
    """With warm_up="required" the keys are loaded before a request, or the app does not start."""
    with TestClient(app_of(idp.async_client(), warm_up="required", close_client=True)):
        assert idp.fetches == 1
    idp.fail(503)
    with pytest.raises(ExceptionGroup) as failed:
        with TestClient(app_of(idp.async_client(), warm_up="required")):
            raise AssertionError
    assert "keys could not be loaded" in "".join(traceback.format_exception(failed.value))


def test_wrong_settings_fail_at_the_start(idp):
    """A client of the other kind, or an unknown setting, is refused by name."""
    with pytest.raises(ConfigurationError, match="AsyncJWKSClient"):
        JWKSAuth(idp.client())
    with pytest.raises(ConfigurationError, match=r"exclud: is not.*the settings are.*exclude"):
        JWKSAuth(idp.async_client(), exclud=["/health"])
    with pytest.raises(ConfigurationError, match="scopes"):
        requires("")


def test_preflights_are_answered_by_litestar_s_own_cors(idp):
    """cors_config is outside the plugin: a preflight is answered, and the request needs a token."""
    auth = JWKSAuth(idp.async_client())
    cors = CORSConfig(allow_origins=["https://app.test"])
    app = Litestar([me], plugins=[auth], cors_config=cors, openapi_config=None)
    origin = {"Origin": "https://app.test"}
    with TestClient(app) as http:
        answer = http.options("/me", headers={**origin, "Access-Control-Request-Method": "GET"})
        assert answer.status_code == 204
        answer = http.get("/me", headers=origin)
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.test"


def test_an_open_route_can_be_marked_in_the_document(idp):
    """security=[{}] on a route replaces the document's default."""

    @get("/marked", exclude_from_auth=True, security=[{}])
    async def marked() -> None: ...

    document = Litestar([marked], plugins=[JWKSAuth(idp.async_client())]).openapi_schema
    assert document.to_schema()["paths"]["/marked"]["get"]["security"] == [{}]


@pytest.mark.parametrize("awaits", [True, False])
def test_the_decorator_with_a_client_protects_a_route(idp, awaits):
    """Without the plugin, refusals before and in the handler are answered, whatever the route returns."""
    if awaits:

        @post("/orders")
        @decorators.requires("orders:write", client=idp.async_client())
        async def orders(request: Request[Any, Any, Any]) -> str:
            token = get_token(request)
            return token.require("admin").subject
    else:

        @post("/orders", sync_to_thread=True)
        @decorators.requires("orders:write", client=idp.client())
        def orders(request: Request[Any, Any, Any]) -> str:
            token = get_token(request)
            return token.require("admin").subject

    with TestClient(Litestar([orders], openapi_config=None, logging_config=None)) as http:
        assert http.post("/orders").headers["www-authenticate"] == "Bearer"
        for scope, missing in (("", "orders:write"), ("orders:write", "admin")):
            answer = http.post("/orders", headers=bearer(idp.issue(scope=scope)))
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
            assert answer.headers["content-type"] == "application/problem+json"
            challenge = f'Bearer error="insufficient_scope", scope="{missing}"'
            assert answer.headers["www-authenticate"] == challenge
        answer = http.post("/orders", headers=bearer(idp.issue(scope="orders:write admin")))
        assert (answer.status_code, answer.text) == (201, "u1")


def test_the_decorator_with_a_client_does_not_protect_a_websocket(idp):
    """A handshake's token cannot be removed from Litestar's WebSocket, so an error says that it is not a connection."""

    @websocket("/live")
    @decorators.requires(client=idp.async_client())
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()

    raised: list[str] = []

    def note(error: Exception, _scope: object) -> None:
        raised.append(str(error))

    app = Litestar([live], openapi_config=None, logging_config=None, after_exception=[note])
    with (
        TestClient(app) as http,
        pytest.raises(WebSocketDisconnect),
        http.websocket_connect("/live", headers=bearer(idp.issue())),
    ):
        pass
    assert "was given no connection" in raised[0]


def test_an_app_does_not_start_under_trio(idp):
    """The start of a server without asyncio fails, with a message that says what to do instead."""
    app = app_of(idp.async_client())

    async def start() -> None:
        async with app.lifespan():
            pass

    with pytest.raises(Exception) as raised:  # a group, or its only error
        trio.run(start)
    assert "use JWKSClient in a thread" in "".join(traceback.format_exception(raised.value))
