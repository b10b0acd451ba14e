"""Claims of another type than they look: issuers, audiences, times and the rest, all truly signed."""

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
    """A token in which a claim's value is this very text."""
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
def test_an_issuer_is_one_whole_string(drive, issuer):
    """Neither a part of it, nor more than it, nor another spelling, for one issuer or several."""
    stand = Stand(drive, EC)
    stand.refuses(token(iss=issuer), "wrong_issuer", "iss")
    several = Stand(drive, EC, issuer=(ISSUER, "https://second.test"))
    several.refuses(token(iss=issuer), "wrong_issuer", "iss")


@pytest.mark.parametrize(
    "issuer",
    [[ISSUER], [OTHER, ISSUER], [], {ISSUER: 1}, {"iss": ISSUER}, 1, 0, 1.5, True, False],
    ids=repr,
)
def test_an_issuer_of_another_type_is_refused(drive, issuer):
    """A list that holds the right one is no issuer."""
    for fields in ({}, {"issuer": (ISSUER, OTHER)}, {"issuer": providers.UNCHECKED}):
        Stand(drive, EC, **fields).refuses(token(iss=issuer), "invalid_claim", "iss")


@pytest.mark.parametrize("issuer", [None, ...], ids=["null", "absent"])
def test_a_token_of_no_issuer_is_refused(drive, issuer):
    """Null is as absent as absent."""
    Stand(drive, EC).refuses(token(iss=issuer), "missing_claim", "iss")


NOT_THE_AUDIENCE = [
    *("ap", "pi", "a", "", "API", "api ", " api", "api\n", "api\0", "api,other", "api other"),
    *('["api"]', "*", "apis", "https://api", "\u0430pi"),
    *([], [""], ["ap"], ["API"], ["api "], ["a", "p", "i"], ["other", "apis"]),
]


@pytest.mark.parametrize("audience", NOT_THE_AUDIENCE, ids=repr)
def test_an_audience_is_one_whole_string_of_those_named(drive, audience):
    """No part of the expected one, and no list without it."""
    for fields in ({}, {"audience": ("api", "second")}):
        stand = Stand(drive, EC, **fields)
        stand.refuses(token(aud=audience), "wrong_audience", "aud")
        stand.accepts(token(aud=["other", "api"]))


@pytest.mark.parametrize(
    "audience",
    [
        *({"api": True}, {"aud": "api"}, 1, 0, True, False, 1.5, ["api", 1], ["api", None]),
        *([["api"]], ["api", {}], [{"api": 1}], ["api", True]),
    ],
    ids=repr,
)
def test_an_audience_of_another_type_is_refused(drive, audience):
    """An object with the right key, and a list with anything but strings, also beside the right one."""
    for fields in ({}, {"audience": providers.UNCHECKED}):
        Stand(drive, EC, **fields).refuses(token(aud=audience), "invalid_claim", "aud")


@pytest.mark.parametrize("audience", [None, ...], ids=["null", "absent"])
def test_a_token_for_nobody_is_refused(drive, audience):
    """Null is as absent as absent."""
    Stand(drive, EC).refuses(token(aud=audience), "missing_claim", "aud")


@pytest.mark.parametrize("name", ["sub", "jti"])
@pytest.mark.parametrize("value", [1, 0, None, True, [], ["u1"], {}, {"sub": "u1"}, 1.0], ids=repr)
def test_a_subject_is_a_string(drive, name, value):
    """So is a token's own ID: what is compared elsewhere as text must be text."""
    Stand(drive, EC).refuses(token(**{name: value}), "invalid_claim", name)


TIMES = ["exp", "nbf", "iat"]
NO_TIMES = [
    *('"1700000060"', '"9999999999"', '""', '"2099-01-01T00:00:00Z"', '"1e10"', '"Infinity"'),
    *("true", "false", "[]", "[1700000060]", "{}", '{"$date":1700000060}'),
    *("-1", "-1700000000", "-0.5", "1700000060000", str(LATEST + 1), "1e18", "1e300", "9" * 64),
]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_a_number_of_seconds(drive, name, value):
    """Text, truth, lists, negative numbers, milliseconds and aeons are no times."""
    Stand(drive, EC).refuses(raw(name, value), "invalid_claim", name)


NO_JSON_NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E999", "9" * 65, "1" + "0" * 4000),
    *("1." + "0" * 4000, "1e" + "9" * 100, "+1", "01", "0x7fffffff", "1.", ".5", "1e", "1_000"),
    *("nan", "inf", "1700000060L", "\u0661", "'1'", "undefined", "Date(1)"),
]


@pytest.mark.parametrize("value", NO_JSON_NUMBERS, ids=[repr(one[:12]) for one in NO_JSON_NUMBERS])
def test_what_is_no_number_of_json_is_no_token(drive, value):
    """NaN, infinities, also by exponent, thousands of digits: malformed, wherever they stand."""
    stand = Stand(drive, EC)
    for name in ("exp", "nbf", "iat", "level"):
        stand.refuses_all([raw(name, value), raw(name, f'{{"a":[{value}]}}')], "malformed_token")


@pytest.mark.parametrize("name", TIMES)
def test_a_null_time_is_not_a_time_that_was_left_out(drive, name):
    """``exp: null`` does not live for ever."""
    code = "missing_claim" if name == "exp" else "invalid_claim"
    Stand(drive, EC).refuses(token(**{name: None}), code, name)


def test_a_token_without_end_is_refused(drive):
    """``exp`` is demanded, and 0 is a time long past."""
    stand = Stand(drive, EC)
    stand.refuses(token(exp=...), "missing_claim", "exp")
    stand.refuses(token(exp=0, iat=0), "token_expired", "exp")
    stand.refuses(raw("exp", "-0.0"), "token_expired", "exp")


def test_times_are_judged_to_the_second(drive):
    """Expired at ``exp`` and the leeway, not one second later; nor is anything valid sooner."""
    stand = Stand(drive, EC)
    stand.accepts(token(exp=NOW - 29, iat=NOW - 90))
    stand.refuses(token(exp=NOW - 30, iat=NOW - 90), "token_expired", "exp")
    stand.refuses(token(exp=NOW - 30.5, iat=NOW - 90), "token_expired", "exp")
    stand.accepts(token(nbf=NOW + 30))
    stand.refuses(token(nbf=NOW + 31), "token_not_yet_valid", "nbf")
    stand.refuses(token(iat=NOW + 31), "token_issued_in_future", "iat")
    stand.refuses(token(iat=NOW + 61), "invalid_claim", "iat")
    stand.refuses(token(exp=LATEST, nbf=LATEST), "token_not_yet_valid", "nbf")


def test_an_age_of_zero_is_a_limit_and_a_missing_start_is_no_escape(drive):
    """``max_age=0`` refuses what was issued longer ago than the leeway; without ``iat`` nobody knows."""
    stand = Stand(drive, EC, max_age=0)
    stand.refuses(token(iat=NOW - 30), "token_too_old", "iat")
    stand.refuses(token(iat=...), "missing_claim", "iat")
    stand.refuses(token(iat=None), "missing_claim", "iat")
    stand.refuses(token(iat=str(NOW)), "invalid_claim", "iat")


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
def test_claims_are_an_object(drive, payload):
    """Anything else that was truly signed is no token."""
    stand = Stand(
        drive, EC, issuer=providers.UNCHECKED, audience=providers.UNCHECKED, require_expiry=False
    )
    stand.accepts(signed(EC, payload=b"{}"))
    stand.refuses(signed(EC, payload=json.dumps(payload).encode()), "malformed_token")


WANTED = {"n": 1, "yes": True, "text": "1", "many": ["a", "b"], "deep": {"a": [1]}}
CONFUSED = {
    "n": [True, "1", 1.5, [1], None, {"1": 1}, 2],
    "yes": [1, "true", 1.0, [True], None, False],
    "text": [1, True, ["1"], None, "1 ", "01", ""],
    "many": ["a", ["a"], ["b", "a"], ["a", "b", "c"], "a b", None, {"a": 1, "b": 2}, [["a", "b"]]],
    "deep": [{"a": [True]}, {"a": 1}, {"a": [1], "b": 1}, [1], {}, None, {"A": [1]}],
}


@pytest.mark.parametrize("name", WANTED)
def test_a_wanted_value_is_of_its_own_type(drive, name):
    """True is not 1, "1" is not 1, a list that holds it is not it: by settings and by call."""
    good = lambda: token(**WANTED)
    stand = Stand(drive, EC, claim_values=WANTED, honest=good)
    called = Stand(drive, EC)
    called.accepts(good(), claim_values=WANTED)
    for value in CONFUSED[name]:
        odd = token(**{**WANTED, name: value})
        stand.drive.current = stand.client
        stand.refuses(odd, "invalid_claim", name)
        called.drive.current = called.client
        called.accepts(odd)
        called.refuses(odd, "invalid_claim", name, claim_values=WANTED)
    called.refuses(token(**{**WANTED, name: ...}), "missing_claim", name, claim_values=WANTED)


@pytest.mark.parametrize("name", ["__proto__", "constructor", "__class__", "toString", "\0"])
def test_a_claim_s_name_is_only_a_name(drive, name):
    """It is there or not there, whatever other languages make of it."""
    honest = lambda: token(**{name: "here"})
    stand = Stand(drive, EC, required_claims=[name], honest=honest)
    stand.refuses(token(), "missing_claim", name)
    stand.refuses(token(**{name: None}), "missing_claim", name)
    verified = stand.accepts()
    assert verified.claims[name] == "here"
    assert type(verified.claims) is dict


def test_a_template_s_tenant_is_the_issuer_s_tenant(drive):
    """The claim must name the tenant that the issuer names, and the application must know it."""
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
        stand.refuses(token(iss=where(tenant), tid=claim), "wrong_issuer", "iss")
    stand.refuses(token(iss=[where("t1")], tid="t1"), "invalid_claim", "iss")


def test_scopes_are_words_or_strings(drive):
    """A scope of another type is refused, or gives nothing; no part of a word is a scope."""
    stand = Stand(drive, EC)
    for odd in (1, True, {"admin": 1}, ["a", 1], [["admin"]]):
        stand.refuses(token(scope=odd), "invalid_claim", "scope")
        assert stand.accepts(token(scp=odd)).scopes == frozenset()
    for told in ("administrator", "admin\n", "Admin", "not-admin", "admin,read", "admin\u00a0x"):
        assert "admin" not in stand.accepts(token(scope=told)).scopes
    assert MARKER not in repr(stand.accepts())
    assert stand.accepts(signed(EC, header_of(EC, scope="admin"))).scopes == frozenset()
