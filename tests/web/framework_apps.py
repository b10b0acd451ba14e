"""One app, written for each framework: what handlers do with refusals.

    /role       decorated with ``@requires("orders:read")``
    /deep       calls ``token.require("deep")``, and catches nothing
    /claims     asks a `Requirement` for a claim
    /caught     catches a refusal and answers 200 ``handled``
    /bug        catches a refusal, and then fails with a KeyError
    /from       raises a KeyError from a refusal
    /own        catches a refusal and answers 500 itself
    /executor   asks in a thread that has no copy of the context

Each `App` answers with status, code and challenge, and notes the status that middleware inside the
framework sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

from asgi_calls import Call, http_scope
from litestar import Response as LitestarResponse
from starlette.requests import Request

from jwks_client import JWKSError
from jwks_client.asgi import JWKSMiddleware, current_token
from jwks_client.decorators import requires
from jwks_client.integrations import Requirement
from jwks_client.wsgi import JWKSMiddleware as WSGIMiddleware


class Seen(NamedTuple):
    """An answer as the client sees it."""

    status: int
    code: str | None
    challenge: str | None
    body: bytes


class Bug(KeyError):
    """A mistake of the application."""


def deep() -> Any:
    return current_token().require("deep")


def claims() -> Any:
    return Requirement(claims={"org_id": "o1"}).check(current_token())


def caught() -> None:
    with contextlib.suppress(JWKSError):
        deep()


def bug() -> None:
    caught()
    raise Bug


def wrapped() -> None:
    try:
        deep()
    except JWKSError as error:
        raise Bug from error


async def executor() -> None:
    ask = current_token().require
    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, ask, "deep")


ASKING: dict[str, Callable[[], Any]] = {
    "deep": deep,
    "claims": claims,
    "bug": bug,
    "from": wrapped,
}


class App:
    """An app under the middleware."""

    def __init__(self, protected: Any, inside: list[int] | None, *, wsgi: bool = False) -> None:
        self.protected = protected
        self.inside = inside
        self.wsgi = wsgi

    def ask(self, path: str, token: str | None) -> Seen:
        """Answer one request."""
        return self.ask_all([(path, token)])[0]

    def ask_all(self, requests: list[tuple[str, str | None]]) -> list[Seen]:
        """Answer requests that are made at once."""
        if self.wsgi:
            with ThreadPoolExecutor(len(requests)) as pool:
                return list(pool.map(lambda one: self._by_wsgi(*one), requests))
        return asyncio.run(self._by_asgi(requests))

    async def _by_asgi(self, requests: list[tuple[str, str | None]]) -> list[Seen]:
        await _start(self.protected)
        return await asyncio.gather(*(self._by_one(*one) for one in requests))

    async def _by_one(self, path: str, token: str | None) -> Seen:
        one = Call({"type": "http.request", "body": b"", "more_body": False})
        with contextlib.suppress(Bug):
            await one.to(self.protected, http_scope(token, path, raw_path=path.encode()))
        headers = {name.decode().lower(): value for name, value in one.sent[0]["headers"]}
        return _seen(one.status, headers.get("www-authenticate", b"").decode(), one.body)

    def _by_wsgi(self, path: str, token: str | None) -> Seen:
        environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
        setup_testing_defaults(environ)
        if token is not None:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        told: list[Any] = []

        def start(status: str, headers: Any, raised: Any = None) -> Any:
            told.append((status, {name.lower(): value for name, value in headers}))
            return lambda data: None

        body = self.protected(environ, start)
        try:
            sent = b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
        status, headers = told[-1]
        return _seen(int(status[:3]), headers.get("www-authenticate", ""), sent)


def _seen(status: int, challenge: str, body: bytes) -> Seen:
    code = None
    with contextlib.suppress(ValueError, AttributeError):
        code = json.loads(body).get("code")
    return Seen(status, code, challenge or None, body)


async def _start(app: Any) -> None:
    """Send the start of the lifespan, which some frameworks need; they run on without the rest."""
    started = asyncio.Event()
    first = [{"type": "lifespan.startup"}]

    async def receive() -> Any:
        if first:
            return first.pop()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Any) -> None:
        started.set()

    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.ensure_future(app(scope, receive, send))
    waiting = asyncio.ensure_future(started.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    _running.append(task)


_running: list[Any] = []


def starlette(client: Any) -> App:
    from starlette.applications import Starlette

    return _starlette(client, Starlette, lambda app, path, view: app.add_route(path, view))


def fastapi(client: Any) -> App:
    from fastapi import FastAPI

    def add(app: Any, path: str, view: Any) -> None:
        # Old releases look the names of annotations up in the module of the decorator.
        inspect.unwrap(view).__annotations__["request"] = Request
        app.add_api_route(path, view)

    return _starlette(client, FastAPI, add)


def _starlette(client: Any, kind: Any, add: Any) -> App:
    from starlette.responses import PlainTextResponse

    inside: list[int] = []
    app = kind()

    @requires("orders:read")
    async def role(request: Request) -> Any:
        return PlainTextResponse("ok")

    async def handled(request: Request) -> Any:
        caught()
        return PlainTextResponse("handled")

    async def own(request: Request) -> Any:
        caught()
        return PlainTextResponse("own", 500)

    async def threaded(request: Request) -> Any:
        await executor()

    def view(ask: Any) -> Any:
        async def asking(request: Request) -> Any:
            ask()

        return asking

    views = {"role": role, "caught": handled, "own": own, "executor": threaded}
    for name, one in (views | {name: view(ask) for name, ask in ASKING.items()}).items():
        add(app, f"/{name}", one)
    app.add_middleware(_Watch, inside=inside)
    return App(JWKSMiddleware(app, client, optional=True), inside)


class _Watch:
    """Metrics inside an ASGI framework."""

    def __init__(self, app: Any, inside: list[int]) -> None:
        self._app = app
        self._inside = inside

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._inside.append(message["status"])
            await send(message)

        await self._app(scope, receive, watching)


def flask(client: Any) -> App:
    from flask import Flask

    app = Flask("refusals")
    inside: list[int] = []

    @app.after_request
    def watch(response: Any) -> Any:
        inside.append(response.status_code)
        return response

    @app.get("/role")
    @requires("orders:read")
    def role() -> str:
        return "ok"

    @app.get("/caught")
    def handled() -> str:
        caught()
        return "handled"

    @app.get("/own")
    def own() -> Any:
        caught()
        return "own", 500

    for name, ask in ASKING.items():
        app.add_url_rule(f"/{name}", name, ask)
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, client, optional=True)
    return App(app, inside, wsgi=True)


def quart(client: Any) -> App:
    from quart import Quart

    app = Quart("refusals")

    @app.get("/role")
    @requires("orders:read")
    async def role() -> str:
        return "ok"

    @app.get("/caught")
    async def handled() -> str:
        caught()
        return "handled"

    @app.get("/own")
    async def own() -> Any:
        caught()
        return "own", 500

    @app.get("/executor")
    async def threaded() -> str:
        await executor()
        return ""

    def view(ask: Any) -> Any:
        async def asking() -> str:
            ask()
            return ""

        return asking

    for name, ask in ASKING.items():
        app.add_url_rule(f"/{name}", name, view(ask))
    return App(JWKSMiddleware(app, client, optional=True), None)


def django_wsgi(client: Any) -> App:
    from django_refusals import inside, running

    with running():
        from django.core.wsgi import get_wsgi_application

        return App(WSGIMiddleware(get_wsgi_application(), client, optional=True), inside, wsgi=True)


def django_asgi(client: Any) -> App:
    from django_refusals import inside, running

    with running():
        from django.core.asgi import get_asgi_application

        return App(JWKSMiddleware(get_asgi_application(), client, optional=True), inside)


def litestar(client: Any) -> App:
    from litestar import Litestar

    app = Litestar(_litestar_views(), logging_config=None)
    return App(JWKSMiddleware(app, client, optional=True), None)


def litestar_plugin(client: Any) -> App:
    from litestar import Litestar

    from jwks_client.integrations.litestar import JWKSAuth

    auth = JWKSAuth(client, optional=True)
    return App(Litestar(_litestar_views(), plugins=[auth], logging_config=None), None)


def _litestar_views() -> list[Any]:
    from litestar import get

    @get("/role")
    @requires("orders:read")
    async def role() -> str:
        return "ok"

    @get("/caught")
    async def handled() -> str:
        caught()
        return "handled"

    @get("/own")
    async def own() -> LitestarResponse[str]:
        caught()
        return LitestarResponse("own", status_code=500)

    @get("/executor")
    async def threaded() -> None:
        await executor()

    def view(name: str, ask: Any) -> Any:
        @get(f"/{name}")
        async def asking() -> None:
            ask()

        return asking

    views = [view(name, ask) for name, ask in ASKING.items()]
    return [role, handled, own, threaded, *views]


def falcon_asgi(client: Any) -> App:
    import falcon.asgi

    class Role:
        @requires("orders:read")
        async def on_get(self, req: Any, resp: Any) -> None:
            resp.text = "ok"

    class Handled:
        async def on_get(self, req: Any, resp: Any) -> None:
            caught()
            resp.text = "handled"

    class Executor:
        async def on_get(self, req: Any, resp: Any) -> None:
            await executor()

    class Asking:
        def __init__(self, ask: Any) -> None:
            self._ask = ask

        async def on_get(self, req: Any, resp: Any) -> None:
            self._ask()

    app = falcon.asgi.App()
    views = {"role": Role(), "caught": Handled(), "executor": Executor()}
    for name, view in (views | {name: Asking(ask) for name, ask in ASKING.items()}).items():
        app.add_route(f"/{name}", view)
    return App(JWKSMiddleware(app, client, optional=True), None)


def falcon_wsgi(client: Any) -> App:
    import falcon

    class Role:
        @requires("orders:read")
        def on_get(self, req: Any, resp: Any) -> None:
            resp.text = "ok"

    class Handled:
        def on_get(self, req: Any, resp: Any) -> None:
            caught()
            resp.text = "handled"

    class Asking:
        def __init__(self, ask: Any) -> None:
            self._ask = ask

        def on_get(self, req: Any, resp: Any) -> None:
            self._ask()

    app = falcon.App()
    views = {"role": Role(), "caught": Handled()}
    for name, view in (views | {name: Asking(ask) for name, ask in ASKING.items()}).items():
        app.add_route(f"/{name}", view)
    return App(WSGIMiddleware(app, client, optional=True), None, wsgi=True)


def aiohttp(client: Any) -> App:
    from aiohttp import web

    from jwks_client.integrations.aiohttp import middleware

    @requires("orders:read")
    async def role(request: Any) -> Any:
        return web.Response(text="ok")

    async def handled(request: Any) -> Any:
        caught()
        return web.Response(text="handled")

    async def own(request: Any) -> Any:
        caught()
        return web.Response(status=500)

    async def threaded(request: Any) -> Any:
        await executor()

    def view(ask: Any) -> Any:
        async def asking(request: Any) -> Any:
            ask()

        return asking

    views = {"role": role, "caught": handled, "own": own, "executor": threaded}
    views |= {name: view(ask) for name, ask in ASKING.items()}
    inside: list[int] = []

    @web.middleware
    async def watch(request: Any, handler: Any) -> Any:
        response = await handler(request)
        inside.append(response.status)
        return response

    def make() -> Any:
        app = web.Application(middlewares=[watch, middleware(client, optional=True)])
        for name, one in views.items():
            app.router.add_get(f"/{name}", one)
        return app

    return _AiohttpApp(make, inside)


class _AiohttpApp(App):
    """An app of aiohttp, which its own server serves; made anew for each loop."""

    async def _by_asgi(self, requests: list[tuple[str, str | None]]) -> list[Seen]:
        from aiohttp.test_utils import TestClient, TestServer

        async with TestClient(TestServer(self.protected(), access_log=None)) as http:
            return await asyncio.gather(*(self._by_http(http, *one) for one in requests))

    @staticmethod
    async def _by_http(http: Any, path: str, token: str | None) -> Seen:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with http.get(path, headers=headers) as answer:
            challenge = answer.headers.get("WWW-Authenticate", "")
            return _seen(answer.status, challenge, await answer.read())


#: Frameworks that report what their handlers raise, with middleware inside them or without.
REPORTING = {
    "starlette": starlette,
    "fastapi": fastapi,
    "flask": flask,
    "django_wsgi": django_wsgi,
    "django_asgi": django_asgi,
    "quart": quart,
    "aiohttp": aiohttp,
    "litestar_plugin": litestar_plugin,
}
#: Frameworks in which the last refusal of a request decides, unless they send inside an `except`.
OTHERS = {
    "litestar": litestar,
    "falcon_asgi": falcon_asgi,
    "falcon_wsgi": falcon_wsgi,
}
EVERY = REPORTING | OTHERS
WSGI = {"flask", "django_wsgi", "falcon_wsgi"}
