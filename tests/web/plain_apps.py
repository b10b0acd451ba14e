"""The app of the table without a framework: for ASGI, and for WSGI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from table_app import ORG, act, act_in_task, status_of, work_on, work_on_in_task

from jwks_client import asgi, wsgi
from jwks_client.decorators import requires
from jwks_client.integrations import Requirement

REQUIRED = {"/orders": Requirement(["orders:read"]), "/org": Requirement(claims=ORG)}
JSON = "application/json"


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    token, path = asgi.get_token(scope), scope["path"]
    if path in REQUIRED:
        REQUIRED[path].enforce(token)
    query, offered = scope["query_string"].decode(), scope.get("subprotocols", [])
    text = json.dumps(await act_in_task(path, token, query, offered))
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": 1000})
        return
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(text))]
    start = {"type": "http.response.start", "status": status_of(path), "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": text.encode()})
    if path == "/late":
        await work_on_in_task()


def wsgi_app(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer one request."""
    token, path = wsgi.get_token(environ), environ["PATH_INFO"]
    if path in REQUIRED:
        REQUIRED[path].enforce(token)
    text = json.dumps(act(path, token, environ.get("QUERY_STRING", "")))
    status = "200 OK" if status_of(path) == 200 else "500 Internal Server Error"
    start_response(status, [("Content-Type", JSON), ("Content-Length", str(len(text)))])
    return _late(text) if path == "/late" else [text.encode()]


def _late(text: str) -> Iterator[bytes]:
    yield text.encode()
    work_on()


def under_asgi(client: Any, settings: Any) -> Any:
    """Protect the app by `asgi.JWKSMiddleware`, and read what it puts into the scope as Starlette's own middleware does."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        token = asgi.get_token(scope)
        extra = set() if token is None else {*token.scopes, "authenticated"}
        assert {*scope["auth"].scopes} == extra
        await asgi_app(scope, receive, send)

    return asgi.JWKSMiddleware(app, client, warm_up=None, **settings)


def under_wsgi(client: Any, settings: Any) -> Any:
    """Protect the app by `wsgi.JWKSMiddleware`."""
    return wsgi.JWKSMiddleware(wsgi_app, client, warm_up=None, **settings)


def decorated(client: Any, settings: Any) -> Any:
    """Protect a function of scope, receive and send by ``@requires(client=…)``."""
    protected = requires(client=client, **decorator_settings(settings))(asgi_app)

    async def routed(scope: Any, receive: Any, send: Any) -> None:
        await (asgi_app if scope["path"] == "/open" else protected)(scope, receive, send)

    return routed


def decorator_settings(settings: Any) -> dict[str, Any]:
    """Return the settings that ``@requires(client=…)`` shares."""
    return {name: one for name, one in settings.items() if name not in ("exclude", "optional")}
