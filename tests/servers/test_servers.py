"""Real servers as separate processes: each gives the answers of the request table."""

from __future__ import annotations

import http.client
import json

import pytest
from requests_table import ROWS, Row, bearer
from server_processes import SERVERS, Provider, Running, seen, slug, started

GOOD = Row(name="a good token", headers=(bearer(),))
COLD = Row(name="cold start, provider away", setup="cold", headers=(bearer("{away}"),))
OPEN = Row(name="an excluded path", path="/open")


def applies(running: Running, row: Row) -> bool:
    """Return whether a row applies to this server; its log must have no traceback, so bugs are left out."""
    if row.status == 500 or (row.path == "/executor" and not running.server.asgi):
        return False
    return running.server.websockets and running.server.asgi if row.websocket else True


def differences(running: Running, row: Row) -> list[str]:
    """Return the differences between an answer and its row."""
    try:
        reply = running.ask(row)
    except (ConnectionResetError, http.client.IncompleteRead) as broken:
        return [f"no whole answer: {broken}"]
    if row.big and reply.headers.get("content-type") != "application/problem+json":
        return [] if reply.status in (400, 431) else [f"status {reply.status}"]
    wrong: list[str] = []
    if row.websocket and row.status >= 400 and not running.server.denial:
        return [] if reply.status == 403 else [f"status {reply.status}"]
    if (reply.status, reply.headers.get("www-authenticate")) != (row.status, row.challenge):
        wrong.append(f"{reply.status} {reply.headers.get('www-authenticate')!r}")
        return wrong
    if ("retry-after" in reply.headers) is not row.retry:
        wrong.append("Retry-After")
    if "x-evil" in reply.headers:
        wrong.append("a header of the client's")
    if row.method == "HEAD":
        return wrong
    if row.code is not None:
        if json.loads(reply.body)["code"] != row.code:
            wrong.append(reply.body.decode())
    elif reply.body:
        observed = seen(reply)
        observed["scopes"] = sorted(set(observed["scopes"]) - {"authenticated"})
        wrong += [
            f"{name}: {observed[name]!r}" for name in row.sees if observed[name] != row.sees[name]
        ]
        if reply.headers.get("sec-websocket-protocol") != row.protocol:
            wrong.append("subprotocol")
    return wrong


def test_every_request_has_the_answer_of_the_table(running):
    """A request has the status, challenge and body of the table on every server."""
    wrong = {
        row.name: found
        for row in ROWS
        if applies(running, row) and (found := differences(running, row))
    }
    assert wrong.keys() == running.server.own_answers.keys(), wrong


def test_each_worker_verifies(running):
    """Every process of a server accepts a good token, and refuses a forged one."""
    replies = [running.ask(GOOD) for _ in range(20 * running.server.workers)]
    assert {reply.status for reply in replies} == {200}
    forged = Row(name="forged", headers=(bearer("{forged}"),))
    assert {running.ask(forged).status for _ in range(4 * running.server.workers)} == {401}


def test_the_log_has_no_traceback_and_no_token(running):
    """A refusal is not an error of the server, and the server's log holds no token."""
    log = running.log
    assert "Traceback" not in log
    assert all(token not in log for token in running.provider.tokens.values())


def test_a_server_that_started_during_an_outage_recovers(running):
    """The answer is 503 with Retry-After while the provider is down; then the same token is accepted."""
    away = running.provider.away
    reply = running.ask(COLD)
    assert (reply.status, "retry-after" in reply.headers) == (503, True)
    away.recover()
    try:
        assert running.until(COLD, 200).status == 200
    finally:
        away.fail(503)


@pytest.mark.parametrize("server", SERVERS, ids=slug)
def test_keys_are_loaded_before_the_first_token(server):
    """The server's start loads the keys; without a lifespan the first request of any kind does."""
    provider = Provider()
    with provider.serving() as environment, started(server, provider, environment) as running:
        if not server.lifespan or not server.asgi:
            assert running.ask(OPEN).status == 200
        assert provider.until_fetched()


@pytest.mark.parametrize("server", [one for one in SERVERS if "preload" in one.name], ids=slug)
@pytest.mark.parametrize("start", range(5))
def test_workers_forked_from_a_preloaded_app_verify(server, start):
    """After a fork at any moment of the warm-up the workers verify; each start tries another moment."""
    provider = Provider()
    with provider.serving() as environment, started(server, provider, environment) as running:
        assert {running.ask(GOOD).status for _ in range(12)} == {200}
