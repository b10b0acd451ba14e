"""Recorded key sets of real providers: the commands report what the index describes.

Each oddity in `index.json` is a finding, and a document without it has no such finding.
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
    """Return every document with its entry in the index."""
    index = json.loads((vectors / FOLDER / "index.json").read_text())
    assert len(index) == 55
    return [(one, (vectors / FOLDER / f"{one['id']}.json").read_bytes()) for one in index]


def put(what, entry, body):
    """Serve a document with its recorded headers; return its URL."""
    headers = {"content-type": "application/json", **entry.get("headers", {})}
    headers = {name.lower(): value for name, value in headers.items()}
    what.answers[f"/{entry['id']}"] = Answer(body, headers)
    return f"{what.base_url}/{entry['id']}"


def expected_codes(entry: dict[str, Any], keys: list[dict[str, Any]]) -> dict[str, bool]:
    """Return which findings the index requires for a document, and which it excludes."""
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


def test_both_commands_read_every_document(documents):
    """`keys` lists every document, and `doctor` reports its known oddities."""
    with served() as what:
        for entry, body in documents:
            url = put(what, entry, body)
            keys = json.loads(body)["keys"]
            ended = invoke("keys", url)
            codes = {finding["code"] for finding in findings_at(url)}
            for key in keys:
                assert key["kid"] in ended.output, entry["id"]
            for code, is_expected in expected_codes(entry, keys).items():
                assert (code in codes) is is_expected, f"{entry['id']}: {code}"
            usable = codes.isdisjoint({"no_usable_key"})
            assert ended.exit_code == (0 if usable else 3), entry["id"]


def test_recorded_lifetimes_are_findings(documents):
    """Auth0's 15 s, Okta's 44 days and Keycloak's no-store are findings; Google's six hours are not."""
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
    """Auth0's former x5t, the hex digits of the digest in base64url, is a finding."""
    messages = {}
    with served() as what:
        for entry, body in documents:
            for one in findings_at(put(what, entry, body)):
                if one["code"] == "thumbprint_encoding" and one["severity"] == "warning":
                    messages.setdefault(entry["id"], one["message"])
    assert set(messages) == {"auth0-java", "auth0-pyjwt", "fz-auth0"}
    assert all("hex digits" in message for message in messages.values())


def test_a_certificate_of_a_real_provider_is_shown(documents):
    """The expiry of a key's certificate is in the JSON."""
    with served() as what:
        entry, body = next(pair for pair in documents if pair[0]["id"] == "fz-auth0")
        ended = invoke("keys", "--json", put(what, entry, body))
    keys = json.loads(ended.stdout)["keys"]
    assert keys[0]["certificate_ends"] == "2029-07-19"


@pytest.mark.extended
def test_the_installed_commands_agree(documents):
    """As a process, the commands give the same result as in this process."""
    entry, body = next(pair for pair in documents if pair[0]["id"] == "fz-keycloak")
    with served() as what:
        url = put(what, entry, body)
        for command in ("keys", "doctor"):
            ended = run(command, url)
            assert "Traceback" not in ended.stderr
            assert ended.returncode == invoke(command, url).exit_code


def test_every_state_of_every_rotation(vectors):
    """`keys` lists the kids of each recorded state."""
    with served() as what:
        for path in sorted((vectors / "jwks-rotation").glob("*.json")):
            recorded = json.loads(path.read_text())
            states = {json.dumps(state["keys"]): state["keys"] for state in recorded["states"]}
            for names in list(states.values())[:40]:
                keys = [recorded["keys"][name] for name in names]
                ended = invoke("keys", what.put("/jwks", {"keys": keys}))
                assert ended.exit_code == 0
                assert all(key["kid"] in ended.output for key in keys)


def test_a_document_with_a_foreign_certificate_is_an_error(documents):
    """A document whose key was replaced, but not its certificate, is an error of the doctor."""
    entry, body = next(pair for pair in documents if pair[0]["id"] == "fz-auth0")
    keys = json.loads(body)["keys"]
    keys[0]["n"] = base64.urlsafe_b64encode(b"\xc1" + b"\x01" * 255).decode().rstrip("=")
    with served() as what:
        url = put(what, entry, json.dumps({"keys": keys}))
        assert "certificate_mismatch" in {one["code"] for one in findings_at(url)}
        assert invoke("doctor", url).exit_code == 1
