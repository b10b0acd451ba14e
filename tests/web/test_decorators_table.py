"""The table against an ASGI app that is one decorated function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from edge_running import ASGI_SERVERS, Table, handler_rows, row_id, running
from test_table_asgi import app

from jwks_client.decorators import requires


@pytest.fixture(scope="module", params=ASGI_SERVERS)
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    def make(client: Any, settings: Any) -> Any:
        rest = {name: one for name, one in settings.items() if name not in ("exclude", "optional")}
        return requires(client=client, **rest)(app)

    with running(make, request.param) as table:
        yield table


@pytest.mark.parametrize(
    "row",
    [row for row in handler_rows() if row.setup != "optional"],
    ids=row_id,
)
def test_a_decorated_asgi_app_answers_as_the_table_says(table, row):
    """A function of scope, receive and send under @requires(client=…) keeps to the table."""
    table.check(row)
