"""One reading of a path: ``exclude`` opens exactly the paths that the framework routes there.

Many spellings of paths go over real sockets to real servers, and on to the routers of frameworks.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
from asgi_calls import call, client_of, http_scope
from edge_running import ASGI_SERVERS, PATIENCE, serving
from litestar import Litestar, get
from quart import Quart
from small_django import asgi_app
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from jwks_client.asgi import JWKSMiddleware, ProtectedResource
from jwks_client.testing import FakeProvider

EXCLUDED = ["/health", "/public/*", "GET /prices", "/.well-known/x"]
RESOURCE = ProtectedResource(resource="https://host.test/api/mcp")
SECRET, OPEN = "the salaries", "for everyone"
#: The routes that answer with the secret; all other routes are public.
SECRETS = ("/secret", "/api/secret", "/apisecret", "/secret/api", "/", "/public", "/api")
OPENED = ("/health", "/public/{rest:path}", "/prices", "/api/public/{rest:path}")

SPELLINGS = [
    "/",
    "//",
    "/.",
    "/..",
    "/secret",
    "/secret/",
    "//secret",
    "/./secret",
    "/public/../secret",
    "/public/..",
    "/public/.",
    "/public/./secret",
    "/public/%2e%2e/secret",
    "/public/%2E./secret",
    "/public/..%2fsecret",
    "/public%2f..%2fsecret",
    "/public/%252e%252e/secret",
    "/public/..%5csecret",
    "/public/..;/secret",
    "/public//secret",
    "/public//../secret",
    "/public/%00/secret",
    "/public/x%0a/../secret",
    "/public",
    "/public/",
    "/public/%2f",
    "/PUBLIC/../secret",
    "/health/../secret",
    "/health/",
    "/health%2f",
    "/health%00",
    "/health;/secret",
    "/prices/../secret",
    "/api",
    "/api/",
    "/api/secret",
    "/api/api/secret",
    "/apisecret",
    "/public/api/secret",
    "/public/apisecret",
    "/public/secret/api",
    "/api/public/../secret",
    "/api/public/api/secret",
    "/secret/api/public/x",
    "/%61pi/secret",
]
#: The open targets: by root_path, those that reach a public route.
OPEN_TARGETS = ["/health", "/public/x", "/public/a/b", "/prices", "/p%75blic/x"]


def starlette_app() -> Any:
    def answer(text: str) -> Any:
        return lambda request: PlainTextResponse(text)

    secrets = [Route(path, answer(SECRET)) for path in SECRETS]
    return Starlette(routes=[*secrets, *(Route(path, answer(OPEN)) for path in OPENED)])


def litestar_app() -> Any:
    @get(list(SECRETS))
    async def secret() -> str:
        return SECRET

    @get(["/health", "/public/{rest:path}", "/prices", "/api/public/{rest:path}"])
    async def everyone() -> str:
        return OPEN

    return Litestar([secret, everyone], logging_config=None)


def quart_app() -> Any:
    app = Quart("paths")

    async def secret() -> str:
        return SECRET

    async def everyone(**_: str) -> str:
        return OPEN

    for path in SECRETS:
        app.add_url_rule(path, path, secret)
    for path in OPENED:
        app.add_url_rule(path.replace("{rest:path}", "<path:rest>"), path, everyone)
    return app


ROUTERS = {
    "starlette": starlette_app,
    "litestar": litestar_app,
    "quart": quart_app,
    "django": asgi_app,
}


@pytest.fixture(scope="module", params=ASGI_SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """Return the name of a server."""
    return request.param


@pytest.fixture(scope="module", params=["", "/api"])
def root_path(request: pytest.FixtureRequest) -> str:
    """Return the mount point that the server names."""
    return request.param


@pytest.fixture(scope="module")
def port(server: str, root_path: str) -> Iterator[int]:
    """Serve every router; the header X-Router names one of them."""
    idp = FakeProvider()
    apps = {
        name: JWKSMiddleware(
            make(), client_of(idp), exclude=EXCLUDED, resource_metadata=RESOURCE, warm_up=None
        )
        for name, make in ROUTERS.items()
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await apps[dict(scope["headers"])[b"x-router"].decode()](scope, receive, send)

    with serving(app, server, root_path) as port:
        yield port


def ask(port: int, router: str, target: str) -> tuple[int, str]:
    """Return the status and body of a GET of exactly this target."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.putrequest("GET", target, skip_accept_encoding=True)
        connection.putheader("X-Router", router)
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("router", ROUTERS)
def test_no_spelling_of_a_path_reaches_a_protected_route(port, router):
    """However a router reads a target, a request without a token never gets protected content."""
    assert len(SPELLINGS) == len(set(SPELLINGS)) == 45
    reached = {}
    for target in SPELLINGS:
        status, body = ask(port, router, target)
        if SECRET in body or status not in (400, 401, 404):
            reached[target] = status, body[:40]
    # These reach a public route under either reading.
    assert {body for _, body in reached.values()} <= {OPEN}


@pytest.mark.parametrize("router", ROUTERS)
def test_an_excluded_path_is_open_in_every_router(port, server, root_path, router):
    """An excluded path is open behind a server that puts root_path before the path, and without root_path."""
    for target in OPEN_TARGETS:
        status, body = ask(port, router, target)
        if server == "hypercorn" and root_path and router == "quart":
            assert status in (200, 404)  # Quart routes no path that root_path does not lead
        else:
            assert (status, body) == (200, OPEN), target


def test_the_document_that_challenges_name_is_served(port, server, root_path):
    """The middleware serves its own document by the same reading of the path as ``exclude``.

    hypercorn does not put root_path before the path, so this path, which contains it, is ambiguous there.
    """
    expected = 401 if (server, root_path) == ("hypercorn", "/api") else 200
    assert ask(port, "starlette", RESOURCE.path)[0] == expected


@pytest.mark.parametrize("root_path", ["", "/api", "/v1", "/api/mcp"])
@pytest.mark.parametrize("path", ["/api/mcp", "/mcp", "/x/api/mcp", "/apix"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_the_document_is_served_where_excluding_its_path_would_open_it(
    idp, root_path, path, prefixed
):
    """``exclude`` and the document share one notion of path."""
    resource = ProtectedResource(resource=f"https://host.test{path}")
    serves = JWKSMiddleware(PlainTextResponse(OPEN), client_of(idp), resource_metadata=resource)
    opens = JWKSMiddleware(PlainTextResponse(OPEN), client_of(idp), exclude=[resource.path])
    asked = (root_path if prefixed else "") + resource.path
    statuses = {
        call(app, http_scope(None, asked, root_path=root_path)).status for app in (serves, opens)
    }
    assert len(statuses) == 1
