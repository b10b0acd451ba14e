"""Write docs/frameworks/servers.md: each server and what it answered, as seen in this run.

``python tests/servers/report.py`` prints the page, ``--write`` writes it.
"""
# ruff: noqa: E402, T201 (a script: its folders are on the path only now, and it prints)

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "web")]

from requests_table import ROWS, Row, bearer
from server_processes import SERVERS, Provider, Running, Server, started

PAGE = HERE.parents[1] / "docs" / "frameworks" / "servers.md"
COLUMNS = {
    "good token": "a good token",
    "none": "no credentials",
    "malformed": "Bearer alone",
    "expired": "an expired token",
    "scope": "insufficient scope",
    "keys unavailable": "cold start, provider away",
    "excluded": "an excluded path",
    "WebSocket, good": "ws: a good token",
    "WebSocket, none": "ws: no credentials",
}
HEAD = """\
# Servers

The tests start each of these servers as a process, send it every request of one table, and compare
status, challenge and body. This page shows some of the rows as they were seen, and is written by
`python tests/servers/report.py --write`.

"""
NOTES = """
- Daphne does not offer denial responses for WebSockets: the middleware closes with 1008, which
  Daphne answers with 403. It does not run the lifespan either, so the first request loads the keys.
- Granian drops a header whose value is not ASCII from WSGI requests.
- Granian answers 200 for a WSGI application that is a generator, whatever status the application
  gives: return a list or an iterator from a plain function.
- WSGI has no start event: the first request loads the keys, unless you call `client.warm_up()`.
- uvicorn logs the URL of each WebSocket handshake at the level "info", the query included. If you
  accept tokens in the query, start it with `--log-level warning`.
- uvicorn 0.54 with websockets logs the error "ASGI callable returned without completing handshake" after every denied
  WebSocket handshake, whatever denied it. The client has its answer; ignore the record.
- uWSGI needs `--enable-threads` or `--threads`: without it, no thread of the application runs
  between requests, and a background refresh waits until the next request.
"""


def _status(running: Running, row: Row) -> str:
    if row.websocket and not (running.server.asgi and running.server.websockets):
        return "none"
    try:
        reply = running.ask(row)
    except ConnectionResetError:
        return "closed"
    return str(reply.status)


def _line(server: Server) -> str:
    provider = Provider()
    rows = {row.name: row for row in ROWS}
    with provider.serving() as environment, started(server, provider, environment) as running:
        seen = [_status(running, rows[name]) for name in COLUMNS.values()]
        provider.away.recover()
        away = Row(name="recovered", setup="cold", headers=(bearer("{away}"),))
        seen.append(str(running.until(away, 200).status))
    return f"| {server.name} | {' | '.join(seen)} |"


def main() -> None:
    """Ask every installed server."""
    names = (*COLUMNS, "after the outage")
    lines = [f"| server | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    lines += [_line(server) for server in SERVERS if server.installed]
    packages = sorted({part for one in SERVERS for part in one.module.split("+")})
    found = ", ".join(f"{one} {version(one.replace('uwsgi', 'pyuwsgi'))}" for one in packages)
    text = HEAD + "\n".join(lines) + f"\n\nSeen with {found}.\n" + NOTES
    if "--write" in sys.argv:
        PAGE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
