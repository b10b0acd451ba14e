"""``jwks-client serve`` as a process."""

import json
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest
from asking import part
from running import connect, is_listening, running, wait_for_end
from serving import invoke

from jwks_client import JWKSClient, providers
from jwks_client.cli._app import commands
from jwks_client.cli._serve.app import DevelopmentProvider, development_app
from jwks_client.cli._serve.server import listen


def issue(base_url, **order):
    answered = httpx.post(f"{base_url}/dev/token", json=order, trust_env=False)
    return answered.raise_for_status().json()["token"]


def test_its_first_line_is_its_base_url():
    """The first line is the base URL, and a client with that issuer verifies a token."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().removesuffix("\n")
        assert base_url.startswith("http://127.0.0.1:")
        provider = providers.oidc(base_url, audience="api", algorithms=("RS256",))
        with httpx.Client(trust_env=False) as http, JWKSClient(provider, http=http) as client:
            token = client.verify(issue(base_url, sub="u7", scope="orders:read"))
        assert (token.subject, token.scopes) == ("u7", {"orders:read"})


def test_its_first_line_may_be_json():
    """With ``--json`` that line is one object, for a program that starts it."""
    with running("serve", "--port", "0", "--json") as process:
        printed = json.loads(process.stdout.readline())
    assert printed["base_url"].startswith("http://127.0.0.1:")
    assert printed["issuer"] == printed["base_url"]


def test_its_tokens_follow_its_options():
    """``--issuer``, ``--audience`` and ``--algorithm`` apply to tokens; keys stay at the base URL."""
    options = ("--issuer", "https://id.example/t1", "--audience", "a", "--audience", "b")
    with running("serve", "--port", "0", "--algorithm", "ES384", *options) as process:
        base_url = process.stdout.readline().strip()
        metadata = f"{base_url}/t1/.well-known/openid-configuration"
        found = httpx.get(metadata, trust_env=False).json()
        assert found["issuer"] == "https://id.example/t1"
        provider = providers.generic(
            found["jwks_uri"], issuer=found["issuer"], audience="b", algorithms=("ES384",)
        )
        with httpx.Client(trust_env=False) as http, JWKSClient(provider, http=http) as client:
            assert client.verify(issue(base_url)).audience == ("a", "b")


def test_it_warns_that_it_is_for_development_only():
    """It prints a warning to standard error, in red if colours are enabled."""
    for colours, is_red in (({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False)):
        with running("serve", "--port", "0", **colours) as process:
            process.stdout.readline()
            warning = process.stderr.readline()
        assert "For development only" in warning
        assert ("\x1b[1;31m" in warning) == is_red


def test_it_listens_on_loopback_only():
    """Its socket is bound to 127.0.0.1 only."""
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_it_may_listen_on_another_loopback_address():
    """``--host`` accepts the loopback address of IPv6, and localhost."""
    for host, place in (("::1", "http://[::1]:"), ("localhost", "http://127.0.0.1:")):
        with running("serve", "--port", "0", "--host", host) as process:
            base_url = process.stdout.readline().strip()
            assert base_url.startswith(place)
            assert httpx.get(f"{base_url}/dev/state", trust_env=False).json()["issuer"] == base_url


def test_it_listens_beyond_loopback_only_with_the_flag():
    """A public address is rejected without the flag; with it, a red warning is printed."""
    ended = invoke("serve", "--port", "0", "--host", "0.0.0.0")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "--allow-non-loopback" in ended.stderr
    options = ("--host", "0.0.0.0", "--allow-non-loopback", "--base-url", "http://idp:8400")
    with running("serve", "--port", "0", *options, FORCE_COLOR="1") as process:
        assert process.stdout.readline().strip() == "http://idp:8400"
        warning = process.stderr.readline() + process.stderr.readline()
    assert "For development only" in warning
    assert "\x1b[1;31mIt listens on 0.0.0.0" in warning


def test_an_address_for_all_is_reached_by_a_real_one():
    """If it listens on every address, its base URL is still one that can be requested."""
    with running("serve", "--port", "0", "--host", "0.0.0.0", "--allow-non-loopback") as process:
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{base_url}/", trust_env=False).status_code == 200


def test_expires_in_is_the_default_lifetime():
    """``--expires-in`` is the lifetime of every token that requests no other."""
    with running("serve", "--port", "0", "--expires-in", "90") as process:
        base_url = process.stdout.readline().strip()
        grant = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
        granted = httpx.post(f"{base_url}/token", data=grant, trust_env=False).json()
        assert granted["expires_in"] == 90
        for token in (granted["access_token"], issue(base_url)):
            claims = part(token, 1)
            assert claims["exp"] - claims["iat"] == 90


def test_its_page_is_complete():
    """``docs/development-server.md`` lists each option with its default, and each endpoint."""
    page = Path(__file__).resolve().parents[2] / "docs" / "development-server.md"
    text = page.read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `--([a-z-]+)` \| `?([^`|]+?)`? \|", text, re.MULTILINE))
    options = {one.opts[0].removeprefix("--"): one for one in commands.commands["serve"].params}
    assert listed.keys() == options.keys()
    for name in ("port", "algorithm", "expires-in", "host"):
        assert listed[name] == str(options[name].default)
    assert set(re.findall(r"/dev/(\w+)", text.partition("## Options")[0])) == {
        route.path.split("/")[2]
        for route in development_app(DevelopmentProvider("http://127.0.0.1:8400")).routes
        if route.path.startswith("/dev/")
    }


def test_the_page_is_in_the_package():
    """The installed package contains the page and its files."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        for path in ("/", "/page/style.css", "/page/script.js", "/page/icon.svg"):
            assert httpx.get(f"{base_url}{path}", trust_env=False).status_code == 200


def test_it_ends_while_a_request_hangs():
    """A signal ends it cleanly while a client waits for a response that never comes."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        httpx.post(f"{base_url}/dev/fail/hang", json={}, trust_env=False).raise_for_status()
        with connect(base_url) as waiting:
            waiting.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while httpx.get(f"{base_url}/dev/state", trust_env=False).json()["fetches"] == 0:
                pass
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in stderr


def test_its_responses_are_not_delayed():
    """Its sockets name TCP as their protocol; without it asyncio leaves Nagle's algorithm enabled."""
    with listen(0) as listener, connect(f"http://127.0.0.1:{listener.getsockname()[1]}"):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number):
    """SIGINT and SIGTERM end it with exit status 0, without a traceback, and the port is free."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        httpx.get(f"{base_url}/dev/state", trust_env=False).raise_for_status()
        with connect(base_url):  # an open connection does not delay the end
            process.send_signal(number)
            _, stderr = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert not is_listening(base_url)
    with listen(int(base_url.rpartition(":")[2])):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_right_after_the_first_line_ends_it_cleanly(number):
    """A program that reads the base URL and sends the signal at once gets exit status 0, too."""
    with running("serve", "--port", "0") as process:
        process.stdout.readline()
        process.send_signal(number)
        _, stderr = process.communicate()
    assert process.returncode == 0
    assert "Aborted" not in stderr


def test_it_ends_with_its_standard_input_if_configured():
    """With ``--until-stdin-ends`` it ends with its standard input; without, it continues."""
    with running("serve", "--port", "0", "--until-stdin-ends") as process:
        base_url = process.stdout.readline().strip()
        process.stdin.close()
        wait_for_end(base_url)
        assert process.wait() == 0
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        process.stdin.close()
        assert httpx.get(f"{base_url}/dev/state", trust_env=False).status_code == 200


def test_a_port_in_use_is_one_line():
    """A port in use is exit status 1 and one line with a hint."""
    with listen(0) as taken:
        ended = invoke("serve", "--port", str(taken.getsockname()[1]))
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "--port 0" in ended.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--algorithm", "HS256"), "--algorithm"),
        (("--port", "70000"), "--port"),
        (("--port", "http"), "--port"),
        (("--host", "0.0.0.0"), "--host"),
        (("--host", "::"), "--host"),
        (("--host", "192.168.0.7"), "--host"),
        (("--host", "example.com"), "--host"),
        (("--host", "example.com", "--allow-non-loopback"), "--host"),
        (("--host", ""), "--host"),
        (("--base-url", "http://idp:8400"), "--base-url"),
        (("--base-url", "idp:8400", "--allow-non-loopback"), "--base-url"),
        (("--base-url", "http://idp/t1", "--allow-non-loopback"), "--base-url"),
        (("--base-url", "http://u@idp", "--allow-non-loopback"), "--base-url"),
        (("--base-url", "http://idp:x", "--allow-non-loopback"), "--base-url"),
        (("--base-url", "ftp://idp", "--allow-non-loopback"), "--base-url"),
        (("--expires-in", "0"), "--expires-in"),
    ],
)
def test_wrong_options_exit_with_2(options, named):
    """A wrong value is exit status 2, and the option is named."""
    ended = invoke("serve", "--port", "0", *options)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
