"""``jwks-client verify`` and ``decode``: results, and that no token is printed whole."""

import json
import os
import signal

import pytest
from running import run, running
from serving import invoke, make_tls, served

from jwks_client.testing import FakeProvider


@pytest.fixture
def idp():
    return FakeProvider(issuer=None)


def unseen(token, *outputs):
    """Assert that neither the token nor its signature is in the output."""
    signature = token.rpartition(".")[2]
    for output in outputs:
        assert signature not in output
        assert signature[:24] not in output
        assert token not in output


@pytest.mark.parametrize("how", ["argument", "dash", "piped", "bearer"])
def test_a_good_token_is_verified(idp, how):
    """A valid token, however it is given, is exit status 0; its claims are printed, it is not."""
    with idp.serve() as base_url:
        token = idp.issue(sub="u7", scope="a b")
        words, stdin = {
            "argument": ((token,), ""),
            "dash": (("-",), f"{token}\n"),
            "piped": ((), f"  {token}\r\n"),
            "bearer": ((), f"Bearer {token}\n"),
        }[how]
        options = ("--issuer", base_url, "--audience", "api")
        ended = invoke("verify", *words, *options, stdin=stdin)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "verified" in ended.stdout
    assert '"sub": "u7"' in ended.stdout
    assert "\x1b" not in ended.stdout
    unseen(token, ended.stdout)


def test_the_installed_command_verifies(idp):
    """As a process, the command verifies a token from standard input."""
    with idp.serve() as base_url:
        token = idp.issue()
        ended = run("verify", "--issuer", base_url, "--audience", "api", stdin=token)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("verified")
    unseen(token, ended.stdout)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has this signal")
def test_an_interrupted_command_did_not_refuse(idp):
    """Ctrl-C during a fetch is exit status 130, as in shells, because 1 would mean a refused token."""
    with idp.serve() as base_url, idp.hold() as held:
        options = ("--issuer", base_url, "--audience", "api")
        with running("verify", idp.issue(), *options) as process:
            held.wait()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr


def test_the_json_of_a_good_token_has_a_fixed_shape(idp):
    """``--json`` prints the verified token's members, and neither signature nor token."""
    with idp.serve() as base_url:
        token = idp.issue(scope="b a")
        ended = invoke(
            "verify",
            token,
            "--jwks-url",
            idp.jwks_url,
            "--issuer",
            base_url,
            "--audience",
            "api",
            "--json",
        )
    printed = json.loads(ended.stdout)
    claims = printed.pop("claims")
    assert claims["sub"] == "u1"
    assert printed == {
        "verified": True,
        "provider": "generic",
        "issuer": base_url,
        "subject": "u1",
        "audience": ["api"],
        "scopes": ["a", "b"],
        "expires_at": claims["exp"],
        "issued_at": claims["iat"],
        "key_id": "key-1",
        "algorithm": "RS256",
        "header": {"alg": "RS256", "kid": "key-1", "typ": "JWT"},
    }
    unseen(token, ended.stdout)


def refused_tokens(idp):
    forger = FakeProvider(issuer=idp.issuer)
    now = int(idp.clock.time())
    return {
        "bad_signature": forger.issue(),
        "unknown_key": idp.issue(headers={"kid": "other"}),
        "token_expired": idp.issue(iat=now - 900, exp=now - 600),
        "wrong_audience": idp.issue(aud="other"),
        "wrong_issuer": idp.issue(iss="https://other.example"),
        "algorithm_not_allowed": idp.issue(headers={"alg": "none"}),
        "malformed_token": idp.issue() + "=",
    }


@pytest.mark.parametrize(
    "code",
    [
        "bad_signature",
        "unknown_key",
        "token_expired",
        "wrong_audience",
        "wrong_issuer",
        "algorithm_not_allowed",
        "malformed_token",
    ],
)
def test_a_bad_token_is_refused(idp, code):
    """A refused token is exit status 1 with the library's code, as a line and as JSON."""
    with idp.serve() as base_url:
        token = refused_tokens(idp)[code]
        options = ("--issuer", base_url, "--audience", "api")
        text = invoke("verify", token, *options)
        as_json = invoke("verify", "--json", token, *options)
    assert (text.exit_code, as_json.exit_code) == (1, 1)
    assert text.output.startswith(f"Refused: {code}, ")
    assert text.output.count("\n") == 1
    error = json.loads(as_json.stdout)
    assert error.keys() == {"error"}
    assert error["error"].keys() == {"code", "message"}
    assert error["error"]["code"] == code
    unseen(token, text.output, as_json.output)


def test_it_explains_every_key_and_check(idp):
    """``--explain`` prints each key considered and each check, even for a refused token."""
    idp.rotate()
    with idp.serve() as base_url:
        now = int(idp.clock.time())
        token = idp.issue(iat=now - 900, exp=now - 600)
        options = ("--issuer", base_url, "--audience", "api", "--explain")
        text = invoke("verify", token, *options)
        printed = json.loads(invoke("verify", "--json", token, *options).stdout)
    assert text.exit_code == 1
    assert "key-1  RSA   RS256  dropped: another kid" in text.stdout
    assert "key-2  RSA   RS256  tried: it verifies the signature" in text.stdout
    assert "FAILED token_expired (exp)" in text.stdout
    assert printed["error"]["code"] == printed["explanation"]["code"] == "token_expired"
    (candidate,) = printed["explanation"]["candidates"]
    assert [key["made_the_signature"] for key in candidate["keys"]] == [False, True]
    assert {check["name"]: check["code"] for check in candidate["checks"]}[
        "expiry"
    ] == "token_expired"
    unseen(token, text.stdout, json.dumps(printed))


def test_a_good_token_is_explained_beside_its_claims(idp):
    """With ``--explain --json`` a valid token is one object with claims and explanation."""
    with idp.serve() as base_url:
        options = ("--issuer", base_url, "--audience", "api", "--explain", "--json")
        printed = json.loads(invoke("verify", idp.issue(), *options).stdout)
    assert printed["verified"] is True
    assert printed["explanation"]["code"] is None


def test_leeway_and_algorithm_apply(idp):
    """``--leeway`` and ``--algorithm`` set the provider's fields."""
    with idp.serve() as base_url:
        now = int(idp.clock.time())
        token = idp.issue(iat=now - 900, exp=now - 600)
        options = ("--issuer", base_url, "--any-audience")
        assert invoke("verify", token, *options, "--leeway", "1200").exit_code == 0
        refused = invoke("verify", idp.issue(), *options, "--algorithm", "ES256")
    assert "algorithm_not_allowed" in refused.output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--audience", "api"), "--issuer"),
        (("--issuer", "https://idp.example"), "--audience"),
        (("--issuer", "idp.example", "--audience", "a"), "issuer"),
        (("--issuer", "https://i.example", "--audience", "a", "--any-audience"), "combined"),
        (("--issuer", "https://i.example", "--audience", "a", "--jwks-url", "x"), "jwks_url"),
        (("--issuer", "https://i.example", "--audience", "a", "--algorithm", "HS256"), "HS256"),
        (("--issuer", "https://i.example", "--audience", "a", "--leeway", "-1"), "leeway"),
        (("--issuer", "https://i.example", "--audience", "a", "--ca", "no-such-file"), "--ca"),
        (("--isuer", "https://i.example"), "--isuer"),
        # An unset variable gives a blank value, which must not disable a check.
        (("--issuer", "https://i.example", "--audience", ""), "--audience"),
        (("--issuer", "https://i.example", "--audience", "a", "--audience", ""), "--audience"),
        (("--issuer", "", "--audience", "a", "--jwks-url", "https://i.example/k"), "--issuer"),
        (("--provider", "auth0:acme.eu.auth0.com", "--audience", ""), "--audience"),
        (("--provider", "oidc:https://i.example,audience="), "audience of oidc must not be blank"),
    ],
)
def test_wrong_usage_names_the_option(idp, options, named):
    """A missing or wrong option is exit status 2 and is named; with ``--json`` it is an object."""
    token = idp.issue()
    text = invoke("verify", token, *options)
    as_json = invoke("verify", "--json", token, *options)
    assert (text.exit_code, as_json.exit_code) == (2, 2)
    assert named in text.output
    assert json.loads(as_json.stdout)["error"]["code"] == "usage"
    unseen(token, text.output, as_json.output)


def test_a_file_without_an_authority_is_wrong_usage(idp, tmp_path):
    """``--ca`` with a file that contains no certificate is exit status 2."""
    (tmp_path / "ca.pem").write_text("nothing")
    ended = invoke(
        "verify",
        idp.issue(),
        "--issuer",
        "https://i.example",
        "--any-audience",
        "--ca",
        str(tmp_path / "ca.pem"),
    )
    assert ended.exit_code == 2
    assert "--ca" in ended.output


@pytest.mark.parametrize(
    "arguments", [("verify", "Basic"), ("verify",), ("decode", "and"), ("keys",), (), ("--bogus",)]
)
def test_a_token_in_the_wrong_place_is_not_repeated(idp, arguments):
    """The error for wrong usage does not repeat a token, wherever it was given."""
    token = idp.issue()
    ended = invoke(*arguments, token, "--issuer", token, "--audience", token)
    assert ended.exit_code == 2
    unseen(token, ended.output)


@pytest.mark.parametrize("command", ["verify", "decode"])
@pytest.mark.parametrize("stdin", ["", "\n \n"])
def test_a_missing_token_is_wrong_usage(command, stdin):
    """An empty standard input is wrong usage."""
    options = ("--issuer", "https://i.example", "--any-audience") if command == "verify" else ()
    ended = invoke(command, *options, stdin=stdin)
    assert ended.exit_code == 2
    assert "standard input is empty" in ended.output


@pytest.mark.parametrize("stdin", [b"\xff\xfe\x00", b"a.b", b"x" * 2_000_000, b"a.b.c.d.e"])
def test_anything_but_a_token_is_refused(idp, stdin):
    """Any octets on standard input are refused, without a traceback."""
    with idp.serve() as base_url:
        assert invoke("verify", "--issuer", base_url, "--any-audience", stdin=stdin).exit_code == 1
    assert invoke("decode", stdin=stdin).exit_code == 1


def test_a_private_authority_is_trusted_if_named(tmp_path, idp):
    """A server's certificate by a private authority is trusted only with ``--ca``."""
    ca_file, context = make_tls(tmp_path)
    with served(context) as what:
        url = what.put("/jwks", idp.jwks())
        token = idp.issue(iss="https://idp.example")
        options = ("--issuer", "https://idp.example", "--audience", "api", "--jwks-url", url)
        assert invoke("verify", token, *options, "--ca", ca_file).exit_code == 0
        refused = invoke("verify", token, *options)
    assert refused.exit_code == 3
    assert "not trusted" in refused.output
    assert "--ca" in refused.output


def test_decoding_warns_that_nothing_was_verified(idp):
    """Header and claims are printed under a warning, without the signature."""
    token = idp.issue(scope="a")
    text, as_json = invoke("decode", stdin=token), invoke("decode", "--json", stdin=token)
    assert (text.exit_code, as_json.exit_code) == (0, 0)
    assert text.stdout.startswith("NOT VERIFIED")
    assert '"scope": "a"' in text.stdout
    assert "NOT VERIFIED" in as_json.stderr
    content = json.loads(as_json.stdout)
    assert content.keys() == {"verified", "header", "claims"}
    assert content["verified"] is False
    assert content["header"]["kid"] == "key-1"
    unseen(token, text.stdout, as_json.stdout, as_json.stderr)


def test_decoding_reads_tokens_that_are_refused(idp):
    """A token with any alg is decoded, since that may be why it is refused; an encrypted one is not."""
    assert '"alg": "HS256"' in invoke("decode", idp.issue(headers={"alg": "HS256"})).output
    assert "encrypted_token" in invoke("decode", "e30.a.b.c.d").output
    assert "malformed_token" in invoke("decode", "e30.e30e30e.c").output
