"""The doctor's findings, each from a response with one problem."""

import base64
import hashlib
import itertools
import json
import socket
from unittest import mock

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from serving import certificate, codes_at, findings_at, invoke, make_tls, served

from jwks_client.cli._doctor.examination import examine
from jwks_client.cli._probe import prober
from jwks_client.cli._probe.entries import read_entries
from jwks_client.cli._probe.prober import Exchange
from jwks_client.cli._probe.target import Inspection, inspect_url
from jwks_client.testing import FakeProvider

NOW = 1_700_000_000.0
DAY = 86_400
GOOD = {"content-type": "application/jwk-set+json", "cache-control": "max-age=900"}


@pytest.fixture(scope="module")
def keys():
    """Return two good EC keys."""
    idp = FakeProvider(algorithm="ES256")
    idp.rotate()
    return idp.jwks()["keys"]


def examined(keys, *, headers=GOOD, url="https://idp.example/jwks", **visit):
    """Return the findings on a response with these keys, as (severity, code, kid)."""
    body = json.dumps({"keys": keys}).encode()
    fields = {"seconds": 0.1, "body": body, **visit}
    answer = Exchange(url=url, status=200, headers=headers, **fields)
    inspection = Inspection(target=url, keys=answer, entries=read_entries(body, 100))
    return [(one.severity, one.code, one.kid) for one in examine(inspection, NOW)]


def test_the_time_of_a_response_is_measured(keys):
    """The time from the request to the end of the response decides whether it is slow."""
    ticks = mock.patch.object(prober, "monotonic", side_effect=itertools.count(0, 2.0))
    with served() as what, ticks:
        url = what.put("/jwks", {"keys": keys})
        with prober.Prober(60, url) as probing:
            inspection = inspect_url(url, probing)
    assert inspection.keys.seconds == 2.0
    assert "slow_answer" in {one.code for one in examine(inspection, NOW)}


def test_a_healthy_set_has_no_findings(keys):
    """Two good keys in a good response have no findings."""
    assert examined(keys) == []


def octets(number):
    length = (number.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(number.to_bytes(length, "big")).decode().rstrip("=")


RSA = {
    "kty": "RSA",
    "kid": "k",
    "alg": "RS256",
    "use": "sig",
    "e": "AQAB",
    "n": octets(2**2047 + 9),
}


@pytest.mark.parametrize(
    ("entry", "severity", "code"),
    [
        ({**RSA, "n": octets(2**1023 + 1)}, "error", "weak_key"),
        ({**RSA, "e": "AQ"}, "error", "weak_key"),
        ({**RSA, "n": octets(2**9000 + 1)}, "error", "malformed_key"),
        ({**RSA, "n": octets(2**8200 + 1)}, "warning", "oversized_key"),
        ({**RSA, "d": "AQAB"}, "error", "private_key"),
        ({"kty": "oct", "kid": "k", "k": "AQAB"}, "error", "symmetric_key"),
        ({**RSA, "n": 7}, "error", "malformed_key"),
        ({**RSA, "alg": "ES256"}, "error", "wrong_algorithm"),
        ({**RSA, "alg": "RSA-OAEP"}, "info", "encryption_key"),
        ({**RSA, "use": "enc", "alg": "RSA-OAEP-256"}, "info", "encryption_key"),
        ({**RSA, "use": "tls"}, "info", "not_for_signatures"),
        ({**RSA, "key_ops": ["sign"]}, "info", "not_for_signatures"),
        ({"kty": "NEW", "kid": "k", "alg": "NEW"}, "info", "unknown_type"),
        ({"kty": "EC", "crv": "P-999", "kid": "k", "alg": "X"}, "info", "unknown_curve"),
        ({"kty": "AKP", "alg": "ML-DSA-99", "kid": "k"}, "info", "unknown_algorithm"),
        ({name: RSA[name] for name in RSA if name != "alg"}, "info", "missing_alg"),
        ({**RSA, "n": RSA["n"] + "=="}, "info", "loose_encoding"),
        ({**RSA, "x5tS256": "x"}, "info", "misspelled_thumbprint"),
        ({**RSA, "x5t": 7}, "warning", "thumbprint_mismatch"),
        ({**RSA, "x5c": [""]}, "warning", "certificate_unreadable"),
        ({**RSA, "x5c": "MIIB"}, "warning", "certificate_unreadable"),
        ({**RSA, "x5c": ["AAAA"]}, "warning", "certificate_unreadable"),
        ({**RSA, "x5c": ["*"]}, "warning", "certificate_unreadable"),
    ],
)
def test_a_problem_with_one_key(keys, entry, severity, code):
    """One odd entry among good ones is one finding with its kid."""
    assert examined([*keys, entry]) == [(severity, code, "k")]


@pytest.mark.parametrize("empty", [None, "", []])
@pytest.mark.parametrize("member", ["d", "oth", "key_ops", "use", "x5c", "x5t", "x5t#S256"])
def test_an_empty_member_is_not_a_finding(keys, member, empty):
    """The values null, "" and [], which serializers write for absent members, count as absent."""
    entry = {name: value for name, value in RSA.items() if name != member}
    assert examined([*keys, {**entry, member: empty}]) == []


def test_a_repeated_member(keys):
    """An entry with a repeated member is unusable and reported."""
    (first, second) = (json.dumps(key) for key in keys)
    body = f'{{"keys": [{first}, {second[:-1]}, "kid": "x"}}]}}'.encode()
    visit = Exchange(url="https://idp.example/jwks", status=200, headers=GOOD, body=body)
    inspection = Inspection(target=visit.url, keys=visit, entries=read_entries(body, 100))
    assert "repeated_member" in {one.code for one in examine(inspection, NOW)}


def test_a_key_without_kid(keys):
    """A key without a kid is a warning."""
    nameless = {name: value for name, value in keys[1].items() if name != "kid"}
    assert examined([keys[0], nameless]) == [("warning", "missing_kid", None)]


def test_only_one_key(keys):
    """A set with one usable key is a warning, even if several entries contain it or others are unusable."""
    assert examined(keys[:1]) == [("warning", "single_key", None)]
    twice = [keys[0], {**keys[0], "kid": "again"}]
    assert examined(twice) == [("warning", "single_key", None), ("info", "shared_material", None)]


def test_one_key_that_cannot_be_used_under_two_kids(keys):
    """Equal weak keys are recognized, even if one modulus has a leading zero octet."""
    number = 2**1023 + 1
    padded = base64.urlsafe_b64encode(bytes(1) + number.to_bytes(128, "big")).decode().rstrip("=")
    weak = [{**RSA, "kid": "a", "n": octets(number)}, {**RSA, "kid": "b", "n": padded}]
    assert ("info", "shared_material", None) in examined([*keys, *weak])


def test_entries_that_share_a_kid(keys):
    """A kid of several keys is a warning; of equal keys, an info; of too many to try, an error."""
    one, other = ({**key, "kid": "same"} for key in keys)
    assert ("warning", "duplicate_kid", "same") in examined([one, other])
    assert ("info", "duplicate_kid", "same") in examined([one, one, keys[1]])
    many = [{**FakeProvider(algorithm="ES256").jwks()["keys"][0], "kid": "same"} for _ in range(5)]
    assert examined(many) == [("error", "duplicate_kid", "same")]


def test_no_usable_key():
    """A set without a usable key is an error, whether it is empty or not."""
    assert examined([]) == [("error", "no_usable_key", None)]
    assert [code for _, code, _ in examined([{**RSA, "use": "tls"}])] == [
        "no_usable_key",
        "not_for_signatures",
    ]


def test_unknown_members(keys):
    """Unknown members are reported once for the whole set."""
    odd = [{**key, "issuer": "x", "exp": 1} for key in keys]
    assert examined(odd) == [("info", "other_members", None)]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"cache-control": "no-store"}, "life_forbidden"),
        ({"cache-control": "no-cache"}, "life_forbidden"),
        ({"cache-control": "max-age=0"}, "life_forbidden"),
        ({"cache-control": "max-age=30"}, "life_too_short"),
        ({"cache-control": "max-age=100", "age": "70"}, "life_too_short"),
        ({"cache-control": "max-age=60"}, None),
        ({"cache-control": "max-age=86400"}, None),
        ({"cache-control": "max-age=86401"}, "life_too_long"),
        ({"expires": "Thu, 01 Dec 2033 16:00:00 GMT"}, "life_too_long"),
        ({"cache-control": "public"}, "life_unsaid"),
        ({}, "life_unsaid"),
    ],
)
def test_the_lifetime(keys, headers, code):
    """A lifetime that is forbidden, very short, very long or missing is a finding."""
    found = examined(keys, headers={"content-type": "application/json", **headers})
    assert [one[1] for one in found] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("content_type", "is_found"),
    [
        ("application/json", False),
        ("Application/JWK-Set+JSON; charset=utf-8", False),
        ("text/plain", True),
        ("application/octet-stream", True),
        (None, True),
    ],
)
def test_the_content_type(keys, content_type, is_found):
    """A Content-Type other than JSON or JWK Set, or none, is a finding."""
    headers = {"cache-control": "max-age=900"}
    if content_type is not None:
        headers["content-type"] = content_type
    assert (("warning", "content_type", None) in examined(keys, headers=headers)) is is_found


@pytest.mark.parametrize(
    ("visit", "finding"),
    [
        ({"seconds": 1.5}, ("warning", "slow_answer", None)),
        ({"certificate_ends": NOW + 20 * DAY}, ("warning", "tls_expiring", None)),
        ({"certificate_ends": NOW + 2 * DAY}, ("error", "tls_expiring", None)),
        ({"certificate_ends": NOW + 22 * DAY}, None),
        ({"url": "http://idp.example/jwks"}, ("error", "plain_http", None)),
        ({"url": "http://127.0.0.1:1/jwks"}, None),
        ({"url": "http://localhost/jwks"}, None),
        ({"url": "http://[::1]/jwks"}, None),
    ],
)
def test_the_circumstances_of_a_response(keys, visit, finding):
    """Time, certificate and scheme are read from the record; loopback may use plain http."""
    assert examined(keys, **visit) == ([] if finding is None else [finding])


def test_a_large_answer(keys):
    """A response over 64 KiB is a finding."""
    assert ("warning", "large_answer", None) in examined([{**keys[0], "pad": "x" * 70_000}])


def certified(*, for_another=False, days=365.0, **members):
    """Return a key with a certificate, or with one for another key."""
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_numbers()
    other = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate(other if for_another else private, days=days).public_bytes(Encoding.DER)
    jwk = {"kty": "EC", "crv": "P-256", "kid": "c", "alg": "ES256", "use": "sig"}
    for name, value in (("x", point.x), ("y", point.y)):
        jwk[name] = base64.urlsafe_b64encode(value.to_bytes(32, "big")).decode().rstrip("=")
    jwk["x5c"] = [base64.b64encode(leaf).decode()]
    return jwk | {name: make(leaf) for name, make in members.items()}


def sha1(leaf):
    return base64.urlsafe_b64encode(hashlib.sha1(leaf, usedforsecurity=False).digest()).decode()


def sha256(leaf):
    return base64.urlsafe_b64encode(hashlib.sha256(leaf).digest()).decode()


def hexed(leaf):
    digits = hashlib.sha1(leaf, usedforsecurity=False).hexdigest().upper()
    return base64.urlsafe_b64encode(digits.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({}, []),
        ({"x5t": lambda leaf: sha1(leaf).rstrip("=")}, []),
        ({"x5t#S256": lambda leaf: sha256(leaf).rstrip("=")}, []),
        ({"for_another": True}, [("error", "certificate_mismatch", "c")]),
        ({"days": -1.0}, [("info", "certificate_expired", "c")]),
        ({"x5t": sha1}, [("info", "thumbprint_encoding", "c")]),
        (
            {"x5t": lambda leaf: sha1(leaf).replace("=", "%3D")},
            [("info", "thumbprint_encoding", "c")],
        ),
        ({"x5t": hexed}, [("warning", "thumbprint_encoding", "c")]),
        ({"x5t": lambda leaf: sha256(leaf).rstrip("=")}, [("warning", "thumbprint_mismatch", "c")]),
        ({"x5t#S256": lambda _: "AAAA"}, [("warning", "thumbprint_mismatch", "c")]),
        (
            {"x5tS256": lambda leaf: sha256(leaf).rstrip("=")},
            [("info", "misspelled_thumbprint", "c")],
        ),
        (
            {"x5tS256": lambda _: "AAAA"},
            [("warning", "thumbprint_mismatch", "c"), ("info", "misspelled_thumbprint", "c")],
        ),
    ],
)
def test_certificates_and_thumbprints(keys, made, found):
    """A certificate for another key and a wrong thumbprint are findings; right ones are not."""
    jwk = certified(**made)
    body = json.dumps({"keys": [*keys, jwk]}).encode()
    visit = Exchange(url="https://idp.example/jwks", status=200, headers=GOOD, body=body)
    inspection = Inspection(target=visit.url, keys=visit, entries=read_entries(body, 100))
    now = FakeProvider().clock.time()  # a certificate is checked by the system's clock
    assert [(one.severity, one.code, one.kid) for one in examine(inspection, now)] == found


@pytest.mark.parametrize(
    ("issuer", "jwks_host", "found"),
    [
        ("{base}", "127.0.0.1", []),
        ("https://other.example", "127.0.0.1", [("error", "issuer_mismatch")]),
        (None, "127.0.0.1", [("error", "issuer_mismatch")]),
        ("{base}/", "127.0.0.1", [("info", "issuer_spelling")]),
        ("{base}", "localhost", [("warning", "foreign_jwks_uri")]),
    ],
)
def test_metadata_is_compared(keys, issuer, jwks_host, found):
    """The issuer in the metadata, including its slash, and the host of the keys are compared."""
    with served() as what:
        home = what.base_url
        place = what.put("/jwks", {"keys": keys}, cache_control="max-age=900")
        metadata = {"jwks_uri": place.replace("127.0.0.1", jwks_host)}
        if issuer is not None:
            metadata["issuer"] = issuer.format(base=home)
        what.put("/.well-known/openid-configuration", metadata)
        found_at = findings_at(home)
    assert [(one["severity"], one["code"]) for one in found_at] == found


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ("http://adfs.example/adfs/services/trust", [("warning", "access_token_issuer")]),
        ("{base}", []),
        (7, []),
    ],
)
def test_another_issuer_of_access_tokens_is_reported(keys, own, found):
    """The separate issuer of access tokens, which AD FS publishes in its metadata, is a finding."""
    with served() as what:
        home = what.base_url
        place = what.put("/jwks", {"keys": keys}, cache_control="max-age=900")
        own = own.format(base=home) if isinstance(own, str) else own
        what.put(
            "/.well-known/openid-configuration",
            {"issuer": home, "jwks_uri": place, "access_token_issuer": own},
        )
        found_at = findings_at(home)
    assert [(one["severity"], one["code"]) for one in found_at] == found
    for one in found_at:
        assert own in one["message"]


def test_the_metadata_itself_may_be_named(keys):
    """The issuer of a metadata URL is the part before its well-known path."""
    with served() as what:
        place = what.put("/jwks", {"keys": keys}, cache_control="max-age=900")
        url = what.put(
            "/.well-known/oauth-authorization-server/t1",
            {"issuer": f"{what.base_url}/t1", "jwks_uri": place},
        )
        assert codes_at(url) == []
        what.put(
            "/.well-known/oauth-authorization-server/t1",
            {"issuer": f"{what.base_url}/t2", "jwks_uri": place},
        )
        assert codes_at(url) == ["issuer_mismatch"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": 302, "location": "https://b.example"}, "redirect"),
        ({"status": 503}, "bad_status"),
        ({"body": "<html>"}, "web_page"),
        ({"body": "nothing"}, "bad_key_set"),
    ],
)
def test_no_key_set_is_a_finding_and_exit_status_3(answer, code):
    """If no key set could be read, the one finding says why."""
    with served() as what:
        url = what.put("/jwks?x", **{"body": "", **answer})
        ended = invoke("doctor", "--json", url)
    assert ended.exit_code == 3
    printed = json.loads(ended.stdout)
    assert printed.keys() == {"target", "findings"}
    assert [one["code"] for one in printed["findings"]] == [code]


def test_the_json_has_a_fixed_shape(keys):
    """The object and each finding have exactly the documented members; the worst comes first."""
    with served() as what:
        url = what.put(
            "/jwks", {"keys": [{**RSA, "use": "tls"}, RSA | {"d": "AQAB", "kid": "p"}, *keys]}
        )
        ended = invoke("doctor", "--json", url)
    assert ended.exit_code == 1
    printed = json.loads(ended.stdout)
    assert printed.keys() == {"target", "findings"}
    assert printed["target"] == url
    for one in printed["findings"]:
        assert one.keys() == {"code", "severity", "kid", "message", "see"}
        assert one["see"].startswith(("RFC ", "OpenID Connect ", "docs/"))
    ranks = ["error", "warning", "info"]
    severities = [ranks.index(one["severity"]) for one in printed["findings"]]
    assert severities == sorted(severities)
    assert "AQAB" not in ended.output


def test_warnings_alone_are_exit_status_0(keys):
    """Warnings do not change the exit status; each is printed with a reference."""
    with served() as what:
        ended = invoke("doctor", what.put("/jwks", {"keys": keys[:1]}, cache_control="max-age=900"))
    assert ended.exit_code == 0
    assert "warning  single_key" in ended.output
    assert "see OpenID Connect Core 1.0, section 10.1.1" in ended.output
    assert "1 key, 1 usable: 1 warning." in ended.output


def test_a_tls_certificate_about_to_end_is_seen_on_the_wire(keys, tmp_path):
    """The doctor reads the certificate of its own connection."""
    ca_file, context = make_tls(tmp_path, days=10)
    with served(context) as what:
        url = what.put("/jwks", {"keys": keys}, cache_control="max-age=900")
        found = findings_at("--ca", ca_file, url)
    assert [(one["severity"], one["code"]) for one in found] == [("warning", "tls_expiring")]


def test_no_finding_depends_on_the_network(keys, monkeypatch):
    """Examining needs only the record: it opens no socket and makes no client."""

    def refuse(*_, **__):
        raise AssertionError("the examination went to the network")

    monkeypatch.setattr(httpx, "Client", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    assert examined(keys) == []
