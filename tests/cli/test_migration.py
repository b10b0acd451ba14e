"""`doctor --migrate`: a token's verdict from PyJWT and from this library."""

import base64
import json

import pytest
from serving import invoke

from jwks_client.testing import FakeProvider


@pytest.fixture
def idp():
    """Serve a provider with two keys."""
    provider = FakeProvider(issuer=None)
    provider.answer_headers = {"Cache-Control": "max-age=900"}
    provider.rotate()
    with provider.serve():
        yield provider


def asked(idp, token, *arguments):
    """Return the status, and the findings on a token by code."""
    target = arguments or (idp.base_url,)
    result = invoke("doctor", *target, "--migrate", "--json", stdin=token)
    findings = json.loads(result.stdout)["findings"]
    found = {one["code"]: one for one in findings if one["see"].startswith(("docs/d", "docs/m"))}
    return result.exit_code, found


def test_a_token_that_both_accept(idp):
    """A token that both accept has a finding that no change is needed."""
    status, found = asked(idp, idp.issue())
    assert (status, list(found)) == (0, ["token_accepted"])


@pytest.mark.parametrize(
    ("claims", "code", "way"),
    [
        ({"exp": None}, "missing_claim", "require_expiry=False"),
        ({"headers": {"typ": "secevent+jwt"}}, "wrong_token_type", "token_types"),
        ({"cnf": {"jkt": "x"}}, "invalid_claim", "bound_tokens"),
        ({"iss": "https://other.test"}, "wrong_issuer", "127.0.0.1"),
        ({"sub": "s" * 20_000}, "token_too_large", "max_token"),
    ],
)
def test_a_token_that_pyjwt_accepts_and_this_library_refuses(idp, claims, code, way):
    """The finding is an error with the code of `verify`, and names the setting that accepts such tokens."""
    status, found = asked(idp, idp.issue(**claims))
    assert status == 1
    assert list(found) == [code]
    assert found[code]["severity"] == "error"
    assert found[code]["see"] == f"docs/debug.md#{code}"
    assert way in found[code]["message"]


def test_every_reason_is_reported(idp):
    """A token with several faults has a finding for each, so one run is enough."""
    _, found = asked(idp, idp.issue(exp=None, cnf={"jkt": "x"}, headers={"typ": "odd"}))
    assert found.keys() == {"missing_claim", "invalid_claim", "wrong_token_type"}


def test_an_algorithm_that_is_not_in_the_defaults():
    """ES256K must be named in `algorithms`."""
    idp = FakeProvider(issuer=None, algorithm="ES256K")
    with idp.serve():
        _, found = asked(idp, idp.issue())
    assert found["algorithm_not_allowed"]["severity"] == "error"


def test_a_key_that_only_pyjwt_uses(idp):
    """A key with private members verifies nothing here."""
    keys = idp.jwks()["keys"]
    keys[1]["d"] = "AQAB"
    token = idp.issue()
    idp.fail(json.dumps({"keys": keys}).encode(), only="jwks.json")
    _, found = asked(idp, token)
    assert "jwks-client keys" in found["unknown_key"]["message"]


def test_a_token_that_pyjwt_refuses_too(idp):
    """An expired token is not an error, and its other reasons are still reported."""
    now = int(idp.clock.time())
    status, found = asked(idp, idp.issue(iat=now - 9000, exp=now - 3600))
    assert status == 0
    assert found.keys() == {"refused_by_pyjwt", "token_expired"}
    assert "ExpiredSignatureError" in found["refused_by_pyjwt"]["message"]
    assert found["token_expired"]["severity"] == "warning"


def test_the_clocks_may_differ_by_the_leeway(idp):
    """A token that expired within the leeway is refused by PyJWT and accepted here."""
    now = int(idp.clock.time())
    _, found = asked(idp, idp.issue(iat=now - 100, exp=now - 1))
    assert found.keys() == {"refused_by_pyjwt", "token_accepted"}


@pytest.mark.parametrize("token", ["junk", "a.b.c", "x" * 100_000, "\x1b[31m.b.c", "a.b.c.d.e"])
def test_input_that_is_not_a_token(idp, token):
    """Input that is not a token is reported as such, without showing it."""
    status, found = asked(idp, token)
    assert status == 0
    assert "refused_by_pyjwt" in found
    assert len(found) == 2
    assert token not in json.dumps(list(found.values()))


def test_no_claim_is_shown(idp):
    """No claim is shown, so the findings can be sent to a colleague."""
    token = idp.issue(sub="secret-user", email="secret-mail", iss="https://secret.test", exp=None)
    result = invoke("doctor", idp.base_url, "--migrate", stdin=token)
    assert "secret" not in result.output
    assert token.rpartition(".")[2] not in result.output


def test_a_key_set_names_no_issuer(idp):
    """The URL of a key set accepts any issuer."""
    token = idp.issue(iss="https://other.test")
    _, found = asked(idp, token, f"{idp.base_url}/.well-known/jwks.json")
    assert list(found) == ["token_accepted"]


def test_a_preset_brings_its_own_rules(idp):
    """With --provider the token is verified as in an application with that preset."""
    preset = f"generic:{idp.base_url}/.well-known/jwks.json,issuer=https://idp.test,audience=shop"
    _, found = asked(idp, idp.issue(), "--provider", preset)
    assert found.keys() == {"wrong_issuer", "wrong_audience"}


def test_without_keys_no_finding_is_about_the_token(idp):
    """Without keys the only finding says so, with its exit status."""
    token = idp.issue()
    idp.fail(503)
    status, found = asked(idp, token)
    assert status == 3
    assert "token_accepted" not in found
    assert "refused_by_pyjwt" not in found


def test_a_token_is_needed(idp):
    """An empty standard input is wrong usage."""
    result = invoke("doctor", idp.base_url, "--migrate", stdin="")
    assert result.exit_code == 2
    assert "expected a token" in result.output


def test_a_signature_of_another_key_is_refused_by_both(idp):
    """A bad signature is reported with the other reasons."""
    head, _, signature = idp.issue().rpartition(".")
    forged = base64.urlsafe_b64encode(bytes(256)).decode().rstrip("=")
    assert len(forged) == len(signature)
    status, found = asked(idp, f"{head}.{forged}")
    assert status == 0
    assert found.keys() == {"refused_by_pyjwt", "bad_signature"}
