"""Handlers that stream under the middleware, in every framework, behind a real server.

/stream   streams ``first``, and ``last`` once the client has the first chunk
/before   is refused before its first chunk
/after    streams ``first``, and then is refused
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import django_site  # noqa: F401 (configures Django)
import flask
import litestar
import pytest
import quart
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import StreamingHttpResponse
from django.test import override_settings
from django.urls import re_path
from edge_running import serving
from fastapi import FastAPI
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
from table_app import PATIENCE

from jwks_client import asgi, wsgi
from jwks_client.testing import FakeProvider

if TYPE_CHECKING:
    from starlette.requests import Request

# Django does not close the body of a request whose response ends with an exception.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")

#: Opened by the client when it has the first chunk.
SEEN = threading.Event()


def pieces(path: str) -> Iterator[bytes]:
    if path == "/before":
        wsgi.current_token().require("deep")
    yield b"first"
    if path == "/after":
        wsgi.current_token().require("deep")
    assert SEEN.wait(PATIENCE)
    yield b"last"


async def pieces_in_task(path: str) -> AsyncIterator[bytes]:
    if path == "/before":
        asgi.current_token().require("deep")
    yield b"first"
    if path == "/after":
        asgi.current_token().require("deep")
    assert await asyncio.to_thread(SEEN.wait, PATIENCE)
    yield b"last"


def starlette_app() -> Any:
    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(pieces_in_task(request.url.path))

    return Starlette(routes=[Route("/{rest:path}", stream)])


def starlette_in_threads() -> Any:
    def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(pieces(request.url.path))

    return Starlette(routes=[Route("/{rest:path}", stream)])


def fastapi_app() -> Any:
    app = FastAPI()

    async def stream(rest: str) -> StreamingResponse:
        return StreamingResponse(pieces_in_task(f"/{rest}"))

    stream.__annotations__ = {"rest": str}
    app.get("/{rest}", response_model=None)(stream)
    return app


def flask_app() -> Any:
    app = flask.Flask("streaming")
    app.get("/<rest>")(lambda rest: app.response_class(pieces(f"/{rest}")))
    return app


def quart_app() -> Any:
    app = quart.Quart("streaming")

    @app.get("/<rest>")
    async def stream(rest: str) -> Any:
        return app.response_class(pieces_in_task(f"/{rest}"))

    return app


def litestar_app() -> Any:
    async def stream(request: litestar.Request[Any, Any, Any]) -> Stream:
        return Stream(pieces_in_task(request.url.path))

    handler = litestar.get("/{rest:str}")(stream)
    return litestar.Litestar([handler], openapi_config=None, logging_config=None)


def django_view(request: Any) -> StreamingHttpResponse:
    chunks: Any = (pieces_in_task if hasattr(request, "scope") else pieces)(request.path)
    return StreamingHttpResponse(chunks)


DJANGO = override_settings(ROOT_URLCONF=(re_path("", django_view),), MIDDLEWARE=[])
ASGI = {
    "starlette": starlette_app,
    "starlette-threads": starlette_in_threads,
    "fastapi": fastapi_app,
    "quart": quart_app,
    "litestar": litestar_app,
    "django-asgi": get_asgi_application,
}
WSGI = {"flask": flask_app, "django-wsgi": get_wsgi_application}


@pytest.fixture(scope="module", params=[*ASGI, *WSGI])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """An app of each framework, under the middleware, behind a server."""
    idp, name = FakeProvider(), request.param
    logging.disable(logging.CRITICAL)  # servers log what an app raises
    with DJANGO:
        if name in WSGI:
            app, server = wsgi.JWKSMiddleware(WSGI[name](), idp.client()), "wsgiref"
        else:
            app, server = asgi.JWKSMiddleware(ASGI[name](), idp.async_client()), "uvicorn"
        with serving(app, server) as port:
            yield Site(port, idp, name in WSGI)
    logging.disable(logging.NOTSET)
    gc.collect()  # while Django's warning is ignored


class Site(NamedTuple):
    """The address of the served app, and its provider."""

    port: int
    idp: FakeProvider
    is_wsgi: bool

    @contextmanager
    def get(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """Ask for a path; the body is not read yet."""
        SEEN.clear()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(connection):
            connection.request("GET", path, headers=self.idp.auth_headers())
            yield connection.getresponse()


def rest_of(response: http.client.HTTPResponse) -> bytes:
    """Return the bytes until the server closes the connection, complete or not."""
    try:
        return response.read()
    except http.client.IncompleteRead as error:
        return error.partial


def test_the_first_chunk_does_not_wait_for_the_last(site):
    """A chunk reaches the client while the handler still works on the next one."""
    with site.get("/stream") as response:
        assert (response.status, response.read(5)) == (200, b"first")
        SEEN.set()
        assert response.read() == b"last"


def test_a_refusal_before_the_first_chunk(site):
    """WSGI sends no header before the first chunk, so the refusal is answered. In ASGI the response
    has begun, so it ends without a body, and not as if it were whole.
    """
    with site.get("/before") as response:
        if site.is_wsgi:
            assert response.status == 403
            assert json.loads(response.read())["code"] == "insufficient_scope"
        else:
            assert response.status == 200
            with pytest.raises(http.client.IncompleteRead) as caught:
                response.read()
            assert caught.value.partial == b""


def test_a_refusal_after_the_first_chunk_ends_the_stream(site):
    """Nothing is added to a response that has begun, and the next request is answered."""
    with site.get("/after") as response:
        assert (response.status, response.read(5)) == (200, b"first")
        assert rest_of(response) == b""
    test_the_first_chunk_does_not_wait_for_the_last(site)
