"""aiohttp's own server on loopback, in a thread, for the table and for single tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from edge_running import PATIENCE, Table
from requests_table import Row  # noqa: TC002 (as the other runners)

_MOST = 256 * 1024


class AiohttpTable(Table):
    """The table of an integration whose apps are aiohttp's: each setup has its own port."""

    def __init__(self, make: Callable[[Any, Mapping[str, Any]], Any]) -> None:
        super().__init__(make, asynchronous=True)
        self.ports: dict[str, int] = {}

    def check(self, row: Row) -> None:
        self.port = self.ports[row.setup]
        super().check(row)


@contextmanager
def serving_aiohttp(apps: Mapping[str, web.Application]) -> Generator[dict[str, int]]:
    """Serve apps in a thread until the block ends; gives their ports."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)

    async def start(app: web.Application) -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(
            app, access_log=None, max_line_size=_MOST, max_field_size=_MOST, shutdown_timeout=2
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    runners: list[web.AppRunner] = []
    try:
        ports = {}
        for name, app in apps.items():
            runner, ports[name] = call(start(app))
            runners.append(runner)
        yield ports
    finally:
        for runner in runners:
            call(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
    assert not thread.is_alive()
