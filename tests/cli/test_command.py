"""What all commands share."""

import json

import pytest
from running import run
from serving import invoke

import jwks_client


def test_it_says_its_version():
    """``--version`` prints name and version."""
    ended = run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"jwks-client {jwks_client.__version__}\n")


def test_it_lists_its_commands():
    """``--help`` names every command; each has a help of its own."""
    listed = run("--help")
    assert listed.returncode == 0
    for command in ("keys", "verify", "decode", "doctor", "serve", "demo"):
        assert command in listed.stdout
        assert run(command, "--help").returncode == 0


def test_wrong_usage_exits_with_2():
    """An unknown command is wrong usage: exit 2, one hint, nothing on standard output."""
    ended = run("no-such-command")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no-such-command" in ended.stderr


def test_help_shows_examples():
    """The help of each command that takes something shows how it is called."""
    for command in ("keys", "verify", "decode", "doctor"):
        text = invoke(command, "--help").output
        assert f"jwks-client {command} " in text
        assert "Exit status:" in text


def test_an_unknown_command_is_an_object_with_json():
    """With ``--json`` wrong usage is one object on standard output, and nothing on standard error."""
    ended = run("no-such-command", "--json")
    assert (ended.returncode, ended.stderr) == (2, "")
    told = json.loads(ended.stdout)
    assert told.keys() == {"error"}
    assert told["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("jwks-client ver", "verify"),
        ("jwks-client doctor --wa", "--watch"),
        ("jwks-client verify --provider sty", "stytch:"),
        ("jwks-client keys --provider stytch_m", "stytch_m2m:"),
    ],
)
def test_the_shell_completes(words, offered):
    """Commands, options and presets are completed by click's own completion."""
    environment = {
        "_JWKS_CLIENT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    completed = run(**environment).stdout
    assert offered in [line.partition(",")[2] for line in completed.splitlines()]


def test_the_completion_script_is_there():
    """The line of the documentation that sets completion up prints a script."""
    assert "_jwks_client_completion" in run(_JWKS_CLIENT_COMPLETE="zsh_source").stdout
