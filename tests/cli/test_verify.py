"""``jwks-client verify`` and ``decode``: verdicts, and that no token is shown whole."""

import json

import pytest
from running import run
from serving import invoke, make_tls, served

from jwks_client.testing import FakeProvider


@pytest.fixture
def idp():
    return FakeProvider(issuer=None)


def unseen(token, *outputs):
    """Assert that neither the token nor its signature is in what was said."""
    signature = token.rpartition(".")[2]
    for output in outputs:
        assert signature not in output
        assert signature[:24] not in output
        assert token not in output


@pytest.mark.parametrize("how", ["argument", "dash", "piped", "bearer"])
def test_a_good_token_is_verified(idp, how):
    """However it comes in, a good token is exit status 0, its claims are shown, it is not."""
    with idp.serve() as base_url:
        token = idp.issue(sub="u7", scope="a b")
        words, stdin = {
            "argument": ((token,), ""),
            "dash": (("-",), f"{token}\n"),
            "piped": ((), f"  {token}\r\n"),
            "bearer": ((), f"Bearer {token}\n"),
        }[how]
        options = ("--issuer", base_url, "--audience", "api")
        ended = run("verify", *words, *options, stdin=stdin)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "verified" in ended.stdout
    assert '"sub": "u7"' in ended.stdout
    assert "\x1b" not in ended.stdout
    unseen(token, ended.stdout)


def test_the_json_of_a_good_token_has_a_fixed_shape(idp):
    """``--json`` holds what was verified, and neither signature nor token."""
    with idp.serve() as base_url:
        token = idp.issue(scope="b a")
        ended = run(
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
    told = json.loads(ended.stdout)
    claims = told.pop("claims")
    assert claims["sub"] == "u1"
    assert told == {
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
    """What is refused is exit status 1 with the library's code, as a line and as JSON."""
    with idp.serve() as base_url:
        token = refused_tokens(idp)[code]
        options = ("--issuer", base_url, "--audience", "api")
        shown = invoke("verify", token, *options)
        told = invoke("verify", "--json", token, *options)
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert shown.output.startswith(f"Refused: {code}, ")
    assert shown.output.count("\n") == 1
    error = json.loads(told.stdout)
    assert error.keys() == {"error"}
    assert error["error"].keys() == {"code", "message"}
    assert error["error"]["code"] == code
    unseen(token, shown.output, told.output)


def test_it_explains_every_key_and_check(idp):
    """``--explain`` shows each key considered and each check, of a refused token too."""
    idp.rotate()
    with idp.serve() as base_url:
        now = int(idp.clock.time())
        token = idp.issue(iat=now - 900, exp=now - 600)
        options = ("--issuer", base_url, "--audience", "api", "--explain")
        shown = run("verify", token, *options)
        told = json.loads(invoke("verify", "--json", token, *options).stdout)
    assert shown.returncode == 1
    assert "key-1  RSA   RS256  dropped: another kid" in shown.stdout
    assert "key-2  RSA   RS256  tried: it verifies the signature" in shown.stdout
    assert "FAILED token_expired (exp)" in shown.stdout
    assert told["error"]["code"] == told["explanation"]["code"] == "token_expired"
    (candidate,) = told["explanation"]["candidates"]
    assert [key["made_the_signature"] for key in candidate["keys"]] == [False, True]
    assert {check["name"]: check["code"] for check in candidate["checks"]}[
        "expiry"
    ] == "token_expired"
    unseen(token, shown.stdout, json.dumps(told))


def test_a_good_token_is_explained_beside_its_claims(idp):
    """With ``--explain --json`` a good token is one object that holds both."""
    with idp.serve() as base_url:
        options = ("--issuer", base_url, "--audience", "api", "--explain", "--json")
        told = json.loads(invoke("verify", idp.issue(), *options).stdout)
    assert told["verified"] is True
    assert told["explanation"]["code"] is None


def test_leeway_and_algorithm_are_as_told(idp):
    """``--leeway`` and ``--algorithm`` are the provider's fields."""
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
        (("--issuer", "https://i.example", "--audience", "a", "--any-audience"), "exclude"),
        (("--issuer", "https://i.example", "--audience", "a", "--jwks-url", "x"), "jwks_url"),
        (("--issuer", "https://i.example", "--audience", "a", "--algorithm", "HS256"), "HS256"),
        (("--issuer", "https://i.example", "--audience", "a", "--leeway", "-1"), "leeway"),
        (("--issuer", "https://i.example", "--audience", "a", "--ca", "no-such-file"), "--ca"),
        (("--isuer", "https://i.example"), "--isuer"),
        # As of a variable that is not set: never a way to leave a check out.
        (("--issuer", "https://i.example", "--audience", ""), "--audience"),
        (("--issuer", "https://i.example", "--audience", "a", "--audience", ""), "--audience"),
        (("--issuer", "", "--audience", "a", "--jwks-url", "https://i.example/k"), "--issuer"),
        (("--provider", "auth0:acme.eu.auth0.com", "--audience", ""), "--audience"),
    ],
)
def test_wrong_usage_names_the_option(idp, options, named):
    """A missing or wrong option is exit status 2, by its name, with ``--json`` as an object."""
    token = idp.issue()
    shown = invoke("verify", token, *options)
    told = invoke("verify", "--json", token, *options)
    assert (shown.exit_code, told.exit_code) == (2, 2)
    assert named in shown.output
    assert json.loads(told.stdout)["error"]["code"] == "usage"
    unseen(token, shown.output, told.output)


def test_a_file_that_is_no_authority_is_wrong_usage(idp, tmp_path):
    """``--ca`` with a file that holds no certificate is exit status 2."""
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
    """A complaint about wrong usage does not repeat a token that stands where none belongs."""
    token = idp.issue()
    ended = invoke(*arguments, token, "--issuer", token, "--audience", token)
    assert ended.exit_code == 2
    unseen(token, ended.output)


@pytest.mark.parametrize("command", ["verify", "decode"])
@pytest.mark.parametrize("stdin", ["", "\n \n"])
def test_no_token_is_wrong_usage(command, stdin):
    """An empty standard input holds no token."""
    options = ("--issuer", "https://i.example", "--any-audience") if command == "verify" else ()
    ended = invoke(command, *options, stdin=stdin)
    assert ended.exit_code == 2
    assert "no token" in ended.output


@pytest.mark.parametrize("stdin", [b"\xff\xfe\x00", b"a.b", b"x" * 2_000_000, b"a.b.c.d.e"])
def test_what_is_no_token_is_refused(idp, stdin):
    """Any octets on standard input are a verdict, never a traceback."""
    with idp.serve() as base_url:
        assert invoke("verify", "--issuer", base_url, "--any-audience", stdin=stdin).exit_code == 1
    assert invoke("decode", stdin=stdin).exit_code == 1


def test_a_private_authority_is_trusted_if_named(tmp_path, idp):
    """With ``--ca`` keys come from a server that a private authority vouches for; without, not."""
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


def test_decoding_says_loudly_that_nothing_was_verified(idp):
    """Header and claims are shown under a warning; nothing of the signature is."""
    token = idp.issue(scope="a")
    shown, told = run("decode", stdin=token), run("decode", "--json", stdin=token)
    assert (shown.returncode, told.returncode) == (0, 0)
    assert shown.stdout.startswith("NOT VERIFIED")
    assert '"scope": "a"' in shown.stdout
    assert "NOT VERIFIED" in told.stderr
    content = json.loads(told.stdout)
    assert content.keys() == {"verified", "header", "claims"}
    assert content["verified"] is False
    assert content["header"]["kid"] == "key-1"
    unseen(token, shown.stdout, told.stdout, told.stderr)


def test_decoding_reads_tokens_that_are_refused(idp):
    """A token under any alg is decoded, for that may be why it is refused; an encrypted one is not."""
    assert '"alg": "HS256"' in invoke("decode", idp.issue(headers={"alg": "HS256"})).output
    assert "encrypted_token" in invoke("decode", "e30.a.b.c.d").output
    assert "malformed_token" in invoke("decode", "e30.e30e30e.c").output
