"""CORS preflights: refused by default in every framework, and what ``preflight="pass"`` opens."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
from typing import Any

import pytest
from asgi_calls import Call, call, client_of, fine, http_scope
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar, route
from quart import Quart
from small_django import asgi_app, ran_in_django, wsgi_app
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from test_wsgi_middleware import Called, environ_of
from test_wsgi_middleware import client_of as sync_client_of

from jwks_client._web import refusal_log
from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.decorators import requires
from jwks_client.errors import ConfigurationError
from jwks_client.providers import Cookie, Header, Query
from jwks_client.wsgi import JWKSMiddleware as WSGIMiddleware
from jwks_client.wsgi import get_token as get_wsgi_token

ORIGIN, ASKED = (b"origin", b"https://app.test"), (b"access-control-request-method", b"POST")
BROWSER = {"HTTP_ORIGIN": "https://app.test", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}


def preflight(*more: tuple[bytes, bytes], path: str = "/reset", **members: Any) -> dict[str, Any]:
    """Return the scope of a preflight with extra headers."""
    headers = [(b"host", b"api.test"), ORIGIN, ASKED, *more]
    return http_scope(None, path, method="OPTIONS", headers=headers, **members)


# Denied by default.


def starlette_app(ran: list[str]) -> Any:
    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            ran.append("an ASGI endpoint")
            await JSONResponse({})(scope, receive, send)

    return Starlette(routes=[Route("/reset", Endpoint()), Mount("/mounted", Endpoint())])


def fastapi_app(ran: list[str]) -> Any:
    app = FastAPI()

    @app.api_route("/reset", methods=["POST", "OPTIONS"])
    async def reset() -> dict[str, str]:
        ran.append("a FastAPI route")
        return {}

    return app


def litestar_app(ran: list[str]) -> Any:
    @route("/reset", http_method=["POST", "OPTIONS"])
    async def reset() -> None:
        ran.append("a Litestar route")

    return Litestar([reset], logging_config=None)


def quart_app(ran: list[str]) -> Any:
    app = Quart("preflights")

    @app.route("/reset", methods=["POST", "OPTIONS"])
    async def reset() -> str:
        ran.append("a Quart route")
        return ""

    return app


def flask_app(ran: list[str]) -> Any:
    app = Flask("preflights")

    @app.route("/reset", methods=["POST", "OPTIONS"])
    def reset() -> str:
        ran.append("a Flask route")
        return ""

    return app.wsgi_app


@pytest.mark.parametrize("path", ["/reset", "/mounted/x"])
@pytest.mark.parametrize("make", [starlette_app, fastapi_app, litestar_app, quart_app])
def test_no_handler_of_an_asgi_framework_runs_without_a_token(idp, make, path):
    """An OPTIONS request without credentials reaches no handler: anyone can send one, and handlers have effects."""
    ran: list[str] = []
    app = JWKSMiddleware(make(ran), client_of(idp))
    assert call(app, preflight(path=path)).code == "missing_credentials"
    assert ran == []


def test_no_handler_of_a_wsgi_framework_runs_without_a_token(idp):
    """Flask routes that list OPTIONS, and Django's function views for every method, do not run without a token."""
    ran: list[str] = []
    for app in (flask_app(ran), wsgi_app()):
        protected = WSGIMiddleware(app, sync_client_of(idp), warm_up=None)
        asked = environ_of(None, "/reset", REQUEST_METHOD="OPTIONS", **BROWSER)
        assert Called(protected, asked).code == "missing_credentials"
    refused = call(JWKSMiddleware(asgi_app(), client_of(idp)), preflight())
    assert refused.code == "missing_credentials"
    assert ran == ran_in_django == []


def test_a_preflight_with_a_token_is_verified_like_any_request(idp):
    """A client that is not a browser may send a token with a preflight, and the token is verified."""
    token = (b"authorization", f"Bearer {idp.issue()}".encode())
    app = JWKSMiddleware(fine, client_of(idp))
    assert call(app, preflight(token)).status == 200
    bad = (b"authorization", b"Bearer junk")
    assert call(app, preflight(bad)).code == "malformed_token"


def test_cors_middleware_outside_answers_preflights(idp):
    """With CORS middleware outside, as every framework page shows it, a browser's preflight is answered."""
    protected = JWKSMiddleware(fine, client_of(idp))
    app = CORSMiddleware(
        protected,
        allow_origins=["https://app.test"],
        allow_methods=["POST"],
        allow_headers=["Authorization"],
        allow_credentials=True,
    )
    answer = call(app, preflight())
    assert (answer.status, answer.headers["access-control-allow-credentials"]) == (200, "true")
    refused = call(app, http_scope(headers=[ORIGIN]))
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (
        401,
        "https://app.test",
    )


def test_the_first_refused_preflight_is_logged_with_the_fix(idp, monkeypatch, caplog):
    """The record is at WARNING, once per process, and is the refusal's only record."""
    monkeypatch.setattr(refusal_log, "_preflights", itertools.count())
    caplog.set_level(logging.INFO, logger="jwks_client.requests")
    app = JWKSMiddleware(fine, client_of(idp))
    wsgi = WSGIMiddleware(lambda environ, start: [], sync_client_of(idp), warm_up=None)
    call(app, http_scope(method="OPTIONS"))
    call(app, preflight())
    call(app, preflight())
    Called(wsgi, environ_of(REQUEST_METHOD="OPTIONS", **BROWSER))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "WARNING", "INFO", "INFO"]
    assert "put the CORS middleware outside JWKSMiddleware" in caplog.records[1].getMessage()


def test_the_first_refused_preflight_is_logged_over_wsgi_too(idp, monkeypatch, caplog):
    """The record needs no logging configuration."""
    monkeypatch.setattr(refusal_log, "_preflights", itertools.count())
    app = WSGIMiddleware(lambda environ, start: [], sync_client_of(idp), warm_up=None)
    Called(app, environ_of(REQUEST_METHOD="OPTIONS", **BROWSER))
    (record,) = caplog.records
    assert record.levelname == "WARNING"


# preflight="pass".

LOCATIONS = (Header("X-Token"), Cookie("session"), Query("access_token"))


def test_a_preflight_that_passes_shows_the_app_no_credentials(idp):
    """The app sees neither Cookie, nor Authorization, nor any configured location, however good the token is."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, get_token(scope), scope["user"].is_authenticated))
        await fine(scope, receive, send)

    token = idp.issue().encode()
    sent = preflight(
        (b"cookie", b"session=" + token),
        (b"authorization", b"Bearer " + token),
        (b"x-token", token),
        (b"content-length", b"3"),
        (b"transfer-encoding", b"chunked"),
        (b"x-other", b"stays"),
        query_string=b"a=1&access_token=" + token,
    )
    protected = JWKSMiddleware(app, client_of(idp), locations=LOCATIONS, preflight="pass")
    assert call(protected, sent).status == 200
    ((scope, found, authenticated),) = seen
    assert (found, authenticated) == (None, False)
    assert token not in repr(scope).encode()
    assert scope["query_string"] == b"a=1"
    host, other = (b"host", b"api.test"), (b"x-other", b"stays")
    assert scope["headers"] == [host, ORIGIN, ASKED, other, (b"content-length", b"0")]


def test_a_preflight_that_passes_has_no_body(idp):
    """The app reads an empty body, and its next ``receive`` waits for the server's own disconnect."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages = [await receive(), await receive()]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(
            {"type": "http.response.body", "body": json.dumps(messages, default=repr).encode()}
        )

    sent = [
        {"type": "http.request", "body": b"reset", "more_body": True},
        {"type": "http.request", "body": b"me", "more_body": False},
        {"type": "http.disconnect"},
    ]
    protected = JWKSMiddleware(app, client_of(idp), preflight="pass")
    answer = call(protected, preflight(), *sent)
    assert json.loads(answer.body) == [
        {"type": "http.request", "body": "b''", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_a_preflight_that_passes_has_no_credentials_over_wsgi_too(idp):
    """A WSGI app sees no credentials, length, body or token, and the server's own environ is unchanged."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append((environ, get_wsgi_token(environ), environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return [b"fine"]

    token = idp.issue()
    sent = environ_of(
        token,
        REQUEST_METHOD="OPTIONS",
        HTTP_COOKIE=f"session={token}",
        HTTP_X_TOKEN=token,
        HTTP_X_OTHER="stays",
        HTTP_TRANSFER_ENCODING="chunked",
        QUERY_STRING=f"a=1&access_token={token}",
        CONTENT_LENGTH="5",
        **BROWSER,
    ) | {"wsgi.input": io.BytesIO(b"reset")}
    before = dict(sent)
    protected = WSGIMiddleware(
        app, sync_client_of(idp), locations=LOCATIONS, preflight="pass", warm_up=None
    )
    assert Called(protected, sent, checked=False).status == "200 OK"
    ((environ, found, body),) = seen
    assert (found, body, environ["CONTENT_LENGTH"]) == (None, b"", "0")
    assert token not in str(environ)
    assert environ["QUERY_STRING"] == "a=1"
    assert environ["HTTP_X_OTHER"] == "stays"
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert sent == before


NOT_PREFLIGHTS = {
    "no Origin": ("OPTIONS", [ASKED]),
    "no method asked for": ("OPTIONS", [ORIGIN]),
    "an empty Origin": ("OPTIONS", [(b"origin", b" "), ASKED]),
    "two Origins": ("OPTIONS", [ORIGIN, ORIGIN, ASKED]),
    "two methods": ("OPTIONS", [ORIGIN, ASKED, ASKED]),
    "two Origins in one": ("OPTIONS", [(b"origin", b"https://a.test, https://b.test"), ASKED]),
    "two methods in one": ("OPTIONS", [ORIGIN, (ASKED[0], b"GET,POST")]),
    "another method": ("POST", [ORIGIN, ASKED]),
    "a method in lower case": ("options", [ORIGIN, ASKED]),
}


@pytest.mark.parametrize("kind", NOT_PREFLIGHTS)
def test_no_other_request_passes(idp, kind):
    """Only OPTIONS with exactly one Origin and one Access-Control-Request-Method passes, as browsers send it."""
    method, headers = NOT_PREFLIGHTS[kind]
    app = JWKSMiddleware(fine, client_of(idp), preflight="pass")
    assert call(app, http_scope(method=method, headers=headers)).code == "missing_credentials"
    environ = environ_of(REQUEST_METHOD=method)
    for name, value in headers:  # a server joins headers of one name
        key = "HTTP_" + name.decode().upper().replace("-", "_")
        before = [environ[key]] if key in environ else []
        environ[key] = ",".join([*before, value.decode()])
    wsgi = WSGIMiddleware(lambda *_: [], sync_client_of(idp), preflight="pass", warm_up=None)
    assert Called(wsgi, environ, checked=False).code == "missing_credentials"


def test_a_handler_that_requires_a_token_refuses_a_preflight_that_passes(idp):
    """A preflight that passes reaches only handlers that require nothing."""
    app = JWKSMiddleware(requires()(fine), client_of(idp), preflight="pass")
    assert call(app, preflight()).code == "missing_credentials"


def test_nested_middlewares_each_judge_a_preflight(idp):
    """A preflight that the outer middleware passes is denied by the inner one, and an outer token is dropped."""
    inner = JWKSMiddleware(fine, client_of(idp))
    outer = JWKSMiddleware(inner, client_of(idp), preflight="pass")
    assert call(outer, preflight()).code == "missing_credentials"

    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(get_token(scope))
        await fine(scope, receive, send)

    opened = JWKSMiddleware(app, client_of(idp), preflight="pass")
    strict = JWKSMiddleware(opened, client_of(idp))
    token = (b"authorization", f"Bearer {idp.issue()}".encode())
    assert call(strict, preflight(token)).status == 200
    assert seen == [None]


@pytest.mark.parametrize("value", [True, None, "allow", "PASS", ["pass"]])
def test_the_setting_is_checked(idp, value):
    """Any value but the two words is a ConfigurationError, so the exception cannot open by accident."""
    for make in (
        lambda: JWKSMiddleware(fine, client_of(idp), preflight=value),
        lambda: WSGIMiddleware(lambda *_: [], sync_client_of(idp), preflight=value),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert caught.value.field == "preflight"


def test_a_disconnect_reaches_an_app_that_waits_for_it(idp):
    """A preflight whose client disconnects ends, whatever part of a body came before."""
    left: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            pass
        left.append(message["type"])

    protected = JWKSMiddleware(app, client_of(idp), preflight="pass")
    one = Call({"type": "http.request", "body": b"x"}, {"type": "http.disconnect"})
    asyncio.run(one.to(protected, preflight()))
    assert left == ["http.disconnect"]
