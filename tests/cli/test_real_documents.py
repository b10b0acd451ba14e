"""Real providers' key sets, served as they were: the command tells of each what its index tells.

The oddities that `index.json` names are findings, and what has none of them has no such finding.
"""

import base64
import json
from typing import Any

import pytest
from running import run
from serving import Answer, findings_at, invoke, served

pytestmark = pytest.mark.collection("jwks-realworld", "jwks-rotation")

FOLDER = "jwks-realworld"


@pytest.fixture(scope="module")
def documents(vectors):
    """Every document with its entry of the index."""
    index = json.loads((vectors / FOLDER / "index.json").read_text())
    assert len(index) == 55
    return [(one, (vectors / FOLDER / f"{one['id']}.json").read_bytes()) for one in index]


def put(what, entry, body):
    """Serve a document with the headers that were recorded with it; gives its URL."""
    headers = {"content-type": "application/json", **entry.get("headers", {})}
    headers = {name.lower(): value for name, value in headers.items()}
    what.answers[f"/{entry['id']}"] = Answer(body, headers)
    return f"{what.base_url}/{entry['id']}"


def expected_codes(entry: dict[str, Any], keys: list[dict[str, Any]]) -> dict[str, bool]:
    """Which findings the index's description of a document calls for, and which it rules out."""
    signing = [key for key in keys if key.get("use", "sig") == "sig"]
    return {
        "weak_key": min(entry.get("rsa_bits", [2048])) < 2048,
        "shared_material": entry.get("same_key_under_several_entries", False),
        "loose_encoding": "modulus_with_leading_zero_byte" in entry
        or "base64_padding_in_key_material" in entry,
        "duplicate_kid": "duplicate_kid" in entry,
        "missing_kid": "some_without_kid" in entry,
        "other_members": "other_members" in entry,
        "missing_alg": any("alg" not in key for key in signing),
        "wrong_algorithm": "SHA256" in entry["alg"],
        "encryption_key": "enc" in entry["use"],
        "private_key": False,
        "symmetric_key": False,
        "certificate_mismatch": False,
        "plain_http": False,  # it is loopback
        "redirect": False,
    }


def test_each_is_told_of_by_both_commands(documents):
    """`keys` and `doctor` come to an end on every document, with the findings that are known of it."""
    with served() as what:
        for entry, body in documents:
            url = put(what, entry, body)
            keys = json.loads(body)["keys"]
            shown = invoke("keys", url)
            codes = {finding["code"] for finding in findings_at(url)}
            for key in keys:
                assert key["kid"] in shown.output, entry["id"]
            for code, is_expected in expected_codes(entry, keys).items():
                assert (code in codes) is is_expected, f"{entry['id']}: {code}"
            usable = codes.isdisjoint({"no_usable_key"})
            assert shown.exit_code == (0 if usable else 3), entry["id"]


def test_the_life_that_was_recorded_is_told(documents):
    """Auth0's 15 seconds, Okta's 44 days and Keycloak's prohibition are findings; Google's six hours none."""
    lives = {"life_too_short", "life_too_long", "life_forbidden", "life_unsaid"}
    found = {}
    with served() as what:
        for entry, body in documents:
            if "headers" in entry:
                codes = {one["code"] for one in findings_at(put(what, entry, body))}
                found[entry["id"]] = codes & lives
    assert found == {
        "fz-auth0": {"life_too_short"},
        "fz-okta": {"life_too_long"},
        "fz-keycloak": {"life_forbidden"},
        "fz-google": set(),
    }


def test_thumbprints_made_of_hex_digits_are_found(documents):
    """Auth0's x5t of those years is the digest's hex digits in base64url, which no reader expects."""
    told = {}
    with served() as what:
        for entry, body in documents:
            for one in findings_at(put(what, entry, body)):
                if one["code"] == "thumbprint_encoding" and one["severity"] == "warning":
                    told.setdefault(entry["id"], one["message"])
    assert set(told) == {"auth0-java", "auth0-pyjwt", "fz-auth0"}
    assert all("hex digits" in message for message in told.values())


def test_a_certificate_of_a_real_provider_is_shown(documents):
    """When the certificate beside a key ends is in the table and in the JSON."""
    with served() as what:
        entry, body = next(pair for pair in documents if pair[0]["id"] == "fz-auth0")
        ended = invoke("keys", "--json", put(what, entry, body))
    keys = json.loads(ended.stdout)["keys"]
    assert keys[0]["certificate_ends"] == "2029-07-19"


@pytest.mark.parametrize("name", ["wk-yahoo", "fz-keycloak", "wk-stackoverflow"])
def test_some_as_processes(documents, name):
    """What holds in this process holds for the installed command: no traceback, the same verdict."""
    entry, body = next(pair for pair in documents if pair[0]["id"] == name)
    with served() as what:
        url = put(what, entry, body)
        for command in ("keys", "doctor"):
            ended = run(command, url)
            assert "Traceback" not in ended.stderr
            assert ended.returncode == invoke(command, url).exit_code


def test_every_state_of_every_rotation(vectors):
    """`keys` comes to an end on each recorded state, and shows the kids that were served then."""
    with served() as what:
        for path in sorted((vectors / "jwks-rotation").glob("*.json")):
            recorded = json.loads(path.read_text())
            states = {json.dumps(state["keys"]): state["keys"] for state in recorded["states"]}
            for names in list(states.values())[:40]:
                keys = [recorded["keys"][name] for name in names]
                shown = invoke("keys", what.put("/jwks", {"keys": keys}))
                assert shown.exit_code == 0
                assert all(key["kid"] in shown.output for key in keys)


def test_a_document_with_a_foreign_certificate_is_an_error(documents):
    """Of a real document whose key was exchanged under its certificate, the doctor says so."""
    entry, body = next(pair for pair in documents if pair[0]["id"] == "fz-auth0")
    keys = json.loads(body)["keys"]
    keys[0]["n"] = base64.urlsafe_b64encode(b"\xc1" + b"\x01" * 255).decode().rstrip("=")
    with served() as what:
        url = put(what, entry, json.dumps({"keys": keys}))
        assert "certificate_mismatch" in {one["code"] for one in findings_at(url)}
        assert invoke("doctor", url).exit_code == 1
