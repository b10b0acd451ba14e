"""The behaviour that all commands share."""

import json

import pytest
from running import run
from serving import invoke

import jwks_client
from jwks_client.testing import FakeProvider


def test_it_says_its_version():
    """``--version`` prints the name and the version."""
    ended = run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"jwks-client {jwks_client.__version__}\n")


def test_it_lists_its_commands():
    """``--help`` lists every command, and each command has its own help."""
    listed = run("--help")
    assert listed.returncode == 0
    for command in ("keys", "verify", "decode", "doctor", "serve", "demo"):
        assert command in listed.stdout
        assert invoke(command, "--help").exit_code == 0


def test_wrong_usage_exits_with_2():
    """An unknown command is exit status 2, with a hint on standard error."""
    ended = invoke("no-such-command")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "no-such-command" in ended.stderr


def test_help_shows_examples():
    """The help of each command with arguments shows examples."""
    for command in ("keys", "verify", "decode", "doctor"):
        text = invoke(command, "--help").output
        assert f"jwks-client {command} " in text
        assert "Exit status:" in text


@pytest.mark.parametrize(
    "words",
    ["no-such-command --json", "--json no-such-command", "--no-such-option --json", "--json"],
)
def test_wrong_usage_is_an_object_with_json(words):
    """With ``--json`` anywhere, wrong usage is one object on standard output, and nothing on standard error."""
    ended = invoke(*words.split())
    assert (ended.exit_code, ended.stderr) == (2, "")
    printed = json.loads(ended.stdout)
    assert printed.keys() == {"error"}
    assert printed["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "words",
    [
        "keys http://127.0.0.1:9 --timeout",
        "verify a.b.c --issuer http://127.0.0.1:9 --audience api --timeout",
        "verify a.b.c --issuer http://127.0.0.1:9 --audience api --leeway",
        "doctor http://127.0.0.1:9 --timeout",
        "doctor http://127.0.0.1:9 --interval",
        "serve --expires-in",
    ],
)
@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "-1", "x", ""])
def test_seconds_that_are_not_a_number_are_wrong_usage(words, seconds):
    """An option in seconds rejects what is not a number in its range, ``nan`` too, before any work begins."""
    ended = invoke(*words.split(), seconds, "--json")
    assert ended.exit_code == 2, ended.stdout
    assert json.loads(ended.stdout)["error"]["code"] == "usage"


def test_json_may_precede_the_command():
    """``--json`` before the command means the same as behind it; the version and the help ignore it."""
    token = FakeProvider().issue()
    before, behind = invoke("--json", "decode", token), invoke("decode", token, "--json")
    assert (before.exit_code, before.stdout) == (0, behind.stdout)
    assert json.loads(before.stdout)["verified"] is False
    for option in ("--version", "--help"):
        assert invoke(option, "--json").stdout == invoke(option).stdout


@pytest.mark.parametrize(
    ("words", "completion"),
    [
        ("jwks-client ver", "verify"),
        ("jwks-client --json ver", "verify"),
        ("jwks-client doctor --wa", "--watch"),
        ("jwks-client verify --provider sty", "stytch:"),
        ("jwks-client keys --provider stytch_m", "stytch_m2m:"),
    ],
)
def test_the_shell_completes(words, completion, monkeypatch):
    """Commands, options and presets are completed by click."""
    monkeypatch.setenv("_JWKS_CLIENT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    completed = invoke().stdout
    assert completion in [line.partition(",")[2] for line in completed.splitlines()]


def test_the_completion_script_is_printed():
    """The documented line that sets up completion prints a script."""
    assert "_jwks_client_completion" in run(_JWKS_CLIENT_COMPLETE="zsh_source").stdout
