"""URLs without keys: one line with the reason and what to try, and exit status 3."""

import json
import socket
import ssl

import pytest
from serving import findings_at, invoke, make_tls, served

from jwks_client.testing import FakeProvider

COMMANDS = ["keys", "doctor", "verify"]


def ask(command, url, *options):
    """Run a command that fetches a key set."""
    if command != "verify":
        return invoke(command, url, *options)
    token = FakeProvider().issue()
    known = ("--issuer", "https://issuer.test", "--audience", "api", "--jwks-url", url)
    return invoke("verify", token, *known, *options)


def explained(result):
    """Return the line that explains the failure."""
    (line,) = [line for line in result.output.splitlines() if "http" in line and ";" in line]
    return line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (200, {"content_type": "text/html"}, "<!doctype html>", ("web page", "jwks_uri")),
        (
            301,
            {"location": "https://b.example/jwks"},
            "",
            ("redirects (301)", "https://b.example/jwks"),
        ),
        (404, {}, "", ("status 404", "path")),
        (401, {}, "", ("status 401", "credentials")),
        (500, {}, "", ("status 500", "later")),
    ],
)
def test_a_response_that_is_not_a_key_set(command, status, headers, body, words):
    """A page, a redirect or a failure is named, with what to try, and nothing else is requested."""
    with served() as what:
        url = what.put("/jwks?x=1", body, status, **headers)
        ended = ask(command, url)
        assert set(what.asked) == {"/jwks?x=1"}
    assert ended.exit_code == 3
    assert all(word in explained(ended) for word in words)
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_never_answers(command):
    """A server that does not respond within ``--timeout`` is reported, after one request."""
    idp = FakeProvider(issuer=None)
    with idp.serve():
        idp.fail("hang")
        ended = ask(command, idp.jwks_url, "--timeout", "0.2")
        assert ended.exit_code == 3
        assert "did not respond within 0.2 s" in explained(ended)
        assert "--timeout" in explained(ended)
        idp.recover()
    assert len(idp.requests) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_is_not_there(command):
    """A port on which nothing listens is reported as a refused connection."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = ask(command, f"http://127.0.0.1:{port}/jwks")
    assert ended.exit_code == 3
    assert "was refused" in ended.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_certificate_that_is_not_trusted(command, tmp_path):
    """An untrusted certificate is reported with ``--ca`` as a hint, an expired one as expired."""
    with served(make_tls(tmp_path)[1]) as what:
        unknown = ask(command, what.put("/jwks", {"keys": []}))
    assert unknown.exit_code == 3
    assert "not trusted" in unknown.output
    assert "--ca FILE" in unknown.output
    ca_file, context = make_tls(tmp_path, days=-1)
    with served(context) as what:
        over = ask(command, what.put("/jwks", {"keys": []}), "--ca", ca_file)
    assert over.exit_code == 3
    assert "has expired" in over.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_certificate_that_only_python_3_13_refuses(command, monkeypatch):
    """The message says what is wrong with it, that Python 3.13 is strict, and both ways out."""

    def strict(*_, **__):
        error = ssl.SSLCertVerificationError("certificate verify failed")
        error.verify_code, error.verify_message = 85, "Missing Authority Key Identifier"
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", strict)
    ended = ask(command, "https://idp.test/jwks")
    assert ended.exit_code == 3
    said = explained(ended)
    assert said.count("Missing Authority Key Identifier") == 1
    for part in ("3.13", "VERIFY_X509_STRICT", "reissued", "http="):
        assert part in said


def test_plain_http_where_https_is_expected():
    """A server without TLS is reported in one line."""
    with served() as what:
        ended = invoke("keys", what.put("/jwks", {"keys": []}).replace("http:", "https:"))
    assert (ended.exit_code, ended.stdout) == (3, "")
    assert "TLS with" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_host_that_does_not_exist(monkeypatch):
    """A host name that does not resolve is reported by name."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    ended = invoke("keys", "http://localhost:1/jwks")
    assert ended.exit_code == 3
    assert "host name localhost cannot be resolved" in ended.output


def test_a_url_without_a_document():
    """A URL with neither a key set nor an issuer is reported as such, and is a finding of the doctor."""
    with served() as what:
        ended = invoke("keys", f"{what.base_url}/somewhere")
        assert ended.exit_code == 3
        assert "neither a key set nor an issuer" in ended.output
        printed = json.loads(invoke("keys", "--json", f"{what.base_url}/somewhere").stdout)
        assert printed["error"]["code"] == "discovery_failed"
        assert [one["code"] for one in findings_at(f"{what.base_url}/")] == ["nothing_there"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '{"keys": 1}',
        "{",
        "\ufeff<html>",
        '{"keys": [], "keys": []}',
        b"\xff\xfe",
        "[" * 5000,
    ],
)
def test_documents_that_are_not_a_key_set(body):
    """Any other document is one line and exit status 3, too."""
    with served() as what:
        url = what.put("/jwks", body)
        for command in ("keys", "doctor"):
            assert invoke(command, url).exit_code in {1, 3}
        assert invoke("keys", url).exit_code == 3


def test_a_response_that_is_too_long():
    """A response over the library's limit is reported so."""
    with served() as what:
        url = what.put("/jwks", "x" * (600 * 1024))
        assert "max_body" in invoke("keys", url).output


def test_metadata_that_leads_nowhere():
    """An issuer whose jwks_uri is missing or must not be fetched is reported so."""
    with served() as what:
        metadata = {"issuer": what.base_url, "jwks_uri": "http://169.254.169.254/keys"}
        what.put("/.well-known/openid-configuration", metadata)
        assert "must not be fetched" in invoke("keys", what.base_url).output
        what.put("/.well-known/openid-configuration", {"issuer": what.base_url})
        ended = invoke("keys", what.base_url)
        assert "no jwks_uri" in ended.output
        assert ended.exit_code == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("idp.example.com/jwks", "did you mean https://idp.example.com/jwks"),
        ("auth0:acme.eu.auth0.com", "or a preset with --provider"),
        ("", "cannot be used as a URL"),
        ("ftp://idp.example.com", "cannot be used as a URL"),
        ("https://", "cannot be used as a URL"),
        ("https://user:secret@idp.example.com", "cannot be used as a URL"),
        ("https://idp.example.com/#x", "cannot be used as a URL"),
        ("https://idp.example.com:port", "cannot be used as a URL"),
    ],
)
@pytest.mark.parametrize("command", ["keys", "doctor"])
def test_a_malformed_url_is_wrong_usage(command, text, message):
    """A malformed URL is exit status 2, with a suggestion if one can be guessed."""
    ended = invoke(command, text)
    assert ended.exit_code == 2
    assert message in ended.output
