"""The table against a plain ASGI app under the middleware, under both servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from edge_running import ASGI_SERVERS, Table, row_id, rows, running

from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.errors import CredentialsError


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The app of the table, by hand."""
    token = get_token(scope)
    seen = {
        "sub": None if token is None else token.subject,
        "scopes": [one for one in scope["auth"].scopes if one != "authenticated"],
        "query": scope["query_string"].decode(),
        "subprotocols": list(scope.get("subprotocols", [])),
    }
    text = json.dumps(seen)
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"] in ("/orders", "/deep"):
        if token is None:
            raise CredentialsError("missing_credentials", "nobody")
        token.require({"/orders": "orders:read", "/deep": "deep"}[scope["path"]])
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


@pytest.fixture(scope="module", params=ASGI_SERVERS)
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """The table behind one server, then the other."""

    def make(client: Any, settings: Any) -> Any:
        return JWKSMiddleware(app, client, warm_up=None, **settings)

    with running(make, request.param) as table:
        yield table


@pytest.mark.parametrize("row", rows(websockets=True), ids=row_id)
def test_a_request_has_the_answer_of_the_table(table, row):
    """A plain ASGI app under JWKSMiddleware answers as every integration does."""
    table.check(row)
