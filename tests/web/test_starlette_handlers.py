"""Starlette's handlers, endpoints and own middleware, beyond the table of requests."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from asgi_calls import StandIn, call, client_of, http_scope, ws_scope
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwks_client import ConfigurationError, JWKSClient, JWKSError, TokenError
from jwks_client.asgi import JWKSMiddleware, current_token, get_token
from jwks_client.decorators import requires
from jwks_client.integrations.starlette import JWKSBackend
from jwks_client.providers import Header, Query, Subprotocol
from jwks_client.testing import FakeProvider

CONNECT = {"type": "websocket.connect"}
GONE = {"type": "websocket.disconnect", "code": 1005}


def subject(request: Request) -> PlainTextResponse:
    """Return the token's subject, by both accessors."""
    assert current_token() == get_token(request)
    return PlainTextResponse(get_token(request).subject)


# `requires` with a client.


def test_a_sync_handler_is_protected_in_the_thread_pool(idp):
    """A JWKSClient waits in the handler's thread, never on the event loop."""
    client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=idp.clock)
    threads: list[Any] = []

    @requires("a", client=client)
    def handler(request: Request) -> PlainTextResponse:
        threads.append(threading.current_thread())
        return subject(request)

    app = Starlette(routes=[Route("/", handler)])
    assert call(app, http_scope(idp.issue(sub="u1", scope="a"))).body == b"u1"
    assert threads != [threading.main_thread()]
    refused = call(app, http_scope(idp.issue()))
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_sync_handler_may_require_more(idp):
    """A requirement inside a sync handler is answered; a sync WebSocket handler raises it."""
    client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=idp.clock)

    @requires(client=client)
    def handler(request: Any) -> Any:
        return get_token(request).require("deep")

    assert call(Starlette(routes=[Route("/", handler)]), http_scope(idp.issue())).status == 403
    with pytest.raises(TokenError):
        handler(WebSocket(ws_scope("junk"), call, call))


class Orders(HTTPEndpoint):
    """A class-based endpoint."""

    client: Any = None

    async def get(self, request: Request) -> PlainTextResponse:
        return subject(request)

    def post(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(current_token().subject)


def test_methods_of_an_endpoint_are_protected_individually(idp):
    """Each method of a class-based endpoint has its own requirement."""

    class Endpoint(Orders):
        get = requires("orders:read", client=client_of(idp))(Orders.get)

        @requires(
            "orders:write",
            client=JWKSClient(
                idp.provider, http=httpx.Client(transport=idp.transport), clock=idp.clock
            ),
        )
        def post(self, request: Request) -> PlainTextResponse:
            return super().post(request)

    app = Starlette(routes=[Route("/", Endpoint)])
    reader = idp.issue(sub="u1", scope="orders:read")
    writer = idp.issue(sub="u2", scope="orders:write")
    assert call(app, http_scope(reader)).body == b"u1"
    assert call(app, http_scope(writer)).code == "insufficient_scope"
    assert call(app, http_scope(reader, method="POST")).code == "insufficient_scope"
    assert call(app, http_scope(writer, method="POST"), {"type": "http.request"}).body == b"u2"


def test_an_endpoint_for_websockets_is_protected_where_it_connects(idp):
    """A denied handshake accepts and receives nothing; an accepted one knows its caller."""
    received: list[Any] = []

    class Chat(WebSocketEndpoint):
        encoding = "text"

        @requires("chat", client=client_of(idp))
        async def on_connect(self, websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text(get_token(websocket).subject)

        async def on_receive(self, websocket: WebSocket, data: str) -> None:
            received.append(data)

    app = Starlette(routes=[WebSocketRoute("/", Chat)])
    good = call(app, ws_scope(idp.issue(sub="u1", scope="chat")), CONNECT, GONE)
    assert [message["type"] for message in good.sent] == ["websocket.accept", "websocket.send"]
    assert good.sent[1]["text"] == "u1"
    bad = call(app, ws_scope(idp.issue()), CONNECT, GONE)
    assert bad.sent[0]["type"] == "websocket.http.response.start"
    assert (bad.status, bad.code) == (403, "insufficient_scope")
    closed = call(app, ws_scope(idp.issue(), extensions=None), CONNECT, GONE)
    assert closed.sent == [{"type": "websocket.close", "code": 1008}]
    assert received == []


def test_a_subprotocol_is_accepted_for_an_endpoint_for_websockets(idp):
    """The endpoint's socket counts, not the endpoint's own scope."""

    class Chat(WebSocketEndpoint):
        @requires(client=client_of(idp), locations=[Subprotocol("bearer")])
        async def on_connect(self, websocket: WebSocket) -> None:
            await websocket.accept()

    app = Starlette(routes=[WebSocketRoute("/", Chat)])
    scope = ws_scope(subprotocols=["bearer", idp.issue()])
    assert call(app, scope, CONNECT, GONE).sent[0]["subprotocol"] == "bearer"


def test_an_accepted_websocket_gets_no_second_response(idp):
    """A refusal after the accept closes the WebSocket with 1008."""

    @requires(client=client_of(idp))
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        get_token(websocket).require("deep")

    app = Starlette(routes=[WebSocketRoute("/", socket)])
    sent = call(app, ws_scope(idp.issue()), CONNECT).sent
    assert sent[1:] == [{"type": "websocket.close", "code": 1008}]


def test_a_handshake_s_token_is_hidden_from_the_handler(idp):
    """A handshake's token is not in headers, query, URL or subprotocols, even if the app read them before."""
    seen: list[str] = []
    token = idp.issue()

    @requires(client=client_of(idp), locations=[Query("access_token"), Subprotocol("bearer")])
    async def socket(websocket: WebSocket) -> None:
        seen.append(
            f"{websocket.query_params} {websocket.url} {websocket.headers} {websocket.scope}"
        )
        await websocket.accept()

    async def looks_before(websocket: WebSocket) -> None:
        assert token in f"{websocket.query_params} {websocket.url} {websocket.headers}"
        await socket(websocket)

    app = Starlette(routes=[WebSocketRoute("/", looks_before)])
    scope = ws_scope(query_string=f"access_token={token}&x=1".encode())
    assert call(app, scope, CONNECT).sent[0]["type"] == "websocket.accept"
    offered = f"bearer, {token}"
    scope = ws_scope(subprotocols=offered.split(", "))
    scope["headers"].append((b"sec-websocket-protocol", offered.encode()))
    assert call(app, scope, CONNECT).sent[0]["subprotocol"] == "bearer"
    assert len(seen) == 2
    assert "x=1" in seen[0]
    assert not any(token in one for one in seen)


# With Starlette's own authentication.


def test_starlette_s_own_decorator_works_under_the_middleware(idp):
    """``starlette.authentication.requires`` reads the scopes and the user that the middleware sets."""

    @starlette_requires(["authenticated", "orders:read"])
    async def handler(request: Request) -> JSONResponse:
        user = request.user
        return JSONResponse([user.is_authenticated, user.identity, user.display_name])

    @starlette_requires("orders:read", status_code=404)
    async def hidden(request: Request) -> None:
        raise AssertionError

    # Starlette's own backends use "authenticated" as a scope.
    app = JWKSMiddleware(
        Starlette(routes=[Route("/", handler), Route("/hidden", hidden)]),
        client_of(idp),
        warm_up=None,
    )
    good = idp.issue(sub="u1", scope="authenticated orders:read", name="Una")
    assert call(app, http_scope(good)).body == b'[true,"u1","Una"]'
    assert call(app, http_scope(idp.issue())).status == 403
    assert call(app, http_scope(idp.issue(), "/hidden")).status == 404


def behind_backend(backend: JWKSBackend, *routes: Any) -> Starlette:
    """Return an app under Starlette's own middleware."""
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)
        ],
        exception_handlers={JWKSError: backend.answer},
    )


def test_a_backend_identifies_the_user_for_starlette(idp):
    """The user has the token, which get_token finds as well, and the scopes are Starlette's."""

    async def handler(request: Request) -> JSONResponse:
        assert get_token(request) is request.user.token
        return JSONResponse([request.user.display_name, request.auth.scopes])

    app = behind_backend(JWKSBackend(client_of(idp)), Route("/", handler))
    good = call(app, http_scope(idp.issue(sub="u1", scope="b a")))
    assert good.body == b'["u1",["a","authenticated","b"]]'


def test_a_backend_admits_anonymous_requests(idp):
    """With optional=True Starlette's anonymous user stays, and a bad token is still refused."""

    async def handler(request: Request) -> JSONResponse:
        return JSONResponse([request.user.is_authenticated, get_token(request) is None])

    @requires("a")
    async def protected(request: Request) -> None:
        raise AssertionError

    backend = JWKSBackend(client_of(idp), optional=True, realm="api")
    app = behind_backend(
        backend, Route("/", handler), Mount("/sub", routes=[Route("/x", protected)])
    )
    assert call(app, http_scope()).body == b"[false,true]"
    assert call(app, http_scope("junk")).code == "malformed_token"
    refused = call(app, http_scope(path="/sub/x"))
    assert (refused.status, refused.code) == (401, "missing_credentials")
    assert refused.headers["www-authenticate"] == 'Bearer realm="api"'


def test_a_backend_closes_a_handshake_that_it_refuses(idp):
    """Starlette's middleware can only close; an error inside the endpoint is denied as usual."""
    emitted: list[Any] = []

    async def socket(websocket: WebSocket) -> None:
        get_token(websocket).require("chat")

    async def accepts(websocket: WebSocket) -> None:
        await websocket.accept()
        get_token(websocket).require("chat")

    client = client_of(idp, listeners=[emitted.append])
    app = behind_backend(
        JWKSBackend(client), WebSocketRoute("/", socket), WebSocketRoute("/accepts", accepts)
    )
    assert call(app, ws_scope()).sent == [{"type": "websocket.close", "code": 1000}]
    assert [event.code for event in emitted] == ["missing_credentials"]
    denied = call(app, ws_scope(idp.issue()), CONNECT)
    assert (denied.status, denied.code) == (403, "insufficient_scope")
    closed = call(app, ws_scope(idp.issue(), "/accepts"), CONNECT)
    assert closed.sent[1:] == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("place", [Query("access_token"), Subprotocol("bearer")])
def test_a_backend_refuses_locations_that_it_cannot_clear(idp, place):
    """A token in a handshake's query or subprotocol would be visible to the app, so these locations are refused."""
    with pytest.raises(ConfigurationError) as caught:
        JWKSBackend(client_of(idp), locations=[Header("Authorization", scheme="Bearer"), place])
    assert caught.value.field == "locations"


def test_a_backend_answers_no_foreign_errors(idp):
    """Foreign errors are raised."""
    backend = JWKSBackend(client_of(idp))
    conn = HTTPConnection(http_scope())
    with pytest.raises(AuthenticationError):
        backend.on_error(conn, AuthenticationError("x"))
    with pytest.raises(KeyError):
        asyncio.run(backend.answer(conn, KeyError("x")))


def test_a_wrong_setting_of_a_client_is_not_answered(idp):
    """A ConfigurationError is a bug of the application, so it is raised and not answered with 401."""

    class Broken(StandIn):
        async def verify(self, token: str, *, provider: str | None = None) -> Any:
            raise ConfigurationError("x", "y")

    async def handler(request: Request) -> None:
        raise AssertionError

    app = behind_backend(JWKSBackend(Broken()), Route("/", handler))
    with pytest.raises(AuthenticationError):
        call(app, http_scope("token"))


# Two event loops, and missing extras.


def test_an_app_serves_event_loops_in_turn():
    """An app that runs twice fetches in each loop, and hangs in neither."""
    idp = FakeProvider(issuer=None)

    @requires("a")
    async def handler(request: Request) -> PlainTextResponse:
        return subject(request)

    from jwks_client import AsyncJWKSClient

    with idp.serve():
        client = AsyncJWKSClient(idp.provider)
        app = JWKSMiddleware(Starlette(routes=[Route("/", handler)]), client, warm_up=None)
        for name in ("u1", "u2"):
            assert call(app, http_scope(idp.issue(sub=name, scope="a"))).body == name.encode()
            idp.rotate()
    assert idp.fetches == 2


def without(module: str) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run code in an interpreter where a module is not installed."""
    block = (
        "import sys\n"
        "class Nowhere:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Nowhere())\n"
    )
    return lambda code: subprocess.run(
        [sys.executable, "-c", block + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_decorators_and_the_seam_need_no_framework():
    """Without Starlette and FastAPI, `requires` works for ASGI apps and consumers."""
    code = (
        "import asyncio, jwks_client.integrations\n"
        "from jwks_client import AsyncJWKSClient, providers\n"
        "from jwks_client.decorators import requires\n"
        "client = AsyncJWKSClient(providers.stytch('project-test-1'))\n"
        "@requires(client=client)\n"
        "async def app(scope, receive, send): raise AssertionError\n"
        "async def send(message): print(message.get('status'))\n"
        "scope = {'type': 'http', 'method': 'GET', 'path': '/', 'headers': []}\n"
        "asyncio.run(app(scope, send, send))\n"
        "print('starlette' in sys.modules)\n"
    )
    ended = without("starlette")(code)
    assert (ended.stdout, ended.stderr) == ("401\nNone\nFalse\n", "")
