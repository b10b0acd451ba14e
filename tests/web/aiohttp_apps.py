"""The app of the table for aiohttp, and aiohttp's own server on loopback, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from table_app import INSIDE, ORG, PATIENCE, act_in_task, seen, status_of, work_on_in_task
from table_running import Table

from jwks_client.decorators import requires
from jwks_client.integrations.aiohttp import get_token, setup

_MOST = 256 * 1024


def seen_of(request: web.Request) -> dict[str, Any]:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocols = [one.strip() for one in offered.split(",") if one]
    return seen(get_token(request), request.query_string, protocols)


async def whoami(request: web.Request) -> web.Response:
    return web.json_response(seen_of(request))


async def anything(request: web.Request) -> web.StreamResponse:
    found = await act_in_task(request.path, get_token(request), request.query_string)
    response = web.json_response(found, status=status_of(request.path))
    if request.path == "/late":
        await response.prepare(request)
        await response.write_eof()
        await work_on_in_task()
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    await websocket.send_json(seen_of(request))
    await websocket.close()
    return websocket


@web.middleware
async def watch(request: web.Request, handler: Any) -> Any:
    response = await handler(request)
    if response.status != 101:  # a WebSocket has ended by then
        INSIDE.append(response.status)
    return response


def by_setup(client: Any, settings: Any) -> web.Application:
    """Return `setup`, and a middleware outside of it that notes statuses."""
    app = web.Application()
    setup(app, client, warm_up=None, **settings)
    app.middlewares.insert(0, watch)
    app.router.add_route("*", "/orders", requires("orders:read")(whoami))
    app.router.add_route("*", "/org", requires(claims=ORG)(whoami))
    app.router.add_get("/ws", socket)
    app.router.add_route("*", "/{path:.*}", anything)
    return app


class AiohttpTable(Table):
    """The table of apps that aiohttp's own server serves; each setup has its own port."""

    @contextmanager
    def serving(self) -> Generator[None]:
        with serving_aiohttp(self.apps) as self._ports:
            yield

    def port_of(self, setup: str) -> int:
        return self._ports[setup]


@contextmanager
def serving_aiohttp(apps: Mapping[str, web.Application]) -> Generator[dict[str, int]]:
    """Serve apps in a thread until the block ends; yield their ports."""
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
