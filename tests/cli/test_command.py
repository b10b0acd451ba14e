"""What all commands share."""

from running import run

import jwks_client


def test_it_says_its_version():
    """``--version`` prints name and version."""
    ended = run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"jwks-client {jwks_client.__version__}\n")


def test_it_lists_its_commands():
    """``--help`` names every command; each has a help of its own."""
    listed = run("--help")
    assert listed.returncode == 0
    for command in ("serve", "demo"):
        assert command in listed.stdout
        assert run(command, "--help").returncode == 0


def test_wrong_usage_exits_with_2():
    """An unknown command is wrong usage: exit 2, one hint, nothing on standard output."""
    ended = run("no-such-command")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no-such-command" in ended.stderr
