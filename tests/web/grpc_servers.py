"""The app of the table for gRPC, on real servers of all three kinds, and calls of all four kinds.

Each kind of method is a service, ``test.unary_unary`` and so on, with a method for each path of the
table.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import grpc
import grpc.aio
from requests_table import SETUPS, Row
from table_app import ORG, PATIENCE, act
from table_running import Table

from jwks_client.decorators import requires
from jwks_client.integrations import Requirement, current_token
from jwks_client.integrations.grpc import AsyncAuthInterceptor, AuthInterceptor

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
SERVERS = ("grpc", "grpc.aio", "grpc.aio, in threads")


class Outcome(NamedTuple):
    """The result of a call, as its caller sees it."""

    code: grpc.StatusCode
    details: str
    challenge: str | None
    retry: str | None
    answer: list[bytes]

    @property
    def status(self) -> int:
        """Return the status of the table that is sent as this code; 401 stands for 400 too."""
        return {code: status for status, code in CODES.items()}[self.code]

    @property
    def body(self) -> bytes:
        return self.answer[0]


PATHS = {
    "Who": "/",
    "Orders": "/orders",
    "Org": "/org",
    "Open": "/open",
    "Deep": "/deep",
    "Typed": "/typed",
    "Caught": "/caught",
    "Bug": "/bug",
    "From": "/from",
    "Decorated": "/decorated",
}
METHODS: dict[str, Callable[[], bytes]] = {
    name: lambda path=path: json.dumps(act(path, current_token())).encode()
    for name, path in PATHS.items()
}
SCOPES = {
    method: wanted
    for kind in KINDS
    for method, wanted in {
        f"/test.{kind}/Orders": "orders:read",
        f"/test.{kind}/Org": Requirement(claims=ORG),
    }.items()
}
CODES = {
    200: grpc.StatusCode.OK,
    400: grpc.StatusCode.UNAUTHENTICATED,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    500: grpc.StatusCode.UNKNOWN,
    503: grpc.StatusCode.UNAVAILABLE,
}


def in_threads(kind: str, name: str, work: Callable[[], bytes]) -> Any:
    """Return a method for the sync server."""
    if kind.endswith("_unary"):

        def method(request: Any, context: Any) -> Any:
            return work()
    else:

        def method(request: Any, context: Any) -> Any:
            yield work()
            yield work()

    return requires("orders:read")(method) if name == "Decorated" else method


def in_tasks(kind: str, name: str, work: Callable[[], bytes]) -> Any:
    """Return a method for grpc.aio: one kind of stream yields, the other writes."""
    if kind.endswith("_unary"):

        async def method(request: Any, context: Any) -> Any:
            return work()
    elif kind == "unary_stream":

        async def method(request: Any, context: Any) -> Any:
            yield work()
            yield work()
    else:

        async def method(request: Any, context: Any) -> Any:
            await context.write(work())
            await context.write(work())

    return requires("orders:read")(method) if name == "Decorated" else method


def services(write: Any) -> list[Any]:
    return [
        grpc.method_handlers_generic_handler(
            f"test.{kind}",
            {
                name: getattr(grpc, f"{kind}_rpc_method_handler")(write(kind, name, work))
                for name, work in METHODS.items()
            },
        )
        for kind in KINDS
    ]


@contextmanager
def running_interceptor(interceptor: AuthInterceptor) -> Generator[int]:
    """Serve in threads until the block ends; yield the port."""
    pool = ThreadPoolExecutor(8)
    running = grpc.server(pool, handlers=services(in_threads), interceptors=[interceptor])
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    try:
        yield port
    finally:
        running.stop(None).wait(PATIENCE)
        pool.shutdown()


@contextmanager
def serving_grpc(server: str, client: Any, **settings: Any) -> Generator[int]:
    """Serve in threads or on an event loop until the block ends; yield the port."""
    if server == "grpc":
        with running_interceptor(AuthInterceptor(client, **settings)) as port:
            yield port
        return
    write = in_tasks if server == "grpc.aio" else in_threads
    ports: list[int] = []
    began, end = threading.Event(), asyncio.Event()
    loops: list[Any] = []

    async def live() -> None:
        interceptor = AsyncAuthInterceptor(client, **settings)
        pool = ThreadPoolExecutor(8)
        running = grpc.aio.server(pool, handlers=services(write), interceptors=[interceptor])
        ports.append(running.add_insecure_port("127.0.0.1:0"))
        await running.start()
        loops.append(asyncio.get_running_loop())
        began.set()
        await end.wait()
        await running.stop(None)
        await asyncio.to_thread(pool.shutdown)  # its threads end their streams through this loop

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        assert began.wait(PATIENCE)
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join(PATIENCE)
    assert not thread.is_alive()


def call(port: int, kind: str, method: str, *metadata: tuple[str, str]) -> Outcome:
    """Call one method with this metadata, over a channel for this call."""
    asked, answered = kind.split("_")
    request: Any = b"request" if asked == "unary" else iter([b"one", b"two"])
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = getattr(channel, kind)(f"/test.{kind}/{method}")
        if answered == "stream":
            calling = ask(request, metadata=metadata, timeout=PATIENCE)
            answer: list[bytes] = []
            with contextlib.suppress(grpc.RpcError):
                answer.extend(calling)
        else:
            try:
                one, calling = ask.with_call(request, metadata=metadata, timeout=PATIENCE)
                answer = [one]
            except grpc.RpcError as error:
                calling, answer = error, []
        trailing = dict(calling.trailing_metadata() or ())
        return Outcome(
            calling.code(),
            calling.details(),
            trailing.get("www-authenticate"),
            trailing.get("retry-after"),
            answer,
        )


def has(row: Row) -> bool:
    """Return whether a call can express a row: metadata only, and methods for paths."""
    plain = row.setup in ("plain", "optional", "named", "cold") and row.method == "GET"
    others = [name for name, value in row.headers if name == "Cookie" or not value.isascii()]
    path = row.path in PATHS.values()
    return plain and path and not (others or row.websocket or row.big)


class GrpcTable(Table):
    """The table of calls: each row is sent to all four kinds of method."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        with ExitStack() as stack:
            self._ports = {
                setup: stack.enter_context(
                    serving_grpc(self.integration.server, client, **self._settings(setup))
                )
                for setup, client in self.clients.items()
            }
            yield

    def _settings(self, setup: str) -> dict[str, Any]:
        exclude = [f"/test.{kind}/Open" for kind in KINDS] if setup == "plain" else []
        rest = {name: one for name, one in SETUPS[setup].items() if name != "exclude"}
        return {"scopes": SCOPES, "exclude": exclude, **rest}

    def ask(self, row: Row, kind: str = "unary_unary", **tokens: str) -> Outcome:
        method = {path: name for name, path in PATHS.items()}[row.path]
        named = {**self.tokens, **tokens}
        metadata = [(name.lower(), value.format_map(named)) for name, value in row.headers]
        return call(self._ports[row.setup], kind, method, *metadata)

    def assert_row(self, row: Row) -> None:
        self.refusals.clear()
        for kind in KINDS:
            code, details, challenge, retry, answer = self.ask(row, kind)
            assert (code, challenge) == (CODES[row.status], row.challenge)
            assert (retry is not None) is row.retry
            if row.code is not None:
                assert (details, answer) == (row.code, [])
            elif code == grpc.StatusCode.OK:
                found = json.loads(answer[0])
                assert {name: found[name] for name in row.sees} == row.sees
                assert len(answer) == (2 if kind.endswith("stream") else 1)
        expected = [(row.code, row.status)] * len(KINDS) if row.code else []
        assert [(one.code, one.status) for one in self.refusals] == expected
