"""The table against a plain WSGI app under the middleware, behind a server of threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from edge_running import Table, row_id, rows, running

from jwks_client.errors import CredentialsError
from jwks_client.wsgi import JWKSMiddleware, get_token


def app(environ: Any, start_response: Any) -> Any:
    """The app of the table, by hand."""
    token = get_token(environ)
    wanted = {"/orders": "orders:read", "/deep": "deep"}.get(environ["PATH_INFO"])
    if wanted is not None:
        if token is None:
            raise CredentialsError("missing_credentials", "nobody")
        token.require(wanted)
    seen = {
        "sub": None if token is None else token.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": environ["QUERY_STRING"],
        "subprotocols": [],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """The table behind the standard library's server."""

    def make(client: Any, settings: Any) -> Any:
        return JWKSMiddleware(app, client, warm_up=None, **settings)

    with running(make, "wsgiref") as table:
        yield table


@pytest.mark.parametrize("row", rows(websockets=False), ids=row_id)
def test_a_request_has_the_answer_of_the_table(table, row):
    """A plain WSGI app under JWKSMiddleware answers as every integration does."""
    table.check(row)
