"""Real gRPC servers on loopback, of all three ways to write methods, and calls of all four kinds.

Each kind of method is a service, ``test.unary_unary`` and so on; its methods are the paths of
`framework_apps`, and ``Who`` answers with the caller's subject.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import grpc.aio
from edge_running import PATIENCE

from jwks_client import JWKSError
from jwks_client.asgi import current_token
from jwks_client.decorators import requires
from jwks_client.integrations.grpc import AsyncAuthInterceptor, AuthInterceptor

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
SERVERS = ("grpc", "grpc.aio", "grpc.aio, in threads")


class Outcome(NamedTuple):
    """What a caller sees of a call."""

    code: grpc.StatusCode
    details: str
    challenge: str | None
    retry: str | None
    answer: list[bytes]


def who() -> bytes:
    token = current_token()
    return (token.subject if token else "nobody").encode()


def deep() -> bytes:
    current_token().require("deep")
    raise AssertionError


def caught() -> bytes:
    with contextlib.suppress(JWKSError):
        deep()
    return b"handled"


def bug() -> bytes:
    caught()
    raise KeyError("a mistake of the application")


METHODS: dict[str, Callable[[], bytes]] = {
    "Who": who,
    "Orders": who,
    "Claims": who,
    "Open": who,
    "Deep": deep,
    "Caught": caught,
    "Bug": bug,
    "Decorated": who,
}


def in_threads(kind: str, name: str, work: Callable[[], bytes]) -> Any:
    """A method as the sync server has it."""
    if kind.endswith("_unary"):

        def method(request: Any, context: Any) -> Any:
            return work()
    else:

        def method(request: Any, context: Any) -> Any:
            yield work()
            yield work()

    return requires("orders:read")(method) if name == "Decorated" else method


def in_tasks(kind: str, name: str, work: Callable[[], bytes]) -> Any:
    """A method as grpc.aio has it: one kind of stream yields, the other writes."""
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
    """Serve in threads until the block ends; gives the port."""
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
def serving_grpc(server: str, idp: Any, **settings: Any) -> Generator[int]:
    """Serve in threads or on a loop of its own until the block ends; gives the port."""
    listeners = settings.pop("listeners", ())
    if server == "grpc":
        client = idp.client(listeners=listeners)
        with running_interceptor(AuthInterceptor(client, **settings)) as port:
            yield port
        return
    write = in_tasks if server == "grpc.aio" else in_threads
    ports: list[int] = []
    began, end = threading.Event(), asyncio.Event()
    loops: list[Any] = []

    async def live() -> None:
        interceptor = AsyncAuthInterceptor(idp.async_client(listeners=listeners), **settings)
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
    """Call one method with this metadata, over a channel of its own."""
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
