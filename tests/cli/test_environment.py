"""The surroundings of a command: network variables, and standard streams that may be closed."""

import os
import subprocess
import sys

import pytest
from running import PATIENCE
from serving import invoke

from jwks_client.testing import FakeProvider

COMMANDS = ["keys", "doctor", "verify"]
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (*PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def ask(command, url, token="a.b.c"):
    """Run a command that fetches the key set at a URL."""
    if command != "verify":
        return invoke(command, url)
    known = ("--issuer", "https://issuer.test", "--audience", "api", "--jwks-url", url)
    return invoke("verify", token, *known)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("proxy", [CLOSED, "not-a-scheme://x"])
def test_loopback_is_reached_without_a_proxy(command, proxy, monkeypatch):
    """The environment's proxies do not apply to a server on this machine, as in a client of the library."""
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    idp = FakeProvider()
    token = idp.issue()
    with idp.serve():
        ended = ask(command, idp.jwks_url, token)
    assert ended.exit_code == 0, ended.output


@pytest.mark.parametrize("command", COMMANDS)
def test_other_hosts_are_reached_through_the_proxy(command, monkeypatch):
    """The environment's proxy applies to every other host."""
    monkeypatch.setenv("HTTPS_PROXY", CLOSED)
    ended = ask(command, "https://idp.invalid/jwks", FakeProvider().issue())
    assert ended.exit_code == 3
    assert "was refused" in ended.output  # by the proxy; the host was not looked up


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "not-a-scheme://x"),
        ("SSL_CERT_FILE", "/no/such/file.pem"),
        ("SSL_CERT_DIR", "/no/such/folder"),
    ],
)
def test_a_variable_that_cannot_be_used_is_wrong_usage(command, variable, value, monkeypatch):
    """The error names the variable, and nothing is fetched."""
    monkeypatch.setenv(variable, value)
    ended = ask(command, "https://idp.invalid/jwks")
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"Error: {variable} must be ")


@pytest.mark.parametrize(
    ("arguments", "closed", "status"),
    [
        ("decode", 0, 2),
        ("verify --issuer https://i.example --any-audience", 0, 2),
        ("doctor {url} --migrate", 0, 2),
        ("keys {url}", 0, 0),
        ("keys {url}", 1, 0),
        ("keys {url}", 2, 0),
        ("doctor {url}", 2, 0),
        ("decode {token}", 2, 0),
        ("decode", 2, 2),
    ],
)
def test_a_closed_standard_stream_changes_no_result(arguments, closed, status):
    """A command runs without a standard input (it is empty then), output or error."""
    idp = FakeProvider()
    run = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    with idp.serve():
        words = arguments.format(url=idp.jwks_url, token=idp.issue()).split()
        ended = subprocess.run(
            [sys.executable, "-c", run, "-X", "dev", "-m", "jwks_client.cli", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONWARNINGS": "default"},
            check=False,
        )
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
    assert "Warning" not in ended.stderr
