"""The ASGI middleware, called without a server."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from asgi_calls import (
    PATIENCE,
    Call,
    StandIn,
    call,
    client_of,
    fine,
    http_scope,
    raising,
    ws_scope,
)

from jwks_client import JWKSClient
from jwks_client.asgi import JWKSMiddleware, current_token, get_token
from jwks_client.decorators import requires
from jwks_client.errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)
from jwks_client.providers import Cookie, Header, Query, Subprotocol

START = {"type": "http.response.start", "status": 200, "headers": []}
FAILED = {"type": "http.response.start", "status": 500, "headers": []}
BODY = {"type": "http.response.body", "body": b"oops"}


def seeing(app_sees: list[Any]) -> Any:
    """Return an app that records the scope it is called with."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        app_sees.append((scope, receive, send))
        await fine(scope, receive, send)

    return app


# Scopes and messages that pass through.


def test_other_scopes_pass_through(idp):
    """A scope of another kind reaches the app unchanged, as the same objects."""
    seen: list[Any] = []
    app = JWKSMiddleware(seeing(seen), client_of(idp))
    scope = {"type": "webtransport", "status": 0}
    one = Call()
    asyncio.run(one.to(app, scope))
    assert seen[0][0] is scope
    assert seen[0][1:] == (one.receive, one.send)


def test_the_body_and_the_server_s_scope_are_not_touched(idp):
    """The app gets the server's own receive, and the server's scope is not changed."""
    seen: list[Any] = []
    app = JWKSMiddleware(seeing(seen), client_of(idp))
    scope = http_scope(idp.issue())
    before = dict(scope)
    one = Call()
    asyncio.run(one.to(app, scope))
    assert one.body == b"fine"
    assert seen[0][1] == one.receive
    assert scope == before
    assert scope["headers"] is seen[0][0]["headers"]


def test_no_task_is_started_for_a_request(idp):
    """With keys cached, a request is served in the task in which the server called."""
    counted: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        counted.append(len(asyncio.all_tasks()))
        await fine(scope, receive, send)

    async def story() -> None:
        client = client_of(idp)
        await client.warm_up()
        one = Call()
        protected = JWKSMiddleware(app, client, warm_up=None)
        await protected(http_scope(idp.issue()), one.receive, one.send)

    asyncio.run(story())
    assert counted == [1]


def test_the_app_finds_token_user_and_permissions(idp):
    """get_token, scope["user"] and scope["auth"] identify the caller, as Starlette's own middleware would."""
    seen: list[Any] = []
    app = JWKSMiddleware(seeing(seen), client_of(idp))
    call(app, http_scope(idp.issue(sub="u7", scope="b a", name="Ada")))
    scope = seen[0][0]
    token = get_token(scope)
    assert token is not None
    assert (token.subject, token.raw.count(".")) == ("u7", 2)
    assert scope["auth"].scopes == ["a", "authenticated", "b"], (
        "as Starlette's own requires expects"
    )
    user = scope["user"]
    assert (user.is_authenticated, user.identity, user.display_name) == (True, "u7", "Ada")
    call(app, http_scope(idp.issue(sub=None, name=7, preferred_username="ada")))
    assert (seen[1][0]["user"].identity, seen[1][0]["user"].display_name) == ("", "ada")
    call(app, http_scope(idp.issue(sub="u7")))
    assert seen[2][0]["user"].display_name == "u7"


def test_an_anonymous_request_has_an_anonymous_user(idp):
    """If credentials are optional or not needed, the same names exist and describe an anonymous user."""
    seen: list[Any] = []
    client = client_of(idp)
    call(JWKSMiddleware(seeing(seen), client, optional=True), http_scope())
    call(JWKSMiddleware(seeing(seen), client, exclude=["/"]), http_scope())
    call(JWKSMiddleware(seeing(seen), client, exclude=["/"]), ws_scope())
    for scope, _, _ in seen:
        assert get_token(scope) is None
        assert scope["auth"].scopes == []
        user = scope["user"]
        assert (user.is_authenticated, user.identity, user.display_name) == (False, "", "")


def test_starlette_s_own_requires_works_under_the_middleware(idp):
    """A handler with starlette.authentication.requires is called for a token with the scopes."""
    applications = pytest.importorskip("starlette.applications")
    from starlette.authentication import requires
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    @requires("orders:read")
    async def orders(request: Any) -> Any:
        return PlainTextResponse(request.user.identity)

    app = applications.Starlette(routes=[Route("/", orders)])
    app.add_middleware(JWKSMiddleware, client=client_of(idp), optional=True)
    assert call(app, http_scope(idp.issue(scope="orders:read"))).body == b"u1"
    assert call(app, http_scope(idp.issue())).status == 403
    assert call(app, http_scope()).status == 403


def test_get_token_accepts_a_scope_or_an_object_with_one(idp):
    """get_token accepts a scope, or a request that has one, even if it also has ``META``, as Django's do under ASGI."""

    class Request:
        def __init__(self, scope: Any) -> None:
            self.scope = scope
            self.META = {}

    seen: list[Any] = []
    call(JWKSMiddleware(seeing(seen), client_of(idp)), http_scope(idp.issue()))
    scope = seen[0][0]
    assert get_token(Request(scope)) is get_token(scope)
    assert get_token({}) is None
    assert get_token({"jwks_client.token": "forged"}) is None
    for wrong in (None, "x", object()):
        with pytest.raises(TypeError):
            get_token(wrong)


def test_the_current_token_is_the_request_s_in_threads_too(idp):
    """current_token() is right in the handler, in its threads and tasks, and gone afterwards."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.extend(
            [
                current_token(),
                await asyncio.to_thread(current_token),
                await asyncio.create_task(_asked()),
            ]
        )
        await fine(scope, receive, send)

    async def _asked() -> Any:
        return current_token()

    async def story() -> None:
        protected = JWKSMiddleware(app, client_of(idp))
        for sub in ("u1", "u2"):
            # Not a new task: a token left behind would be visible here.
            await protected(http_scope(idp.issue(sub=sub)), Call().receive, Call().send)
            assert current_token() is None
        failing = JWKSMiddleware(raising(ValueError()), client_of(idp))
        with pytest.raises(ValueError):
            await failing(http_scope(idp.issue()), Call().receive, Call().send)
        assert current_token() is None

    asyncio.run(story())
    assert [token.subject for token in found] == ["u1"] * 3 + ["u2"] * 3


def test_concurrent_requests_have_their_own_current_token(idp):
    """Two concurrent requests do not see each other's token."""
    found: dict[str, str] = {}

    async def story() -> None:
        both_in = asyncio.Barrier(2)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await both_in.wait()
            found[scope["path"]] = current_token().subject
            await fine(scope, receive, send)

        protected = JWKSMiddleware(app, client_of(idp))
        await asyncio.gather(
            Call().to(protected, http_scope(idp.issue(sub="a"), "/a")),
            Call().to(protected, http_scope(idp.issue(sub="b"), "/b")),
        )

    asyncio.run(story())
    assert found == {"/a": "a", "/b": "b"}


def test_a_middleware_may_serve_in_several_loops_in_turn(idp):
    """Keys fetched in one loop are used in the next, as async_to_sync creates a loop per call."""
    app = JWKSMiddleware(fine, client_of(idp))
    assert call(app, http_scope(idp.issue())).status == 200
    assert call(app, http_scope(idp.issue())).status == 200
    assert idp.fetches == 1
    idp.rotate()
    assert call(app, http_scope(idp.issue())).status == 200


def test_an_outer_middleware_s_token_stays_where_none_is_required(idp):
    """On an excluded path the token of an outer middleware is still there."""
    seen: list[Any] = []
    inner = JWKSMiddleware(seeing(seen), client_of(idp), exclude=["/"])
    call(JWKSMiddleware(inner, client_of(idp)), http_scope(idp.issue()))
    assert get_token(seen[0][0]) is not None
    inner = JWKSMiddleware(seeing(seen), client_of(idp), optional=True)
    call(JWKSMiddleware(inner, client_of(idp)), http_scope(idp.issue()))
    assert get_token(seen[1][0]) is not None


def test_the_innermost_middleware_decides_the_token(idp):
    """An outer middleware's token does not count for an inner middleware."""
    seen: list[Any] = []
    inner = JWKSMiddleware(
        seeing(seen), client_of(idp), optional=True, locations=[Cookie("session")]
    )
    call(JWKSMiddleware(inner, client_of(idp)), http_scope(idp.issue()))
    assert get_token(seen[0][0]) is None
    assert not seen[0][0]["user"].is_authenticated


# Paths.


@pytest.mark.parametrize(
    ("path", "root_path", "is_open"),
    [
        ("/health", "", True),
        ("/api/health", "/api", True),
        ("/health", "/api", True),
        ("/apihealth", "/api", False),
        ("/api", "/api", False),
        ("/other/health", "/api", False),
        ("/api/api/health", "/api", False),
    ],
)
def test_exclude_compares_the_path_that_the_app_routes_by(idp, path, root_path, is_open):
    """An app's mount point is not part of the compared path, whether or not the server leaves it in."""
    app = JWKSMiddleware(fine, client_of(idp), exclude=["/health", re.compile("health")])
    scope = http_scope(None, path, root_path=root_path)
    assert call(app, scope).status == (200 if is_open else 401)


def test_a_mounted_app_excludes_its_own_paths(idp):
    """Under Starlette's Mount the compared path is the mounted app's own."""
    applications = pytest.importorskip("starlette.applications")
    from starlette.routing import Mount

    protected = JWKSMiddleware(fine, client_of(idp), exclude=["/health"])
    app = applications.Starlette(routes=[Mount("/api", app=protected)])
    assert call(app, http_scope(None, "/api/health")).status == 200
    assert call(app, http_scope(None, "/api/orders")).status == 401
    assert call(app, http_scope(None, "/api/api/health")).status == 401


def test_a_handshake_is_excluded_by_its_path_and_never_by_a_method(idp):
    """A pattern for GET does not exclude a WebSocket handshake."""
    app = JWKSMiddleware(fine, client_of(idp), exclude=["/open", "GET /feed"])
    assert call(app, ws_scope(None, "/open")).sent == [{"type": "websocket.accept"}]
    assert call(app, ws_scope(None, "/feed")).status == 401
    assert call(app, http_scope(None, "/feed")).status == 200


def test_an_excluded_handshake_hides_its_token_from_the_app(idp):
    """A page that offers its token everywhere does not show it to an open path's app or its log."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "websocket.accept"})

    token = idp.issue()
    places = [
        Header("Authorization", scheme="Bearer"),
        Subprotocol("bearer"),
        Query("access_token"),
    ]
    protected = JWKSMiddleware(app, client_of(idp), locations=places, exclude=["/open"])
    offered = ws_scope(
        None,
        "/open",
        headers=[(b"sec-websocket-protocol", f"bearer, {token}, chat".encode())],
        subprotocols=["bearer", token, "chat"],
        query_string=f"x=1;access_token={token}&y=2".encode(),
    )
    accepted = {"type": "websocket.accept", "subprotocol": "bearer"}
    assert call(protected, offered).sent == [accepted]
    assert token not in repr(seen)
    assert (seen[0]["subprotocols"], seen[0]["query_string"]) == (["bearer", "chat"], b"x=1&y=2")
    plain = ws_scope(None, "/open", subprotocols=["bearer", "chat"])
    assert call(protected, plain).sent == [{"type": "websocket.accept"}]
    assert seen[1]["subprotocols"] == ["bearer", "chat"], "what is not a token is the app's"


@pytest.mark.parametrize("excluded", [True, False])
def test_nested_middlewares_each_judge_a_handshake(idp, excluded):
    """The outer middleware removes the token, excluded path or not, so the inner one finds none."""
    places = [Subprotocol("bearer")]
    inner = JWKSMiddleware(fine, client_of(idp), locations=places)
    outer = JWKSMiddleware(
        inner, client_of(idp), locations=places, exclude=["/"] if excluded else []
    )
    offered = ws_scope(None, subprotocols=["bearer", idp.issue()])
    # A marker without a token is left.
    assert call(outer, offered).code == "invalid_request"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_behind_tls_counts_for_its_own_origin(idp, scheme):
    """If a proxy ends TLS, the server sees http while the page's Origin is https; a downgrade is foreign."""
    app = JWKSMiddleware(fine, client_of(idp), locations=[Cookie("session")])
    for origin, status in ((b"https://api.test", 200), (b"http://api.test", None)):
        headers = [
            (b"host", b"api.test"),
            (b"cookie", b"session=" + idp.issue().encode()),
            (b"origin", origin),
        ]
        asked = http_scope(method="POST", headers=headers, scheme=scheme)
        expected = status or (401 if scheme == "https" else 200)
        assert call(app, asked).status == expected


def test_the_record_of_a_cross_site_cookie_names_the_settings(idp, caplog):
    """The log record names ``trusted_origins`` and the server's forwarded-headers setting, the likely causes behind a proxy."""
    caplog.set_level(logging.INFO, logger="jwks_client.requests")
    app = JWKSMiddleware(fine, client_of(idp), locations=[Cookie("session")])
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"cookie", b"session=x"),
        (b"origin", b"https://api.test"),
    ]
    assert call(app, http_scope(method="POST", headers=headers)).code == "cross_site_cookie"
    (record,) = caplog.records
    assert "trusted_origins" in record.getMessage()
    assert "--forwarded-allow-ips" in record.getMessage()


PREFLIGHT = [(b"origin", b"https://a.test"), (b"access-control-request-method", b"POST")]
OPEN = {
    "an excluded path": http_scope(None, "/docs/a"),
    "a preflight": http_scope(None, "/orders", method="OPTIONS", headers=PREFLIGHT),
    "an excluded handshake": ws_scope(None, "/docs/a"),
}


@pytest.mark.parametrize("kind", OPEN)
def test_a_handler_may_require_more_than_an_open_path(idp, kind):
    """A handler's requirement on an open path is answered with a refusal and not with a 500."""
    emitted: list[Any] = []
    client = client_of(idp, listeners=[emitted.append])
    handler = requires("orders:read")(fine)
    settings: Any = {"exclude": ["/docs/*"], "preflight": "pass", "warm_up": None}
    app = JWKSMiddleware(handler, client, **settings)
    answer = call(app, OPEN[kind])
    assert (answer.status, emitted[-1].code) == (401, "missing_credentials")
    app = JWKSMiddleware(raising(KeyError("bug")), client, **settings)
    with pytest.raises(KeyError):
        call(app, OPEN[kind])
    assert current_token() is None


# Errors of this library from inside the app.

OURS = [
    (TokenError("token_expired", "m"), 401),
    (InsufficientScopeError(["a"]), 403),
    (KeysUnavailableError("fetch_failed", "m", retry_after=5), 503),
    (CredentialsError("invalid_request", "m"), 400),
    (CredentialsError("missing_credentials", "m"), 401),
]


@pytest.mark.parametrize(("error", "status"), OURS)
@pytest.mark.parametrize("before", [(), (FAILED, BODY), (FAILED,)])
def test_an_error_from_inside_the_app_is_answered(idp, error, status, before):
    """An error that an app raises is answered, even if a framework sends its plain 500 before raising it on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise error
        except JWKSError:
            for message in before:
                await send(message)
            raise

    answered = call(JWKSMiddleware(app, client_of(idp)), http_scope(idp.issue()))
    assert (answered.status, answered.code) == (status, error.code)
    assert len(answered.sent) == 2


@pytest.mark.parametrize(("error", "status"), OURS)
def test_an_error_from_inside_starlette_is_answered(idp, error, status):
    """Starlette's outermost layer answers 500 and raises on; the error's own answer is sent instead."""
    applications = pytest.importorskip("starlette.applications")
    from starlette.routing import Route

    async def handler(request: Any) -> Any:
        raise error

    app = JWKSMiddleware(applications.Starlette(routes=[Route("/", handler)]), client_of(idp))
    answered = call(app, http_scope(idp.issue()))
    assert (answered.status, answered.code) == (status, error.code)


@pytest.mark.parametrize("begun", [(START,), (START, BODY), ({**FAILED, "status": 501},)])
def test_an_error_after_the_response_began_is_raised(idp, begun):
    """An error after the response began is raised to the server, because a request has one response."""
    error = TokenError("token_expired", "m")
    one = Call()
    with pytest.raises(TokenError):
        asyncio.run(
            one.to(JWKSMiddleware(raising(error, *begun), client_of(idp)), http_scope(idp.issue()))
        )
    assert one.sent == list(begun)


@pytest.mark.parametrize(
    "error", [ConfigurationError("x", "m"), ValueError("theirs"), JWKSError("x", "m")]
)
@pytest.mark.parametrize("before", [(), (FAILED, BODY), (START,)])
def test_other_errors_are_left_to_the_server(idp, error, before):
    """A ConfigurationError and the app's own errors are raised to the server, with the 500 sent."""
    one = Call()
    with pytest.raises(type(error)):
        asyncio.run(
            one.to(JWKSMiddleware(raising(error, *before), client_of(idp)), http_scope(idp.issue()))
        )
    assert one.sent == list(before)


def test_a_500_of_the_app_s_own_is_sent(idp):
    """A 500 of the app's own is sent unchanged, whole or in pieces."""

    def sending(*messages: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)

        return app

    more = {**BODY, "more_body": True}
    for messages in [(FAILED, BODY), (FAILED, more, BODY), (FAILED, more, more, BODY)]:
        app = JWKSMiddleware(sending(*messages), client_of(idp))
        assert call(app, http_scope(idp.issue())).sent == list(messages)


def test_a_streamed_500_is_not_held_back(idp):
    """Each message of a streamed 500 is sent at once, and an error after it is raised."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(FAILED)
        assert one.sent == [FAILED]
        await send({**BODY, "more_body": True})
        assert one.sent == [FAILED, {**BODY, "more_body": True}]
        raise TokenError("token_expired", "m")

    one = Call()
    with pytest.raises(TokenError):
        asyncio.run(one.to(JWKSMiddleware(app, client_of(idp)), http_scope(idp.issue())))


def test_messages_before_a_response_do_not_begin_it(idp):
    """An early hint, or a message for tests, does not prevent the answer to an error."""
    hint = {"type": "http.response.early_hint", "links": []}
    debug = {"type": "http.response.debug", "info": {}}
    app = JWKSMiddleware(raising(InsufficientScopeError("a"), debug, hint), client_of(idp))
    sent = call(app, http_scope(idp.issue())).sent
    assert sent[:2] == [debug, hint]
    assert sent[2]["status"] == 403


# WebSockets.


def test_a_handshake_is_denied_with_a_response_where_the_server_can_send_it(idp):
    """The ASGI denial response carries status, challenge and problem."""
    denied = call(JWKSMiddleware(fine, client_of(idp)), ws_scope())
    assert [message["type"] for message in denied.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert (denied.status, denied.code) == (401, "missing_credentials")
    assert denied.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("extensions", [{}, None, {"websocket.http.responses": {}}])
def test_a_handshake_is_closed_with_1008_elsewhere(idp, extensions):
    """A server without denial responses gets a close before the accept, which it answers with 403."""
    denied = call(JWKSMiddleware(fine, client_of(idp)), ws_scope(extensions=extensions))
    assert denied.sent == [{"type": "websocket.close", "code": 1008}]
    scope = ws_scope()
    del scope["extensions"]
    assert call(JWKSMiddleware(fine, client_of(idp)), scope).sent == denied.sent


def test_an_error_before_the_accept_denies_the_handshake(idp):
    """Before the accept an error denies the handshake; after it the connection is closed with 1008."""
    error = InsufficientScopeError("a")
    accept = {"type": "websocket.accept"}
    denied = call(JWKSMiddleware(raising(error), client_of(idp)), ws_scope(idp.issue()))
    assert (denied.status, denied.code) == (403, "insufficient_scope")
    closed = call(JWKSMiddleware(raising(error, accept), client_of(idp)), ws_scope(idp.issue()))
    assert closed.sent == [accept, {"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("as_header", [True, False])
@pytest.mark.parametrize(("chosen", "accepted"), [(None, "bearer"), ("chat", "chat")])
def test_the_marker_is_echoed_unless_the_app_chooses(idp, as_header, chosen, accepted):
    """A browser fails if no offered subprotocol comes back, so the marker is echoed; the token is never shown."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "websocket.accept", "subprotocol": chosen})
        await send({"type": "websocket.send", "text": "hello"})

    token = idp.issue()
    scope = ws_scope(subprotocols=["bearer", token, "chat"])
    if as_header:  # some servers leave only the list
        scope["headers"].append((b"sec-websocket-protocol", f"bearer, {token}, chat".encode()))
    protected = JWKSMiddleware(app, client_of(idp), locations=[Subprotocol("bearer")])
    sent = call(protected, scope).sent
    assert sent[0] == {"type": "websocket.accept", "subprotocol": accepted}
    assert sent[1] == {"type": "websocket.send", "text": "hello"}
    assert seen[0]["subprotocols"] == ["bearer", "chat"]
    assert token not in str(seen[0])
    assert token in scope["subprotocols"], "the server's own scope is left alone"


# Fetches that take time.


def test_a_request_cancelled_during_a_fetch_cancels_nothing_else(idp):
    """A request cancelled during a fetch sends nothing, and the fetch ends for later requests."""

    async def story() -> None:
        app = JWKSMiddleware(fine, client_of(idp))
        one, two = Call(), Call()
        with idp.hold() as held:
            task = asyncio.create_task(one.to(app, http_scope(idp.issue())))
            await held.wait_async()
            task.cancel()
            await asyncio.wait([task], timeout=PATIENCE)
            assert task.cancelled()
            assert one.sent == []
        await two.to(app, http_scope(idp.issue()))
        assert two.status == 200
        assert idp.fetches == 1

    asyncio.run(story())


# Settings.


def test_the_sync_client_is_refused_at_once(idp):
    """A sync client would block the event loop, so it is refused when the middleware is made."""
    for wrong in (JWKSClient(idp.provider), object(), None, "client", AsyncNothing):
        with pytest.raises(ConfigurationError) as caught:
            JWKSMiddleware(fine, wrong)
        assert caught.value.field == "client"
    JWKSMiddleware(fine, StandIn())


class AsyncNothing:
    verify = None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("optional", 1),
        ("exclude", "/health"),
        ("exclude", ["health"]),
        ("locations", ()),
        ("locations", "Authorization"),
        ("realm", "a\nb"),
        ("on_error", "x"),
        ("on_error", fine),
        ("resource_metadata", "/metadata"),
        ("trusted_origins", ["*"]),
        ("warm_up", "yes"),
        ("warm_up", True),
        ("close_client", None),
    ],
)
def test_settings_are_checked_when_the_middleware_is_made(idp, setting, value):
    """Each wrong value is a ConfigurationError that names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        JWKSMiddleware(fine, client_of(idp), **{setting: value})
    assert caught.value.field == setting
