"""Servers as processes on free loopback ports, started and ended by the tests."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from edge_running import PATIENCE, Reply, ask

from jwks_client.testing import FakeProvider

if TYPE_CHECKING:
    from requests_table import Row

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One way to run an app.

    Attributes:
        name: its usual name.
        module: the package that must be installed.
        command: of the process; ``{port}`` is filled in.
        asgi: which of the two interfaces it serves.
        websockets: whether it serves WebSockets.
        lifespan: whether it runs the app's start and end.
        workers: processes that answer requests.
        denial: whether it offers denial responses for handshakes; otherwise a close is its 403.
        own_answers: rows of the table that the server answers or changes before the app sees them,
            with the reason.
    """

    name: str
    module: str
    command: tuple[str, ...]
    asgi: bool = True
    websockets: bool = True
    lifespan: bool = True
    workers: int = 1
    denial: bool = True
    own_answers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def installed(self) -> bool:
        """Return whether it can be started here."""
        if self.module == "uwsgi":
            return (Path(sys.executable).parent / "uwsgi").exists()
        return all(importlib.util.find_spec(one) for one in self.module.split("+"))


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _uvicorn(*arguments: str) -> tuple[str, ...]:
    # At the level "info" uvicorn logs the whole URL of each handshake, with a token in the query.
    quiet = ("--host", "127.0.0.1", "--port", "{port}", "--no-access-log", "--log-level", "warning")
    return _python("uvicorn", "asgi_app:application", *quiet, *arguments)


def _gunicorn(*arguments: str) -> tuple[str, ...]:
    return _python("gunicorn", "wsgi_app:application", "-b", "127.0.0.1:{port}", *arguments)


def _uwsgi(*arguments: str) -> tuple[str, ...]:
    program = str(Path(sys.executable).parent / "uwsgi")
    own = ("--http-socket", "127.0.0.1:{port}", "--module", "wsgi_app", "--master", "--need-app")
    big = ("--buffer-size", "65535", "--die-on-term", "--disable-logging")
    return (program, *own, *big, "--home", sys.prefix, *arguments)


SERVERS = (
    Server(
        name="uvicorn (asyncio, h11)",
        module="uvicorn",
        command=_uvicorn("--loop", "asyncio", "--http", "h11", "--ws", "websockets"),
    ),
    Server(
        name="uvicorn (uvloop, httptools)",
        module="uvicorn+uvloop+httptools",
        command=_uvicorn("--loop", "uvloop", "--http", "httptools", "--ws", "wsproto"),
    ),
    Server(
        name="uvicorn (2 workers)",
        module="uvicorn",
        command=_uvicorn("--workers", "2"),
        workers=2,
    ),
    Server(
        name="uvicorn (no lifespan)",
        module="uvicorn",
        command=_uvicorn("--lifespan", "off"),
        lifespan=False,
    ),
    Server(
        name="hypercorn",
        module="hypercorn",
        command=_python("hypercorn", "asgi_app:application", "-b", "127.0.0.1:{port}"),
    ),
    Server(
        name="granian (ASGI)",
        module="granian",
        command=_python(
            "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}",
            "--no-access-log", "asgi_app:application",
        ),
    ),
    Server(
        name="granian (WSGI)",
        module="granian",
        command=_python(
            "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}",
            "--no-access-log", "wsgi_app:application",
        ),
        own_answers={"non-ASCII": "drops the header, so the request has no credentials"},
        asgi=False,
    ),
    Server(
        name="daphne",
        module="daphne",
        command=_python(
            "daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0", "asgi_app:application"
        ),
        lifespan=False,
        denial=False,
        own_answers={"100 KB of header": "closes the connection"},
    ),
    Server(
        name="gunicorn (sync)",
        module="gunicorn",
        command=_gunicorn("--workers", "2"),
        asgi=False,
        workers=2,
    ),
    Server(
        name="gunicorn (gthread)",
        module="gunicorn",
        command=_gunicorn("--worker-class", "gthread", "--threads", "4"),
        asgi=False,
    ),
    Server(
        name="gunicorn (gevent)",
        module="gunicorn+gevent",
        command=_gunicorn("--worker-class", "gevent"),
        asgi=False,
    ),
    Server(
        name="gunicorn (sync, --preload)",
        module="gunicorn",
        command=_gunicorn("--workers", "2", "--preload"),
        asgi=False,
        workers=2,
    ),
    Server(
        name="gunicorn (gthread, --preload)",
        module="gunicorn",
        command=_gunicorn("--workers", "2", "--preload", "--worker-class", "gthread"),
        asgi=False,
        workers=2,
    ),
    Server(
        name="gunicorn (uvicorn workers)",
        module="gunicorn+uvicorn_worker",
        command=_python(
            "gunicorn", "asgi_app:application", "-b", "127.0.0.1:{port}",
            "--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker",
            "--log-level", "warning",
        ),
        workers=2,
    ),
    Server(
        name="uWSGI",
        module="uwsgi",
        command=_uwsgi("--processes", "2"),
        own_answers={"100 KB of header": "closes the connection"},
        asgi=False,
        workers=2,
    ),
    Server(
        name="uWSGI (threads)",
        module="uwsgi",
        command=_uwsgi("--processes", "2", "--threads", "2"),
        own_answers={"100 KB of header": "closes the connection"},
        asgi=False,
        workers=2,
    ),
)  # fmt: skip


class Provider:
    """Two fake providers on loopback, and the tokens of the table: ``away`` fails until recovered."""

    def __init__(self) -> None:
        self.idp = FakeProvider(issuer="https://issuer.test", audience="api")
        self.away = FakeProvider(issuer="https://issuer.test", audience="api")
        forger = FakeProvider(issuer="https://issuer.test", audience="api")
        self.away.fail(503)
        self.tokens = {
            "good": self.idp.issue(scope="orders:read", org_id="o1"),
            "poor": self.idp.issue(),
            "away": self.away.issue(scope="orders:read"),
            "expired": self.idp.issue(expires_in=-3600),
            "foreign": self.idp.issue(aud="another"),
            "forged": forger.issue(),
            "hostile": self.idp.issue(
                sub='"\r\nX-Evil: 1', scope='"\r\nX-Evil:', client_id='\r\nX-Evil: 1\r\n"'
            ),
        }

    def until_fetched(self) -> bool:
        """Wait, within patience, until the key set was fetched."""
        pause = threading.Event()
        for _ in range(200):
            if self.idp.fetches:
                break
            pause.wait(0.05)
        return self.idp.fetches > 0

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        """Serve both; yield the environment that names them."""
        with self.idp.serve() as url, self.away.serve() as away:
            yield {"PROVIDER_URL": url, "AWAY_URL": away}


class Running:
    """A started server: its port, its log, and requests to it."""

    def __init__(self, server: Server, port: int, provider: Provider, log: Path) -> None:
        self.server = server
        self.port = port
        self.provider = provider
        self._log = log

    @property
    def log(self) -> str:
        """Return what the server has written so far."""
        return self._log.read_text(errors="replace")

    def ask(self, row: Row) -> Reply:
        """Send a row's request as octets on a new connection."""
        return ask(self.port, row, self.provider.tokens)

    def until(self, row: Row, status: int) -> Reply:
        """Repeat the request until the answer has this status, within patience."""
        pause = threading.Event()
        reply = self.ask(row)
        for _ in range(200):
            if reply.status == status:
                break
            pause.wait(0.05)
            reply = self.ask(row)
        return reply


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def started(
    server: Server, provider: Provider, environment: Mapping[str, str]
) -> Iterator[Running]:
    """Start a server and wait until it listens; finally end it by its own process group."""
    if not server.installed:
        pytest.skip(f"{server.module} is not installed")
    port = _free_port()
    folder = Path(tempfile.mkdtemp(prefix="server-"))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in server.command],
            cwd=HERE,
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(_paths())},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        pause = threading.Event()
        for _ in range(400):
            if process.poll() is not None or _is_listening(port):
                break
            pause.wait(0.05)
        assert process.poll() is None, f"{server.name} ended at once:\n{log.read_text()}"
        assert _is_listening(port), f"{server.name} does not listen:\n{log.read_text()}"
        yield Running(server, port, provider, log)
    finally:
        _end(process)
        shutil.rmtree(folder)


def _paths() -> list[str]:
    return [str(HERE), str(HERE.parent / "web"), *(one for one in sys.path if one)]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE / 2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a worker that did not end with its master
    process.wait(PATIENCE)


def seen(reply: Reply) -> dict[str, Any]:
    """Return what the app saw of a request."""
    found: dict[str, Any] = json.loads(reply.body)
    return found


def slug(server: Server) -> str:
    """Return the name of a server in test ids."""
    return re.sub(r"\W+", "-", server.name).strip("-")
