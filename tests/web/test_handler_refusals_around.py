"""Nested middlewares, background tasks, and `answer_for`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi_calls import Call, call, client_of, http_scope
from asgiref.wsgi import WsgiToAsgi
from flask import Flask
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from jwks_client import ConfigurationError, InsufficientScopeError
from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.decorators import requires


def test_the_innermost_middleware_answers(idp):
    """Two middlewares around one app give one answer, by the inner one's settings, reported once."""
    emitted: list[Any] = []

    async def deep(request: Any) -> Any:
        current_token().require("deep")

    app = Starlette(routes=[Route("/", deep)])
    inner = JWKSMiddleware(app, client_of(idp, listeners=[emitted.append]), realm="inner")
    outer = JWKSMiddleware(inner, client_of(idp), realm="outer")
    answer = call(outer, http_scope(idp.issue()))
    assert (answer.status, answer.code) == (403, "insufficient_scope")
    assert 'realm="inner"' in answer.headers["www-authenticate"]
    assert [type(one).__name__ for one in emitted].count("RequestRefused") == 1


def flask_app() -> WsgiToAsgi:
    app = Flask("mounted")

    @app.get("/mounted/<kind>")
    def view(kind: str) -> str:
        refuse(kind)
        raise ValueError("a bug")

    return WsgiToAsgi(app)


def refuse(kind: str) -> None:
    """Raise a refusal, or handle it if the kind is ``handled``."""
    try:
        current_token().require("deep")
    except InsufficientScopeError:
        if kind != "handled":
            raise


@pytest.mark.filterwarnings("ignore:async_to_sync was passed:UserWarning")  # of this adapter
@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize(("kind", "status"), [("refused", 403), ("handled", 500)])
def test_a_wsgi_app_behind_an_adapter_is_answered_for(idp, mounted, kind, status):
    """An adapter hides the scope from a Flask app, alone or mounted in Starlette; a bug in it stays a 500."""
    flask = flask_app()
    app = Starlette(routes=[Mount("/", app=flask)]) if mounted else flask
    protected = JWKSMiddleware(app, client_of(idp))
    scope = http_scope(idp.issue(), f"/mounted/{kind}")
    answer = call(protected, scope, {"type": "http.request", "body": b""})
    assert answer.status == status


def test_a_500_of_the_app_does_not_wait_for_its_background_task(idp):
    """The response is sent while the background task still waits."""

    async def story() -> None:
        one, free = Call({"type": "http.request"}), asyncio.Event()

        async def work() -> None:
            assert one.sent[0]["type"] == "http.response.start"
            free.set()

        async def failing(request: Any) -> Any:
            return PlainTextResponse("oops", 500, background=BackgroundTask(work))

        app = JWKSMiddleware(Starlette(routes=[Route("/", failing)]), client_of(idp))
        await one.to(app, http_scope(idp.issue()))
        assert free.is_set()
        assert one.status == 500

    asyncio.run(story())


def test_answer_for_reports_a_refusal_once(idp):
    """A framework that asks twice, and raises as well, gets one answer and one report."""
    emitted: list[Any] = []
    answers: list[Any] = []

    @requires("a")
    async def refused(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await refused(scope, receive, send)
        except InsufficientScopeError as error:
            answers.extend([protected.answer_for(error, scope) for _ in range(2)])
            raise

    protected = JWKSMiddleware(app, client_of(idp, listeners=[emitted.append]))
    assert call(protected, http_scope(idp.issue())).status == 403
    assert answers[0] is answers[1]
    assert [type(one).__name__ for one in emitted].count("RequestRefused") == 1


@pytest.mark.parametrize("error", [KeyError("x"), ConfigurationError("x", "y")])
def test_answer_for_accepts_refusals_only(idp, error):
    """Any other error is a TypeError: a bug in the caller."""
    protected = JWKSMiddleware(Starlette(), client_of(idp))
    with pytest.raises(TypeError, match="error must be a refusal"):
        protected.answer_for(error, http_scope())
    with pytest.raises(TypeError, match="request must be a scope"):
        protected.answer_for(InsufficientScopeError("a"), object())
