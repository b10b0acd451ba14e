"""``jwks-client keys``: every key with what it is good for, from a key set's address or an issuer's."""

import json

import pytest
from running import run
from serving import invoke, served

from jwks_client.testing import FakeProvider


@pytest.fixture
def idp():
    return FakeProvider(issuer=None, algorithm="ES256")


def test_the_table_tells_of_each_key(idp):
    """As a process, piped: one plain row a key with its thumbprint, and how long all are kept."""
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    with idp.serve() as base_url:
        ended = run("keys", base_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    assert "900 s, as the answer says" in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert rows[2] == ["KID", "TYPE", "SIZE", "ALG", "USE", "THUMBPRINT", "CERTIFICATE", "USABLE"]
    for row, kid in zip(rows[3:], ("key-1", "key-2"), strict=True):
        assert row[:5] == [kid, "EC", "P-256", "ES256", "sig"]
        assert len(row[5]) == 43
        assert row[6:] == ["-", "yes"]


def test_colours_are_there_when_they_are_forced(idp):
    """What is plain in a pipe is coloured where colours are wanted."""
    with idp.serve() as base_url:
        assert "\x1b[" in run("keys", base_url, FORCE_COLOR="1").stdout


def test_json_has_a_fixed_shape(idp):
    """``--json`` is one object with the members that the documentation names."""
    with idp.serve() as base_url:
        told = json.loads(run("keys", "--json", base_url).stdout)
        jwks_url = idp.jwks_url
    assert {name: told[name] for name in told if name != "keys"} == {
        "target": base_url,
        "jwks_url": jwks_url,
        "cached_for": 300,
        "cached_for_told": None,
    }
    (key,) = told["keys"]
    assert len(key.pop("thumbprint")) == 43
    assert key == {
        "kid": "key-1",
        "kty": "EC",
        "bits": None,
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
        "certificate_ends": None,
        "usable": True,
        "code": None,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", ["/.well-known/openid-configuration", "/.well-known/jwks.json"]),
        ("/", ["/.well-known/openid-configuration", "/.well-known/jwks.json"]),
        ("/.well-known/jwks.json", ["/.well-known/jwks.json"]),
        (
            "/.well-known/openid-configuration",
            ["/.well-known/openid-configuration", "/.well-known/jwks.json"],
        ),
        (
            "/.well-known/oauth-authorization-server",
            ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json"],
        ),
    ],
)
def test_an_address_costs_no_request_too_many(idp, path, asked):
    """One request for a key set, two for an issuer or its metadata."""
    with idp.serve() as base_url:
        assert invoke("keys", base_url + path).exit_code == 0
    assert [request.path for request in idp.requests] == asked


def test_an_issuer_may_look_like_a_key_set_and_the_other_way_round(idp):
    """A path is only a guess of what to ask first: the other is asked where that is not there."""
    keys = idp.jwks()
    with served() as what:
        what.put(
            "/keys/.well-known/openid-configuration",
            {"issuer": f"{what.base_url}/keys", "jwks_uri": f"{what.base_url}/k"},
        )
        what.put("/k", keys)
        assert invoke("keys", f"{what.base_url}/keys").exit_code == 0
        assert what.asked == ["/keys", "/keys/.well-known/openid-configuration", "/k"]
        what.asked.clear()
        assert invoke("keys", f"{what.base_url}/k").exit_code == 0
        assert what.asked[-1] == "/k"
        assert len(what.asked) == 3


def test_an_issuer_known_to_oauth_alone_is_found(idp):
    """Where OpenID's metadata is not, RFC 8414's is asked for."""
    with served() as what:
        where = f"{what.base_url}/t1"
        what.put(
            "/.well-known/oauth-authorization-server/t1",
            {"issuer": where, "jwks_uri": f"{where}/jwks"},
        )
        what.put("/t1/jwks", idp.jwks())
        assert invoke("keys", where).exit_code == 0


def test_unusable_keys_are_shown_with_their_reason(idp):
    """A set without one usable key is shown all the same, and is exit status 3."""
    oct_key = {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}
    with served() as what:
        url = what.put("/jwks", {"keys": [oct_key, "x", {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]})
        ended = invoke("keys", url)
        assert ended.exit_code == 3
        assert "symmetric key" in ended.output
        assert "it is not a JSON object" in ended.output
        assert "RSA of 17 bits" in ended.output
        assert "c2VjcmV0" not in ended.output
        told = json.loads(invoke("keys", "--json", url).stdout)
    assert told["error"]["code"] == "bad_key_set"


def test_foreign_text_cannot_steer_the_terminal(idp):
    """Control characters of a kid are shown escaped, in the table and by the doctor."""
    (key,) = idp.jwks()["keys"]
    nasty = "\x1b]0;owned\x07\u202e\ud800"
    with served() as what:
        url = what.put(
            "/jwks",
            json.dumps(
                {"keys": [{**key, "kid": nasty}, {**key, "kid": nasty, "n": 1, "alg": "x"}]}
            ),
        )
        for command in ("keys", "doctor"):
            shown = invoke(command, url).output
            assert "\\x1b]0;owned\\x07\\u202e\\ud800" in shown
            assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_a_preset_stands_for_its_address():
    """``--provider`` is looked at in the place of an address, without what only tokens need."""
    idp = FakeProvider(issuer=None)
    with idp.serve() as base_url:
        ended = invoke("keys", "--json", "--provider", f"oidc:{base_url}")
        assert json.loads(ended.stdout)["jwks_url"] == idp.jwks_url


@pytest.mark.parametrize(
    "arguments", [(), ("https://a.example", "--provider", "oidc:https://a.example")]
)
def test_one_thing_is_looked_at(arguments):
    """Neither an address nor a preset, or both, is wrong usage."""
    ended = invoke("keys", *arguments)
    assert ended.exit_code == 2
    assert "one of them" in ended.output
