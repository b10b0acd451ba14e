"""``jwks-client demo``: its steps pass, it checks itself, and it leaves nothing behind."""

import asyncio
import io
import json
import os
import re
import signal

import pytest
from click.testing import CliRunner
from rich.console import Console
from running import is_listening, run, running, wait_for_end

from jwks_client.cli._app import commands
from jwks_client.cli._demo import steps
from jwks_client.cli._demo.report import (
    Finding,
    RecordedReport,
    Report,
    at_least,
    at_most,
    note,
    same,
)
from jwks_client.cli._demo.stage import Server, StageError
from jwks_client.cli._demo.steps import STEPS, Step, perform

URL = re.compile(r"http://127\.0\.0\.1:\d+")


def servers_of(process):
    """Return the base URLs of provider and API from the demo's first lines."""
    urls = []
    while len(urls) < 2:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        urls += URL.findall(line)
    return urls


def test_it_prints_json(capsys):
    """With ``--json`` the demo is one object with the same steps and checks, and the result."""
    report = RecordedReport()
    report.opening("http://127.0.0.1:1", "http://127.0.0.1:2")
    for number, holds in ((1, True), (2, False)):
        with report.step(number, f"step {number}"):
            report.findings([same("what", "a", "a" if holds else "b"), note("by the way", "c")])
    report.say("not printed")
    report.end(["step 2"], 1.234)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["ok"], printed["failed"], printed["seconds"]) == (False, ["step 2"], 1.2)
    assert [one["title"] for one in printed["steps"]] == ["step 1", "step 2"]
    assert [one["holds"] for one in printed["steps"][1]["checks"]] == [False, True]


def test_every_step_passes():
    """The whole demo names each step, gets all expected results, prints no token and exits with 0."""
    ended = run("demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    for number, step in enumerate(STEPS, 1):
        assert f"{number}. {step.title}" in ended.stdout
    for code in ("bad_signature", "token_expired", "wrong_audience", "algorithm_not_allowed"):
        assert f"got 401 {code}\n" in ended.stdout
    for result in ("200, stale", "503 fetch_failed", "401 unknown_key"):
        assert f"got {result}\n" in ended.stdout
    assert "FAILED" not in ended.stdout
    assert "\x1b" not in ended.stdout  # plain in a pipe
    assert not re.search(r"eyJ[\w-]{20}", ended.stdout)
    assert [url for url in set(URL.findall(ended.stdout)) if is_listening(url)] == []


def perform_on_nothing(*acts):
    """Run steps without servers; return which failed, and the output."""
    output = io.StringIO()
    played = [Step(f"step {number}", act) for number, act in enumerate(acts, 1)]
    report = Report(Console(file=output, width=100))
    return asyncio.run(perform(played, None, report)), output.getvalue()


async def good(_):
    return [same("colour", "red", "red")]


async def wrong(_):
    return [same("colour", "red", "blue"), same("size", 1, 1)]


async def breaks(_):
    async def one_of_many():
        raise ConnectionResetError("gone")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one_of_many())


def test_an_unexpected_result_fails_the_step():
    """One unexpected result fails its step, which is named; the next steps still run."""
    failed, output = perform_on_nothing(good, wrong, good)
    assert failed == ["2. step 2"]
    assert re.search(r"FAILED +colour +expected red +got blue", output)
    assert "3. step 3" in output


def test_a_step_that_raises_is_the_last():
    """A step that raises has failed, its cause is printed, and no further step runs."""
    failed, output = perform_on_nothing(good, breaks, good)
    assert failed == ["2. step 2"]
    assert re.search(
        r"FAILED +the step completes +expected yes +got ConnectionResetError: gone", output
    )
    assert "step 3" not in output


@pytest.mark.parametrize(
    ("finding", "holds"),
    [
        (same("a", 200, "200"), True),
        (same("a", 200, "2000"), False),
        (at_most("a", 2, 2), True),
        (at_most("a", 2, 2.1), False),
        (at_least("a", 2, 2), True),
        (at_least("a", 2, 1.9), False),
        (note("a", "b"), True),
    ],
)
def test_findings_compare_results(finding: Finding, holds):
    """A finding holds exactly if the result is the expected one."""
    assert finding.holds is holds


def test_a_failed_demo_exits_with_1(monkeypatch):
    """The command exits with 1 and names the failed step."""
    monkeypatch.setattr(steps, "STEPS", (Step("goes well", good), Step("goes wrong", wrong)))
    ended = CliRunner().invoke(commands, ["demo"])
    assert ended.exit_code == 1
    assert "FAILED: 2. goes wrong" in ended.output
    assert "as expected, in" not in ended.output
    assert [url for url in URL.findall(ended.output) if is_listening(url)] == []


def test_the_steps_of_a_wrong_library_fail(monkeypatch):
    """The real steps notice a library that behaves differently: here, one that never fetches."""
    monkeypatch.setattr(steps, "STEPS", STEPS[:1])

    async def never(*_):
        return 7

    monkeypatch.setattr(steps.Stage, "fetches", never)
    ended = CliRunner().invoke(commands, ["demo"])
    assert ended.exit_code == 1
    assert re.search(r"FAILED +GETs of the key set +expected 1 +got 0", ended.output)


def test_a_server_that_does_not_start_is_reported():
    """The error contains the output of the server that did not start, and no process is left."""

    async def start():
        async with Server.running(
            "jwks_client.cli", "serve", "--port", "0", "--algorithm", "HS256"
        ):
            raise AssertionError("it runs")

    with pytest.raises(StageError, match="HS256"):
        asyncio.run(start())


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has these signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(number):
    """If the demo is interrupted or killed, its servers end too."""
    with running("demo") as process:
        urls = servers_of(process)
        process.send_signal(number)
        for url in urls:
            wait_for_end(url)
        process.wait()
        assert process.returncode != 0
        assert "Traceback" not in process.stderr.read()
