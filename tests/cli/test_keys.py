"""``jwks-client keys``: every key and whether it is usable, from the URL of a key set or an issuer."""

import json

import pytest
from running import run
from serving import invoke, served

from jwks_client.testing import FakeProvider


@pytest.fixture
def idp():
    return FakeProvider(issuer=None, algorithm="ES256")


def test_the_table_has_a_row_for_each_key(idp):
    """In a pipe, the table has one plain row per key with its thumbprint, and the cache lifetime."""
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    with idp.serve() as base_url:
        ended = run("keys", base_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    assert "900 s, as the response states" in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert rows[2] == ["KID", "TYPE", "SIZE", "ALG", "USE", "THUMBPRINT", "CERTIFICATE", "USABLE"]
    for row, kid in zip(rows[3:], ("key-1", "key-2"), strict=True):
        assert row[:5] == [kid, "EC", "P-256", "ES256", "sig"]
        assert len(row[5]) == 43
        assert row[6:] == ["-", "yes"]


def test_colours_can_be_forced(idp, monkeypatch):
    """Output to a pipe is coloured if FORCE_COLOR is set."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with idp.serve() as base_url:
        assert "\x1b[" in invoke("keys", base_url).stdout


def test_json_has_a_fixed_shape(idp):
    """``--json`` prints one object with the documented members."""
    with idp.serve() as base_url:
        printed = json.loads(invoke("keys", "--json", base_url).stdout)
        jwks_url = idp.jwks_url
    assert {name: printed[name] for name in printed if name != "keys"} == {
        "target": base_url,
        "jwks_url": jwks_url,
        "cached_for": 300,
        "cached_for_told": None,
    }
    (key,) = printed["keys"]
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
def test_a_url_costs_no_unnecessary_request(idp, path, asked):
    """A key set costs one request, an issuer or its metadata two."""
    with idp.serve() as base_url:
        assert invoke("keys", base_url + path).exit_code == 0
    assert [request.path for request in idp.requests] == asked


def test_an_issuer_may_look_like_a_key_set_and_the_other_way_round(idp):
    """The path only decides what is tried first; the other is tried if that does not exist."""
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
    """If OpenID metadata does not exist, RFC 8414 metadata is fetched."""
    with served() as what:
        where = f"{what.base_url}/t1"
        what.put(
            "/.well-known/oauth-authorization-server/t1",
            {"issuer": where, "jwks_uri": f"{where}/jwks"},
        )
        what.put("/t1/jwks", idp.jwks())
        assert invoke("keys", where).exit_code == 0


def test_unusable_keys_are_shown_with_their_reason(idp):
    """A set without a usable key is still listed, and the exit status is 3."""
    oct_key = {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}
    with served() as what:
        url = what.put("/jwks", {"keys": [oct_key, "x", {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]})
        ended = invoke("keys", url)
        assert ended.exit_code == 3
        assert "symmetric key" in ended.output
        assert "it is not a JSON object" in ended.output
        assert "RSA of 17 bits" in ended.output
        assert "c2VjcmV0" not in ended.output
        printed = json.loads(invoke("keys", "--json", url).stdout)
    assert printed["error"]["code"] == "bad_key_set"


def test_text_from_outside_cannot_control_the_terminal(idp):
    """Control characters in a kid are escaped, in the table and by the doctor."""
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
            output = invoke(command, url).output
            assert "\\x1b]0;owned\\x07\\u202e\\ud800" in output
            assert not {"\x1b", "\x07", "\u202e"} & set(output)


def test_a_preset_replaces_the_url():
    """``--provider`` works instead of a URL, without the arguments that only tokens need."""
    idp = FakeProvider(issuer=None)
    with idp.serve() as base_url:
        ended = invoke("keys", "--json", "--provider", f"oidc:{base_url}")
        assert json.loads(ended.stdout)["jwks_url"] == idp.jwks_url


@pytest.mark.parametrize(
    "arguments", [(), ("https://a.example", "--provider", "oidc:https://a.example")]
)
def test_a_url_or_a_preset_is_required(arguments):
    """Neither a URL nor a preset, or both, is wrong usage."""
    ended = invoke("keys", *arguments)
    assert ended.exit_code == 2
    assert "give either URL_OR_ISSUER or --provider" in ended.output
