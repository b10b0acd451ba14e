"""``jwks-client demo``: it shows what it promises, checks itself, and leaves nothing behind."""

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
    """The base URLs of provider and API, from the demo's first lines."""
    urls = []
    while len(urls) < 2:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        urls += URL.findall(line)
    return urls


def test_it_may_be_told_as_json(capsys):
    """With ``--json`` the demo is one object: the same steps and checks, and whether all held."""
    report = RecordedReport()
    report.opening("http://127.0.0.1:1", "http://127.0.0.1:2")
    for number, holds in ((1, True), (2, False)):
        with report.step(number, f"step {number}"):
            report.findings([same("what", "a", "a" if holds else "b"), note("by the way", "c")])
    report.say("nothing of this")
    report.end(["step 2"], 1.234)
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["failed"], told["seconds"]) == (False, ["step 2"], 1.2)
    assert [one["title"] for one in told["steps"]] == ["step 1", "step 2"]
    assert [one["holds"] for one in told["steps"][1]["checks"]] == [False, True]


def test_every_step_is_as_told():
    """The whole demo: each step is named, all that was expected came, no token is shown, exit 0."""
    ended = run("demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    for number, step in enumerate(STEPS, 1):
        assert f"{number}. {step.title}" in ended.stdout
    for came in ("bad_signature", "token_expired", "wrong_audience", "algorithm_not_allowed"):
        assert f"got 401 {came}\n" in ended.stdout
    for came in ("200, stale", "503 fetch_failed", "401 unknown_key"):
        assert f"got {came}\n" in ended.stdout
    assert "FAILED" not in ended.stdout
    assert "\x1b" not in ended.stdout  # plain where it is piped
    assert not re.search(r"eyJ[\w-]{20}", ended.stdout)
    assert [url for url in set(URL.findall(ended.stdout)) if is_listening(url)] == []


def perform_on_nothing(*acts):
    """Perform steps that need no stage; which failed, and what was shown."""
    shown = io.StringIO()
    played = [Step(f"step {number}", act) for number, act in enumerate(acts, 1)]
    report = Report(Console(file=shown, width=100))
    return asyncio.run(perform(played, None, report)), shown.getvalue()


async def good(_):
    return [same("colour", "red", "red")]


async def wrong(_):
    return [same("colour", "red", "blue"), same("size", 1, 1)]


async def breaks(_):
    async def one_of_many():
        raise ConnectionResetError("gone")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one_of_many())


def test_a_broken_expectation_is_a_failed_step():
    """One finding that does not hold fails its step, which is named; the next ones still run."""
    failed, shown = perform_on_nothing(good, wrong, good)
    assert failed == ["2. step 2"]
    assert re.search(r"FAILED +colour +expected red +got blue", shown)
    assert "3. step 3" in shown


def test_a_step_that_breaks_off_is_the_last():
    """A step that raises has failed, the cause is shown, and nothing that builds on it is tried."""
    failed, shown = perform_on_nothing(good, breaks, good)
    assert failed == ["2. step 2"]
    assert re.search(
        r"FAILED +the step comes to its end +expected yes +got ConnectionResetError: gone", shown
    )
    assert "step 3" not in shown


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
def test_what_findings_hold(finding: Finding, holds):
    """A finding holds exactly where what came is what was expected."""
    assert finding.holds is holds


def test_a_failed_demo_exits_with_1(monkeypatch):
    """The command itself fails with 1 and says which step it was."""
    monkeypatch.setattr(steps, "STEPS", (Step("goes well", good), Step("goes wrong", wrong)))
    ended = CliRunner().invoke(commands, ["demo"])
    assert ended.exit_code == 1
    assert "FAILED: 2. goes wrong" in ended.output
    assert "as expected, in" not in ended.output
    assert [url for url in URL.findall(ended.output) if is_listening(url)] == []


def test_the_steps_of_a_wrong_library_fail(monkeypatch):
    """Where the API answers otherwise than told, the real steps notice: here, one that never fetches."""
    monkeypatch.setattr(steps, "STEPS", STEPS[:1])

    async def never(*_):
        return 7

    monkeypatch.setattr(steps.Stage, "fetches", never)
    ended = CliRunner().invoke(commands, ["demo"])
    assert ended.exit_code == 1
    assert re.search(r"FAILED +GETs of the key set +expected 1 +got 0", ended.output)


def test_a_server_that_does_not_start_is_one_line():
    """What a server said before it failed is told, and no process is left."""

    async def start():
        async with Server.running(
            "jwks_client.cli", "serve", "--port", "0", "--algorithm", "HS256"
        ):
            raise AssertionError("it runs")

    with pytest.raises(StageError, match="HS256"):
        asyncio.run(start())


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number):
    """However the demo is ended midway, its servers end too."""
    with running("demo") as process:
        urls = servers_of(process)
        process.send_signal(number)
        for url in urls:
            wait_for_end(url)
        process.wait()
        assert process.returncode != 0
        assert "Traceback" not in process.stderr.read()
