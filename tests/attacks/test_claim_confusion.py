"""Claims of confusing types: issuers, audiences, times and others, all with valid signatures."""

from __future__ import annotations

import json

import pytest
from forging import EC, ISSUER, MARKER, NOW, Stand, claims_of, header_of, octets_of, signed

from jwks_client import IssuerTemplate, providers

OTHER = "https://attacker.test"
LATEST = 253402300799  # 9999-12-31T23:59:59Z


def token(**claims):
    return signed(EC, payload=claims_of(EC, **claims))


def raw(name, value):
    """Return a token in which a claim's value is exactly this text."""
    rest = octets_of(claims_of(EC, **{name: ...}))
    return signed(EC, payload=b'{"' + name.encode() + b'":' + value.encode() + b"," + rest[1:])


NOT_THE_ISSUER = {
    "other": OTHER,
    "slash behind": f"{ISSUER}/",
    "no scheme": ISSUER.removeprefix("https://"),
    "http": ISSUER.replace("https", "http"),
    "capital": ISSUER.upper(),
    "capital host": "https://Issuer.test",
    "prefix": ISSUER[:-1],
    "first letter": ISSUER[0],
    "inside": "issuer",
    "longer": f"{ISSUER}.attacker.test",
    "path behind": f"{ISSUER}/../attacker",
    "user in front": f"https://{ISSUER.removeprefix('https://')}@attacker.test",
    "blank behind": f"{ISSUER} ",
    "line behind": f"{ISSUER}\n",
    "NUL behind": f"{ISSUER}\0",
    "port": f"{ISSUER}:443",
    "dot": f"{ISSUER}.",
    "look-alike": ISSUER.replace("i", "\u0456"),
    "nothing": "",
    "a list in text": json.dumps([ISSUER]),
    "two": f"{ISSUER} {OTHER}",
    "two with comma": f"{ISSUER},{OTHER}",
    "wildcard": "*",
    "pattern": ".*",
}


@pytest.mark.parametrize("issuer", NOT_THE_ISSUER.values(), ids=NOT_THE_ISSUER)
def test_an_issuer_must_match_as_a_whole_string(drive, issuer):
    """A part of the issuer, a longer one, or another spelling is refused, with one configured issuer or several."""
    stand = Stand(drive, EC)
    stand.assert_refused(token(iss=issuer), "wrong_issuer", "iss")
    several = Stand(drive, EC, issuer=(ISSUER, "https://second.test"))
    several.assert_refused(token(iss=issuer), "wrong_issuer", "iss")


@pytest.mark.parametrize(
    "issuer",
    [[ISSUER], [OTHER, ISSUER], [], {ISSUER: 1}, {"iss": ISSUER}, 1, 0, 1.5, True, False],
    ids=repr,
)
def test_an_issuer_of_another_type_is_refused(drive, issuer):
    """A list that holds the right issuer is refused."""
    for fields in ({}, {"issuer": (ISSUER, OTHER)}, {"issuer": providers.UNCHECKED}):
        Stand(drive, EC, **fields).assert_refused(token(iss=issuer), "invalid_claim", "iss")


@pytest.mark.parametrize("issuer", [None, ...], ids=["null", "absent"])
def test_a_token_without_an_issuer_is_refused(drive, issuer):
    """A null or absent issuer is missing."""
    Stand(drive, EC).assert_refused(token(iss=issuer), "missing_claim", "iss")


NOT_THE_AUDIENCE = [
    *("ap", "pi", "a", "", "API", "api ", " api", "api\n", "api\0", "api,other", "api other"),
    *('["api"]', "*", "apis", "https://api", "\u0430pi"),
    *([], [""], ["ap"], ["API"], ["api "], ["a", "p", "i"], ["other", "apis"]),
]


@pytest.mark.parametrize("audience", NOT_THE_AUDIENCE, ids=repr)
def test_an_audience_must_match_as_a_whole_string(drive, audience):
    """A part of the expected audience, or a list without it, is refused."""
    for fields in ({}, {"audience": ("api", "second")}):
        stand = Stand(drive, EC, **fields)
        stand.assert_refused(token(aud=audience), "wrong_audience", "aud")
        stand.assert_accepted(token(aud=["other", "api"]))


@pytest.mark.parametrize(
    "audience",
    [
        *({"api": True}, {"aud": "api"}, 1, 0, True, False, 1.5, ["api", 1], ["api", None]),
        *([["api"]], ["api", {}], [{"api": 1}], ["api", True]),
    ],
    ids=repr,
)
def test_an_audience_of_another_type_is_refused(drive, audience):
    """An object with the right key, or a list with anything but strings, is refused, even if the right one is in it."""
    for fields in ({}, {"audience": providers.UNCHECKED}):
        Stand(drive, EC, **fields).assert_refused(token(aud=audience), "invalid_claim", "aud")


@pytest.mark.parametrize("audience", [None, ...], ids=["null", "absent"])
def test_a_token_without_an_audience_is_refused(drive, audience):
    """A null or absent audience is missing."""
    Stand(drive, EC).assert_refused(token(aud=audience), "missing_claim", "aud")


@pytest.mark.parametrize("name", ["sub", "jti"])
@pytest.mark.parametrize("value", [1, 0, None, True, [], ["u1"], {}, {"sub": "u1"}, 1.0], ids=repr)
def test_a_subject_must_be_a_string(drive, name, value):
    """A sub or jti that is not a string is refused, because other code compares them as text."""
    Stand(drive, EC).assert_refused(token(**{name: value}), "invalid_claim", name)


TIMES = ["exp", "nbf", "iat"]
NO_TIMES = [
    *('"1700000060"', '"9999999999"', '""', '"2099-01-01T00:00:00Z"', '"1e10"', '"Infinity"'),
    *("true", "false", "[]", "[1700000060]", "{}", '{"$date":1700000060}'),
    *("-1", "-1700000000", "-0.5", "1700000060000", str(LATEST + 1), "1e18", "1e300", "9" * 64),
]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("name", TIMES)
def test_a_time_must_be_a_number_of_seconds(drive, name, value):
    """Text, booleans, lists, negative numbers, milliseconds and far futures are refused as times."""
    Stand(drive, EC).assert_refused(raw(name, value), "invalid_claim", name)


NO_JSON_NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E999", "9" * 65, "1" + "0" * 4000),
    *("1." + "0" * 4000, "1e" + "9" * 100, "+1", "01", "0x7fffffff", "1.", ".5", "1e", "1_000"),
    *("nan", "inf", "1700000060L", "\u0661", "'1'", "undefined", "Date(1)"),
]


@pytest.mark.parametrize("value", NO_JSON_NUMBERS, ids=[repr(one[:12]) for one in NO_JSON_NUMBERS])
def test_a_number_that_json_cannot_express_is_malformed(drive, value):
    """NaN, infinities (written with an exponent, too) and thousands of digits are malformed in any position."""
    stand = Stand(drive, EC)
    for name in ("exp", "nbf", "iat", "level"):
        stand.assert_all_refused(
            [raw(name, value), raw(name, f'{{"a":[{value}]}}')], "malformed_token"
        )


@pytest.mark.parametrize("name", TIMES)
def test_a_null_time_is_not_an_absent_time(drive, name):
    """``exp: null`` does not mean "never expires"."""
    code = "missing_claim" if name == "exp" else "invalid_claim"
    Stand(drive, EC).assert_refused(token(**{name: None}), code, name)


def test_a_token_without_an_expiry_is_refused(drive):
    """``exp`` is required, and 0 is a time in the past."""
    stand = Stand(drive, EC)
    stand.assert_refused(token(exp=...), "missing_claim", "exp")
    stand.assert_refused(token(exp=0, iat=0), "token_expired", "exp")
    stand.assert_refused(raw("exp", "-0.0"), "token_expired", "exp")


def test_times_are_judged_to_the_second(drive):
    """A token expires at exactly ``exp`` plus leeway, and is not accepted earlier than it may be."""
    stand = Stand(drive, EC)
    stand.assert_accepted(token(exp=NOW - 29, iat=NOW - 90))
    stand.assert_refused(token(exp=NOW - 30, iat=NOW - 90), "token_expired", "exp")
    stand.assert_refused(token(exp=NOW - 30.5, iat=NOW - 90), "token_expired", "exp")
    stand.assert_accepted(token(nbf=NOW + 30))
    stand.assert_refused(token(nbf=NOW + 31), "token_not_yet_valid", "nbf")
    stand.assert_refused(token(iat=NOW + 31), "token_issued_in_future", "iat")
    stand.assert_refused(token(iat=NOW + 61), "invalid_claim", "iat")
    stand.assert_refused(token(exp=LATEST, nbf=LATEST), "token_not_yet_valid", "nbf")


def test_a_max_age_of_zero_is_a_limit_and_requires_iat(drive):
    """``max_age=0`` refuses a token issued longer ago than the leeway, and a token without ``iat``."""
    stand = Stand(drive, EC, max_age=0)
    stand.assert_refused(token(iat=NOW - 30), "token_too_old", "iat")
    stand.assert_refused(token(iat=...), "missing_claim", "iat")
    stand.assert_refused(token(iat=None), "missing_claim", "iat")
    stand.assert_refused(token(iat=str(NOW)), "invalid_claim", "iat")


PAYLOADS = {
    "list": [{"iss": ISSUER}],
    "empty list": [],
    "list of pairs": [["iss", ISSUER], ["aud", "api"]],
    "text": "claims",
    "claims as text": json.dumps(claims_of(EC)),
    "number": 1,
    "true": True,
    "null": None,
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_claims_must_be_an_object(drive, payload):
    """A signed payload that is not an object is refused."""
    stand = Stand(
        drive, EC, issuer=providers.UNCHECKED, audience=providers.UNCHECKED, require_expiry=False
    )
    stand.assert_accepted(signed(EC, payload=b"{}"))
    stand.assert_refused(signed(EC, payload=json.dumps(payload).encode()), "malformed_token")


WANTED = {"n": 1, "yes": True, "text": "1", "many": ["a", "b"], "deep": {"a": [1]}}
CONFUSED = {
    "n": [True, "1", 1.5, [1], None, {"1": 1}, 2],
    "yes": [1, "true", 1.0, [True], None, False],
    "text": [1, True, ["1"], None, "1 ", "01", ""],
    "many": ["a", ["a"], ["b", "a"], ["a", "b", "c"], "a b", None, {"a": 1, "b": 2}, [["a", "b"]]],
    "deep": [{"a": [True]}, {"a": 1}, {"a": [1], "b": 1}, [1], {}, None, {"A": [1]}],
}


@pytest.mark.parametrize("name", WANTED)
def test_a_required_value_has_its_own_type(drive, name):
    """True is not 1, "1" is not 1, and a list that holds the value is not the value, for settings and call alike."""
    good = lambda: token(**WANTED)
    stand = Stand(drive, EC, claim_values=WANTED, honest=good)
    called = Stand(drive, EC)
    called.assert_accepted(good(), claim_values=WANTED)
    for value in CONFUSED[name]:
        odd = token(**{**WANTED, name: value})
        stand.drive.current = stand.client
        stand.assert_refused(odd, "invalid_claim", name)
        called.drive.current = called.client
        called.assert_accepted(odd)
        called.assert_refused(odd, "invalid_claim", name, claim_values=WANTED)
    called.assert_refused(
        token(**{**WANTED, name: ...}), "missing_claim", name, claim_values=WANTED
    )


@pytest.mark.parametrize("name", ["__proto__", "constructor", "__class__", "toString", "\0"])
def test_a_claim_s_name_is_only_a_name(drive, name):
    """A claim's name has no further meaning, whatever other languages make of it."""
    honest = lambda: token(**{name: "here"})
    stand = Stand(drive, EC, required_claims=[name], honest=honest)
    stand.assert_refused(token(), "missing_claim", name)
    stand.assert_refused(token(**{name: None}), "missing_claim", name)
    verified = stand.assert_accepted()
    assert verified.claims[name] == "here"
    assert type(verified.claims) is dict


def test_a_template_s_tenant_must_be_the_issuer_s_tenant(drive):
    """The claim must name the tenant that the issuer names, and the application must allow it."""
    template = IssuerTemplate("https://login.test/{tid}/v2.0", allowed={"t1", "t2"})
    where = "https://login.test/{}/v2.0".format
    stand = Stand(drive, EC, issuer=template, honest=lambda: token(iss=where("t1"), tid="t1"))
    for tenant, claim in [
        ("t1", "t2"),
        ("t3", "t3"),
        ("t1", ["t1"]),
        ("t1", None),
        ("t1", ...),
        ("", ""),
        ("t1/../t3", "t1/../t3"),
        ("T1", "T1"),
        ("t1\n", "t1\n"),
        ("t1/v2.0#", "t1/v2.0#"),
        ("{tid}", "{tid}"),
        ("t" * 65, "t" * 65),
        ("t1%2f", "t1%2f"),
        (".*", ".*"),
    ]:
        stand.assert_refused(token(iss=where(tenant), tid=claim), "wrong_issuer", "iss")
    stand.assert_refused(token(iss=[where("t1")], tid="t1"), "invalid_claim", "iss")


def test_scopes_must_be_whole_words(drive):
    """A scope of another type is refused or gives none, and a part of a word is not a scope."""
    stand = Stand(drive, EC)
    for odd in (1, True, {"admin": 1}, ["a", 1], [["admin"]]):
        stand.assert_refused(token(scope=odd), "invalid_claim", "scope")
        assert stand.assert_accepted(token(scp=odd)).scopes == frozenset()
    for text in (
        "administrator",
        "admin\n",
        "Admin",
        "not-admin",
        "admin,read",
        "admin\u00a0x",
    ):
        assert "admin" not in stand.assert_accepted(token(scope=text)).scopes
    assert MARKER not in repr(stand.assert_accepted())
    assert stand.assert_accepted(signed(EC, header_of(EC, scope="admin"))).scopes == frozenset()
