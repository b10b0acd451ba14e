"""Start and end: keys are loaded and the client is closed, whether or not the app supports lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Any

import httpx
import pytest
import trio
from asgi_calls import PATIENCE, Call, StandIn, client_of, fine, http_scope
from edge_running import ASGI_SERVERS, serving

from jwks_client import AsyncJWKSClient
from jwks_client.asgi import JWKSMiddleware
from jwks_client.errors import KeysUnavailableError

SCOPE = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
STARTED, ENDED = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}
AWAY = KeysUnavailableError("fetch_timeout", "not all key sets were loaded in time")


def living(notes: list[str], *, started: Any = STARTED, ended: Any = ENDED) -> Any:
    """Return an app that supports lifespan, and records its messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        notes.append((await receive())["type"])
        await send(started)
        if started is STARTED:
            notes.append((await receive())["type"])
            await send(ended)

    return app


async def only_http(scope: Any, receive: Any, send: Any) -> None:
    """Raise for any scope but http, as the specification asks of an app without lifespan."""
    assert scope["type"] == "http"
    await fine(scope, receive, send)


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Return at once for lifespan, as an app that ignores it does."""


def live(app: Any, client: Any, **settings: Any) -> list[dict[str, Any]]:
    """Return the messages that the server gets in one lifespan."""
    one = Call(STARTUP, SHUTDOWN)
    asyncio.run(one.to(JWKSMiddleware(app, client, **settings), dict(SCOPE)))
    return one.sent


@pytest.mark.parametrize("how", ["background", "required", None])
@pytest.mark.parametrize("closes", [True, False])
def test_the_app_s_own_lifespan_still_runs(how, closes):
    """Keys are loaded as configured, the client is closed only if configured, and the app sees both messages."""
    notes: list[str] = []
    client = StandIn()
    sent = live(living(notes), client, warm_up=how, close_client=closes)
    assert sent == [STARTED, ENDED]
    assert notes == ["lifespan.startup", "lifespan.shutdown"]
    assert ("warm_up 10" in client.asked) is (how is not None)
    assert client.asked.count("aclose") == closes


@pytest.mark.parametrize("app", [only_http, silent, fine])
@pytest.mark.parametrize("how", ["background", "required"])
def test_an_app_without_lifespan_is_answered_for(app, how):
    """An app without lifespan still has its keys loaded and its client closed, and the server gets a start and an end."""
    client = StandIn()
    assert live(app, client, warm_up=how, close_client=True) == [STARTED, ENDED]
    assert client.asked == ["warm_up 10", "aclose"]


def test_an_app_without_lifespan_is_left_alone_where_there_is_nothing_to_do():
    """Without warm-up and close_client the app's own reaction to lifespan reaches the server."""
    with pytest.raises(AssertionError):
        live(only_http, StandIn(), warm_up=None)
    assert live(silent, StandIn(), warm_up=None) == []


@pytest.mark.parametrize("error", [AWAY, RuntimeError("a stand-in's")])
def test_a_required_warm_up_that_fails_fails_the_start(error):
    """The app is not started, the server gets the reason, and the client is closed if configured."""
    notes: list[str] = []
    client = StandIn(warm_up=error)
    (sent,) = live(living(notes), client, warm_up="required", close_client=True)
    assert sent["type"] == "lifespan.startup.failed"
    assert sent["message"].startswith("keys could not be loaded: ")
    assert notes == []
    assert client.asked == ["warm_up 10", "aclose"]


@pytest.mark.parametrize("how", ["background", "required", None])
def test_a_server_that_runs_trio_does_not_start(idp, how):
    """The start of a server without asyncio fails, with a message that says what to do instead, before any request."""
    notes: list[str] = []
    app = JWKSMiddleware(living(notes), idp.async_client(), warm_up=how)
    sent: list[Any] = []

    async def receive() -> Any:
        return STARTUP

    async def send(message: Any) -> None:
        sent.append(message)

    trio.run(app, SCOPE, receive, send)
    [failed] = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert "use JWKSClient in a thread" in failed["message"]
    assert notes == []


@pytest.mark.parametrize("error", [AWAY, RuntimeError("a stand-in's")])
def test_a_failed_background_warm_up_is_only_logged(error, caplog):
    """A background warm-up that fails is logged, and the first request tries again."""
    logged: list[asyncio.Event] = []

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged[0].set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        logged.append(asyncio.Event())
        await receive()
        await send(STARTED)
        await logged[0].wait()
        await receive()
        await send(ENDED)

    logger, handler = logging.getLogger("jwks_client"), Noticing()
    logger.addHandler(handler)
    try:
        assert live(app, StandIn(warm_up=error)) == [STARTED, ENDED]
    finally:
        logger.removeHandler(handler)
    assert "keys could not be loaded" in caplog.text


@pytest.mark.parametrize("closes", [True, False])
def test_the_background_warm_up_delays_neither_start_nor_end(idp, closes):
    """The start completes while the keys are still being loaded, and the end does not wait either."""
    held_back: list[Any] = []

    async def story() -> None:
        client = client_of(idp)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(STARTED)
            await held.wait_async()  # the fetch is in flight
            held_back.append(client.health()["issuer.test"].state)
            await receive()
            await send(ENDED)

        with idp.hold() as held:
            one = Call(STARTUP, SHUTDOWN)
            await one.to(JWKSMiddleware(app, client, close_client=closes), dict(SCOPE))
            assert one.sent == [STARTED, ENDED]
            left = {task.get_name() for task in asyncio.all_tasks()}
            assert "jwks-client warm-up" not in left, "it does not outlive the end"

    asyncio.run(story())
    assert held_back == ["cold"]


def test_the_required_warm_up_ends_before_the_app_starts(idp):
    """With warm_up="required" the app starts with its keys loaded."""
    states: list[str] = []

    async def story() -> None:
        client = client_of(idp)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            states.append(client.health()["issuer.test"].state)
            await living([])(scope, receive, send)

        await Call(STARTUP, SHUTDOWN).to(
            JWKSMiddleware(app, client, warm_up="required"), dict(SCOPE)
        )

    asyncio.run(story())
    assert states == ["fresh"]


def test_the_app_may_use_the_client_until_its_end(idp):
    """The client is closed after the app has ended, before the server gets the message."""
    client = StandIn()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        client.asked.append("the app's last")
        await send(ENDED)
        client.asked.append("reported")

    live(app, client, close_client=True)
    assert client.asked == ["warm_up 10", "the app's last", "aclose", "reported"]


def test_a_client_that_cannot_be_closed_does_not_stop_the_server(caplog):
    """A failure to close the client is logged, and the server still gets the end."""
    client = StandIn(close=RuntimeError("stuck"))
    assert live(living([]), client, close_client=True) == [STARTED, ENDED]
    assert "could not be closed" in caplog.text


def test_an_app_that_fails_its_start_fails_it():
    """The app's own failure message reaches the server, and the client's part ends with it."""
    failed = {"type": "lifespan.startup.failed", "message": "no database"}
    client = StandIn()
    sent = live(living([], started=failed), client, warm_up="required", close_client=True)
    assert sent == [failed]
    assert client.asked == ["warm_up 10", "aclose"]


@pytest.mark.parametrize("how", ["background", "required"])
def test_an_app_that_raises_at_its_start_fails_the_start(idp, how):
    """An exception of the app at startup reaches the server, which ends or continues as without the middleware. If the server continues, its client is open, and no warm-up is left running."""
    one, asked = Call(STARTUP, SHUTDOWN), StandIn()
    left: set[str] = set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise LookupError("the database is not there")

    async def story() -> None:
        protected = JWKSMiddleware(app, asked, warm_up=how, close_client=True)
        try:
            await one.to(protected, dict(SCOPE))
        finally:
            left.update(task.get_name() for task in asyncio.all_tasks())

    with pytest.raises(LookupError):
        asyncio.run(story())
    assert one.sent == []
    assert "aclose" not in asked.asked
    assert "jwks-client warm-up" not in left


def test_an_app_that_receives_its_start_and_returns_is_answered_for():
    """An app that receives its start and returns raised nothing, so the client lives until the server's end."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    client = StandIn()
    assert live(app, client, warm_up="required", close_client=True) == [STARTED, ENDED]
    assert client.asked == ["warm_up 10", "aclose"]


@pytest.mark.parametrize("protect", [True, False])
def test_a_server_refuses_to_start_an_app_that_fails_its_start(idp, protect):
    """uvicorn with lifespan="on" ends with the middleware as it does without."""
    uvicorn = pytest.importorskip("uvicorn")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise LookupError("the database is not there")

    served: Any = JWKSMiddleware(app, client_of(idp)) if protect else app
    config = uvicorn.Config(served, port=0, log_config=None, ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=_run, args=(server,))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not server.started


def test_an_exception_after_the_start_is_raised():
    """An exception after startup reaches the server, and the client is closed."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        raise ValueError("theirs")

    client = StandIn()
    with pytest.raises(ValueError):
        live(app, client, warm_up="required", close_client=True)
    assert client.asked == ["warm_up 10", "aclose"]


def test_a_server_that_is_cancelled_while_it_starts_closes_the_client():
    """Cancellation during the app's life passes through, and leaves no background work of the client."""
    client = StandIn()

    async def story() -> None:
        one = Call(STARTUP)  # and then nothing
        begun = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(STARTED)
            begun.set()
            await receive()

        protected = JWKSMiddleware(app, client, close_client=True)
        task = asyncio.create_task(protected(dict(SCOPE), one.receive, one.send))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()

    asyncio.run(story())
    assert client.asked[-1] == "aclose"


# Under real servers.


def ask(port: int, token: str) -> int:
    """Return the status of a request."""
    answer = httpx.get(
        f"http://127.0.0.1:{port}/", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    return answer.status_code


@pytest.mark.extended
@pytest.mark.parametrize("server", ASGI_SERVERS)
@pytest.mark.parametrize("app", [only_http, fine, silent])
def test_servers_run_an_app_without_lifespan(idp, server, app, caplog):
    """The keys are loaded at startup and the client is closed at shutdown, whatever the app supports."""
    caplog.set_level(logging.WARNING)
    client = client_of(idp)
    protected = JWKSMiddleware(app, client, warm_up="required", close_client=True)
    with serving(protected, server) as port:
        if app is not silent:
            assert ask(port, idp.issue()) == 200
        else:
            assert ask(port, "junk") == 401
        assert idp.fetches == 1
    idp.rotate()
    with pytest.raises(KeysUnavailableError, match="closed"):
        asyncio.run(client.refresh())
    assert caplog.records == []


def test_without_lifespan_the_first_request_loads_the_keys(idp):
    """Some servers call nothing at startup (uvicorn --lifespan off, many test clients)."""
    one = Call()
    asyncio.run(one.to(JWKSMiddleware(fine, client_of(idp)), http_scope(idp.issue())))
    assert (one.status, idp.fetches) == (200, 1)


def test_a_required_warm_up_is_limited_in_time(idp, monkeypatch):
    """If the provider never responds, startup fails at the end of the client's time limit."""
    client = client_of(idp)
    real = client.warm_up

    async def impatient() -> None:
        await real(timeout=0)

    monkeypatch.setattr(client, "warm_up", impatient)
    with idp.hold():
        (sent,) = live(living([]), client, warm_up="required")
    assert sent["type"] == "lifespan.startup.failed"
    assert "fetch_timeout" in sent["message"]


def test_a_server_does_not_start_without_required_keys(idp):
    """uvicorn's start fails, and it never listens."""
    uvicorn = pytest.importorskip("uvicorn")
    idp.fail(503)
    client: AsyncJWKSClient = client_of(idp)
    app = JWKSMiddleware(fine, client, warm_up="required")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=_run, args=(server,))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not server.started


def _run(server: Any) -> None:
    with contextlib.suppress(SystemExit):  # some releases exit with it
        server.run()
