"""Measure the cost of protecting an app: calls of the ASGI app, and requests to a real server."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

from jwks_client import JWKSClient

from .measuring import Contestant, Feed, Measure, each_awaited, in_turn, interleaved
from .report import Row, Section, at_most, micro, times
from .scene import issued
from .web_apps import OPEN, apps, fastapi_apps, provider_of

WHAT = {
    "/open": OPEN,
    "/cached": "under JWKSMiddleware, the same token again",
    "/signature": "under a middleware that checks signatures only, distinct tokens",
    "/distinct": "under JWKSMiddleware, distinct tokens",
}
CONNECTIONS = 16


class Server(NamedTuple):
    """A way to run uvicorn, and the highest accepted cost of a cached and a distinct token."""

    parser: str
    loop: str
    cached: float
    distinct: float

    @property
    def installed(self) -> bool:
        return all(map(find_spec, ("uvicorn", self.parser, self.loop)))


# As `pip install uvicorn` installs it, and as `uvicorn[standard]` does.
SERVERS = (
    Server("h11", "asyncio", cached=1.25, distinct=1.35),
    Server("httptools", "uvloop", cached=1.22, distinct=1.5),
)


class Round(NamedTuple):
    """The server's CPU seconds and the elapsed seconds per request, by path."""

    used: dict[str, float]
    waited: dict[str, float]


class Web(NamedTuple):
    tokens: list[bytes]
    asked: dict[str, Any]


def web(measure: Measure) -> list[Section]:
    from jwks_client.testing import FakeProvider

    idp = FakeProvider()
    here = Web(
        issued(idp, measure.tokens),
        {
            "issuer": idp.issuer,
            "audience": "api",
            "jwks": idp.jwks(),
            "tokens": measure.tokens,
        },
    )
    sections = [called(here, measure), fastapi_called(here, measure)]
    sections.extend(served(here, measure, server) for server in SERVERS if server.installed)
    return sections


def _rows(
    measured: dict[str, str], seconds: dict[str, float], server: Server | None = None
) -> list[Row]:
    cached = seconds["/cached"] / seconds["/open"]
    distinct = seconds["/distinct"] / seconds["/signature"]
    return [
        *(
            Row(
                what,
                measured[path],
                times(seconds[path] / seconds["/open"]),
                at_most(cached, server.cached) if server and path == "/cached" else "",
            )
            for path, what in WHAT.items()
        ),
        Row(
            "distinct tokens: JWKSMiddleware compared with signatures only",
            "",
            times(distinct),
            at_most(distinct, server.distinct) if server else "",
        ),
    ]


# --- called as a function, without a server


def called(here: Web, measure: Measure) -> Section:
    provider = provider_of(here.asked)
    key = JWKSClient(provider).get_signing_key(here.asked["jwks"]["keys"][0]["kid"]).key
    seconds = _seconds(
        apps(provider, key, measure.tokens),
        lambda path: _scopes(path, here.tokens[:1] if path == "/cached" else here.tokens, measure),
        measure,
    )
    return Section(
        "An ASGI app, called without a server",
        "The app is called directly, so a request costs only the app and the middleware.",
        "relative to the open app",
        _rows({path: micro(one) for path, one in seconds.items()}, seconds),
    )


def _seconds(
    asked: dict[str, Any], feed_of: Callable[[str], Feed], measure: Measure
) -> dict[str, float]:
    """Return how long a call of each app takes."""
    loop = asyncio.new_event_loop()
    contestants = {
        name: Contestant(feed_of(name), each_awaited(_caller(one), loop))
        for name, one in asked.items()
    }
    seconds = interleaved(contestants, measure.rounds)
    loop.close()
    return seconds


def _scopes(path: str, tokens: list[bytes], measure: Measure) -> Feed:
    feed = in_turn(tokens, measure.chunk)
    return lambda: [_scope(path, token) for token in feed()]


def _scope(path: str, token: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"accept", b"*/*"),
            (b"authorization", b"Bearer " + token),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def _caller(one: Any) -> Any:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent[:] = [message]

    async def call(scope: dict[str, Any]) -> None:
        await one(scope, receive, send)
        assert sent[0]["body"] == b'{"fine":true}'

    return call


def fastapi_called(here: Web, measure: Measure) -> Section:
    seconds = _seconds(
        fastapi_apps(provider_of(here.asked)),
        lambda _: _scopes("/", here.tokens[:1], measure),
        measure,
    )
    return Section(
        "A FastAPI app, called without a server",
        "The same token again, in process: a dependency compared with the middleware.",
        "relative to the open app",
        [Row(what, micro(one), times(one / seconds[OPEN])) for what, one in seconds.items()],
    )


# --- served by uvicorn, in a separate process


def served(here: Web, measure: Measure, server: Server) -> Section:
    rounds: list[Round] = []
    for _ in range(measure.layouts):  # as for verification
        with _running(here, server) as port:
            rounds += asyncio.run(_loaded(here, port, measure))
    used = {path: statistics.median(one.used[path] for one in rounds) for path in WHAT}
    waited = {path: statistics.median(one.waited[path] for one in rounds) for path in WHAT}
    measured = {
        path: f"{1 / waited[path]:.0f} requests/s, {micro(used[path])} of CPU each" for path in WHAT
    }
    return Section(
        f"An ASGI app, served by uvicorn with {server.parser} and {server.loop}",
        f"One server process; a second process asks it over {CONNECTIONS} connections that stay "
        "open. The ratios compare the CPU time of the server, so a slow load generator does not "
        f"hide anything. The median of {measure.layouts} servers, one after the other.",
        "CPU time relative to the open app",
        _rows(measured, used, server),
    )


@contextmanager
def _running(here: Web, server: Server) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.web_apps", server.parser, server.loop]
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(here.asked))
        process.stdin.close()
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def _loaded(here: Web, port: int, measure: Measure) -> list[Round]:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    feeds = {
        path: in_turn(here.tokens[:1] if path == "/cached" else here.tokens, measure.requests)
        for path in WHAT
    }
    rounds: list[Round] = []
    for _ in range(1 + max(2, measure.rounds // measure.layouts // 8)):
        this = Round({}, {})
        rounds.append(this)
        for path, feed in feeds.items():
            requests = [_request(path, token) for token in feed()]
            before = json.loads(await _ask(*connections[0], _request("/cpu", b"none")))
            begun = perf_counter()
            await asyncio.gather(
                *(
                    _ask_all(*connection, requests[place::CONNECTIONS])
                    for place, connection in enumerate(connections)
                )
            )
            took = perf_counter() - begun
            after = json.loads(await _ask(*connections[0], _request("/cpu", b"none")))
            this.used[path] = (after - before) / len(requests)
            this.waited[path] = took / len(requests)
    for _, writer in connections:
        writer.close()
        await writer.wait_closed()
    return rounds[1:]  # the first round is a warm-up


def _request(path: str, token: bytes) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nAuthorization: Bearer ".encode()
        + token
        + b"\r\n\r\n"
    )


async def _ask_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]
) -> None:
    for request in requests:
        assert await _ask(reader, writer, request) == b'{"fine":true}'


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head.partition(b"\r\n")[0]
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))
