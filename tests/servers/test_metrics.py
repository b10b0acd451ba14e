"""Prometheus' multiprocess mode under a real gunicorn."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from requests_table import Row, bearer
from server_processes import Provider, Running, Server, started

GUNICORN = Server(
    name="gunicorn (metrics)",
    module="gunicorn+prometheus_client",
    command=(
        *(sys.executable, "-m", "gunicorn", "metrics_app:application", "--workers", "2"),
        *("--bind", "127.0.0.1:{port}"),
    ),
    asgi=False,
    workers=2,
)


def verified(running: Running) -> float:
    """How many accepted tokens /metrics reports, of all workers together."""
    text = running.ask(Row(name="", path="/metrics")).body.decode()
    lines = [one for one in text.splitlines() if one.startswith("jwks_client_verifications_total")]
    assert len(lines) <= 1, "workers share their series"
    return sum(float(one.split()[-1]) for one in lines)


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_the_counters_of_both_workers_add_up(provider: Provider, tmp_path, preload: bool) -> None:
    """Each token that one of two workers accepted is in /metrics once, whichever worker answers it."""
    counts, meeting = tmp_path / "counts", tmp_path / "meeting"
    counts.mkdir()
    meeting.mkdir()
    server = replace(GUNICORN, command=(*GUNICORN.command, *["--preload"] * preload))
    with provider.serving() as environment, ThreadPoolExecutor(2) as pool:
        environment |= {"PROMETHEUS_MULTIPROC_DIR": str(counts), "MEETING_PLACE": str(meeting)}
        with started(server, provider, environment) as running:

            def both(number: int) -> int:
                """A request to each worker at once; returns how many were accepted until now."""
                row = Row(name="", path=f"/both?{number}", headers=(bearer(),))
                assert [one.body for one in pool.map(running.ask, [row, row])] == [b"met"] * 2
                return 2 * (number + 1)

            for number in range(5):
                both(number)
            pause = threading.Event()
            for number in range(5, 15):
                pause.wait(1.1)  # a worker reports once a second, with the next token
                sent = both(number)
                if verified(running) == sent:
                    break
            assert verified(running) == sent
