"""One table of answers, in every framework, for an app protected by its integration."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp_apps
import django_apps
import drf_apps
import fastapi_apps
import flask_apps
import grpc_servers
import litestar_apps
import mcp_apps
import ninja_apps
import plain_apps
import pytest
import starlette_apps
from requests_table import Row, bearer
from table_app import LATE
from table_running import Integration, Table, is_of_handlers, row_id


def no_thread(row: Row) -> bool:
    """Leave out rows for executors, which apps without await lack, and WebSockets, which WSGI servers lack."""
    return row.path != "/executor" and not row.websocket


def last_refusal_decides(row: Row) -> bool:
    """Return the rows of a framework that reports no handler's exception: a caught refusal is still answered."""
    return row.path not in ("/bug", "/from", "/own")


SYNC: dict[str, Any] = {"server": "wsgiref", "asynchronous": False}
EVERY = {
    "asgi": Integration(make=plain_apps.under_asgi, reads=True, has=lambda row: row.path != "/own"),
    "asgi-hypercorn": Integration(
        make=plain_apps.under_asgi,
        server="hypercorn",
        reads=True,
        has=lambda row: row.path != "/own",
    ),
    "asgi-decorated": Integration(
        make=plain_apps.decorated,
        reads=True,
        has=lambda row: is_of_handlers(row) and row.setup != "optional" and row.path != "/own",
    ),
    "wsgi": Integration(
        make=plain_apps.under_wsgi,
        reads=True,
        has=lambda row: no_thread(row) and row.path != "/own",
        **SYNC,
    ),
    "starlette": Integration(make=starlette_apps.under_middleware, watched=True),
    "starlette-decorated": Integration(
        make=starlette_apps.by_decorator,
        reads=True,
        has=lambda row: is_of_handlers(row) and row.setup != "optional",
    ),
    "starlette-backend": Integration(
        make=starlette_apps.by_backend,
        reads=True,
        has_current=False,
        has=lambda row: (
            is_of_handlers(row)
            and not (row.websocket and (row.setup == "websocket" or row.code is not None))
        ),
    ),
    "fastapi": Integration(
        make=fastapi_apps.by_dependency, reads=True, has=is_of_handlers, has_current=False
    ),
    "fastapi-under-middleware": Integration(make=fastapi_apps.under_middleware, watched=True),
    "flask": Integration(make=flask_apps.flask_app, has=no_thread, watched=True, **SYNC),
    "quart": Integration(make=flask_apps.quart_app, late=False),
    "falcon-asgi": Integration(
        make=flask_apps.falcon_asgi,
        has=lambda row: last_refusal_decides(row) and not row.websocket,
        late=False,
    ),
    "falcon-wsgi": Integration(
        make=flask_apps.falcon_wsgi,
        has=lambda row: last_refusal_decides(row) and no_thread(row),
        late=False,
        **SYNC,
    ),
    "litestar": Integration(make=litestar_apps.by_plugin, reads=True),
    "litestar-under-middleware": Integration(
        make=litestar_apps.under_middleware, has=last_refusal_decides
    ),
    "aiohttp": Integration(
        make=aiohttp_apps.by_setup, reads=True, watched=True, table=aiohttp_apps.AiohttpTable
    ),
    "django-wsgi": Integration(
        make=django_apps.native_wsgi,
        reads=True,
        has=lambda row: not row.websocket,
        watched=True,
        during=django_apps.native,
        **SYNC,
    ),
    "django-asgi": Integration(
        make=django_apps.native_asgi,
        reads=True,
        has=lambda row: not row.websocket,
        watched=True,
        during=django_apps.native,
    ),
    "django-asgi-with-sync-client": Integration(
        make=django_apps.native_asgi,
        asynchronous=False,
        has=lambda row: not row.websocket,
        watched=True,
        during=django_apps.native,
    ),
    "django-under-wsgi": Integration(
        make=django_apps.under_wsgi,
        has=lambda row: not row.websocket,
        watched=True,
        during=django_apps.outside,
        **SYNC,
    ),
    "django-under-asgi": Integration(
        make=django_apps.under_asgi,
        has=lambda row: not row.websocket,
        watched=True,
        during=django_apps.outside,
    ),
    "django-ninja": Integration(
        make=ninja_apps.app, has=no_thread, watched=True, during=ninja_apps.site, **SYNC
    ),
    "drf": Integration(
        make=drf_apps.app_alone,
        reads=True,
        has=lambda row: is_of_handlers(row) and no_thread(row),
        has_current=False,
        during=drf_apps.alone,
        **SYNC,
    ),
    "drf-under-middleware": Integration(
        make=drf_apps.app_under_middleware,
        has=no_thread,
        during=drf_apps.under_middleware,
        **SYNC,
    ),
}


EVERY |= {
    server: Integration(
        make=lambda client, settings: None,
        server=server,
        asynchronous=server != "grpc",
        reads=True,
        has=grpc_servers.has,
        late=False,
        table=grpc_servers.GrpcTable,
    )
    for server in grpc_servers.SERVERS
}


EVERY |= {
    name: Integration(
        make=mcp_apps.table_app(make), has=mcp_apps.has, late=False, table=mcp_apps.McpTable
    )
    for name, make in {
        "mcp": mcp_apps.server_of,
        "fastmcp": mcp_apps.fastmcp_server_of,
    }.items()
}


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    if request.param == "fastmcp":
        pytest.importorskip(
            "fastmcp.server.auth", reason="old MCP SDKs exclude it", exc_type=ImportError
        )
    with EVERY[request.param].running() as table:
        yield table


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize by integration, and by its own rows where a test has rows."""
    if "row" in metafunc.fixturenames:
        cases = [
            pytest.param(name, row, id=f"{name}-{row_id(row)}")
            for name, integration in EVERY.items()
            for row in integration.rows
        ]
        metafunc.parametrize(("table", "row"), cases, indirect=["table"], scope="module")
    else:
        metafunc.parametrize("table", EVERY, indirect=True, scope="module")


def test_a_request_has_the_answer_of_the_table(table, row):
    """Every framework gives a request the status, challenge, body and report of the row."""
    table.assert_row(row)


def test_a_500_of_the_app_is_prompt(table):
    """The app's own 500 reaches the client while the app is still working."""
    if not table.integration.late:
        return
    LATE.clear()
    with table.during("plain"):
        try:
            answer = table.ask(Row(name="", path="/late", headers=(bearer(),)))
            assert (answer.status, LATE.is_set()) == (500, False)
            assert json.loads(answer.body)["sub"] == "u1"
        finally:
            LATE.set()


def test_callers_are_kept_apart(table):
    """Concurrent requests, refused, accepted and failed ones: each handler sees its own caller."""
    names = {
        "insufficient scope",
        "an error of ours from deep inside",
        "a bug after a caught refusal",
    }
    others = [row for row in table.integration.rows if row.name in names]
    tokens = {f"u{number}": table.issue(sub=f"u{number}") for number in range(16)}
    whoami = [Row(name=one, headers=(bearer(f"{{{one}}}"),)) for one in tokens]

    def ask(row: Row) -> None:
        answer = table.ask(row, **tokens)
        assert answer.status == row.status
        if row.name in tokens:
            found = json.loads(answer.body)
            assert found["sub"] == row.name
            assert found["current"] in (row.name, None)

    mixed = [one for at, row in enumerate(whoami) for one in (row, *others[at % 3 : at % 3 + 1])]
    with table.during("plain"), ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, mixed))


def test_no_token_is_logged(table, caplog):
    """Neither an accepted nor a refused token appears in any log record, at any level."""
    caplog.set_level(logging.DEBUG)
    with table.during("plain"):
        for token in ("{good}", "{expired}", "{poor}"):
            table.ask(Row(name="", path="/orders", headers=(bearer(token),)))
    shown = "".join(f"{record.getMessage()}{vars(record)}" for record in caplog.records)
    assert "token_expired" in shown
    for name in ("good", "expired", "poor"):
        assert not [part for part in table.tokens[name].split(".")[1:] if part in shown]
