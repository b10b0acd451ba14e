"""``jwks-client serve`` as a process."""

import json
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest
from asking import part
from running import connect, is_listening, run, running, wait_for_end

from jwks_client import JWKSClient, providers
from jwks_client.cli._app import commands
from jwks_client.cli._serve.app import DevelopmentProvider, development_app
from jwks_client.cli._serve.server import listen


def issue(base_url, **order):
    answered = httpx.post(f"{base_url}/dev/token", json=order, trust_env=False)
    return answered.raise_for_status().json()["token"]


def test_its_first_line_is_its_base_url():
    """The first line is the base URL, at which a client finds keys and verifies a token."""
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
        told = json.loads(process.stdout.readline())
    assert told["base_url"].startswith("http://127.0.0.1:")
    assert told["issuer"] == told["base_url"]


def test_its_tokens_are_as_its_options_say():
    """``--issuer``, ``--audience`` and ``--algorithm`` shape the tokens; keys stay where it is."""
    options = ("--issuer", "https://id.example/t1", "--audience", "a", "--audience", "b")
    with running("serve", "--port", "0", "--algorithm", "ES384", *options) as process:
        base_url = process.stdout.readline().strip()
        metadata = f"{base_url}/t1/.well-known/openid-configuration"
        told = httpx.get(metadata, trust_env=False).json()
        assert told["issuer"] == "https://id.example/t1"
        provider = providers.generic(
            told["jwks_uri"], issuer=told["issuer"], audience="b", algorithms=("ES384",)
        )
        with httpx.Client(trust_env=False) as http, JWKSClient(provider, http=http) as client:
            assert client.verify(issue(base_url)).audience == ("a", "b")


def test_it_says_that_it_is_for_development_only():
    """It warns on standard error: in red where colours are wanted, plainly where they are not."""
    for colours, is_red in (({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False)):
        with running("serve", "--port", "0", **colours) as process:
            process.stdout.readline()
            warning = process.stderr.readline()
        assert "For development only" in warning
        assert ("\x1b[1;31m" in warning) == is_red


def test_it_listens_on_loopback_only():
    """Its socket is bound to 127.0.0.1 and to no other address."""
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_it_may_listen_on_another_loopback_address():
    """``--host`` takes the loopback address of IPv6, and the name of loopback."""
    for host, place in (("::1", "http://[::1]:"), ("localhost", "http://127.0.0.1:")):
        with running("serve", "--port", "0", "--host", host) as process:
            base_url = process.stdout.readline().strip()
            assert base_url.startswith(place)
            assert httpx.get(f"{base_url}/dev/state", trust_env=False).json()["issuer"] == base_url


def test_it_listens_beyond_loopback_only_when_told_twice():
    """A public address alone is refused; with the flag too it is served, and said in red."""
    ended = run("serve", "--port", "0", "--host", "0.0.0.0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--allow-non-loopback" in ended.stderr
    options = ("--host", "0.0.0.0", "--allow-non-loopback", "--base-url", "http://idp:8400")
    with running("serve", "--port", "0", *options, FORCE_COLOR="1") as process:
        assert process.stdout.readline().strip() == "http://idp:8400"
        warning = process.stderr.readline() + process.stderr.readline()
    assert "For development only" in warning
    assert "\x1b[1;31mIt listens on 0.0.0.0" in warning


def test_an_address_for_all_is_reached_by_a_real_one():
    """Listening on every address, its base URL is one that can be called."""
    with running("serve", "--port", "0", "--host", "0.0.0.0", "--allow-non-loopback") as process:
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{base_url}/", trust_env=False).status_code == 200


def test_its_tokens_live_as_long_as_told():
    """``--expires-in`` is the life of every token that asks for no other."""
    with running("serve", "--port", "0", "--expires-in", "90") as process:
        base_url = process.stdout.readline().strip()
        grant = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
        told = httpx.post(f"{base_url}/token", data=grant, trust_env=False).json()
        assert told["expires_in"] == 90
        for token in (told["access_token"], issue(base_url)):
            claims = part(token, 1)
            assert claims["exp"] - claims["iat"] == 90


def test_its_document_is_whole():
    """``docs/development-server.md`` names each option with its default, and each endpoint."""
    page = Path(__file__).resolve().parents[2] / "docs" / "development-server.md"
    if not page.exists():
        pytest.skip("the documents are not here: these are the tests of a wheel alone")
    text = page.read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `--([a-z-]+)` \| `?([^`|]+?)`? \|", text, re.MULTILINE))
    options = {one.opts[0].removeprefix("--"): one for one in commands.commands["serve"].params}
    assert told.keys() == options.keys()
    for name in ("port", "algorithm", "expires-in", "host"):
        assert told[name] == str(options[name].default)
    assert set(re.findall(r"/dev/(\w+)", text.partition("## Options")[0])) == {
        route.path.split("/")[2]
        for route in development_app(DevelopmentProvider("http://127.0.0.1:8400")).routes
        if route.path.startswith("/dev/")
    }


def test_the_page_is_in_the_package():
    """The page and its files come with the installed package."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        for path in ("/", "/page/style.css", "/page/script.js", "/page/icon.svg"):
            assert httpx.get(f"{base_url}{path}", trust_env=False).status_code == 200


def test_it_ends_while_a_request_hangs():
    """A signal ends it cleanly though somebody waits for an answer that never comes."""
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


def test_its_answers_are_not_held_back():
    """Its connections name TCP as their protocol, for without that asyncio leaves Nagle's delay on."""
    with listen(0) as listener, connect(f"http://127.0.0.1:{listener.getsockname()[1]}"):
        taken, _ = listener.accept()
        with taken:
            assert taken.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number):
    """SIGINT and SIGTERM end it with exit status 0, without a traceback, and the port is free."""
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        httpx.get(f"{base_url}/dev/state", trust_env=False).raise_for_status()
        with connect(base_url):  # a connection that stays open does not keep it
            process.send_signal(number)
            _, stderr = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert not is_listening(base_url)
    with listen(int(base_url.rpartition(":")[2])):
        pass


def test_it_ends_with_its_standard_input_if_asked_to():
    """With ``--until-stdin-ends`` it goes when whoever started it is gone; without, it stays."""
    with running("serve", "--port", "0", "--until-stdin-ends") as process:
        base_url = process.stdout.readline().strip()
        process.stdin.close()
        wait_for_end(base_url)
        assert process.wait() == 0
    with running("serve", "--port", "0") as process:
        base_url = process.stdout.readline().strip()
        process.stdin.close()
        assert httpx.get(f"{base_url}/dev/state", trust_env=False).status_code == 200


def test_a_port_that_is_taken_is_one_line():
    """A taken port is exit status 1 and one line that says what to do."""
    with listen(0) as taken:
        ended = run("serve", "--port", str(taken.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (1, "")
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
    """A value that an option does not take is exit status 2, and the option is named."""
    ended = run("serve", "--port", "0", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
