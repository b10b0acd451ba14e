"""One provider's rules and their verdict: header, issuer, times, audience and the configured demands."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from signed_tokens import (
    ABSENT,
    AUDIENCE,
    CLAIMS,
    ISSUER,
    KEY,
    MARKER,
    MAX_HEADER,
    NOW,
    assert_passes,
    assert_refused,
    compact,
    judged,
    rules,
    token,
    unverified,
)

from jwks_client import IssuerTemplate, TokenError
from jwks_client._core.json_values import same_json
from jwks_client._core.tokens.claim_values import wanted
from jwks_client._core.tokens.unverified import parse
from jwks_client.providers import UNCHECKED

LEEWAY = 30  # the default
LATEST = 253402300799  # 9999-12-31T23:59:59Z
TENANT = "https://login.test/{tid}/v2.0"
REGISTERED = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]

# Header


@pytest.mark.parametrize("algorithms", [["ES256"], ["RS256", "ES256"], {"ES256", "EdDSA"}])
def test_an_algorithm_of_the_provider_s_list_is_accepted(algorithms):
    """The order of a provider's algorithms does not matter."""
    assert_passes(rules(algorithms=algorithms).check_header, unverified())


@pytest.mark.parametrize("algorithm", ["ES384", "ES256K", "RS256", "EdDSA", "ML-DSA-44"])
def test_an_algorithm_outside_the_list_is_refused(algorithm):
    """A supported algorithm that is not allowed is refused, and the error lists the allowed ones."""
    error = assert_refused(
        "algorithm_not_allowed",
        rules(algorithms=["ES256"]).check_header,
        unverified({"alg": algorithm}),
    )
    assert (error.claim, error.expected) == (None, ("ES256",))


@pytest.mark.parametrize("algorithm", ["ES256K", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_algorithms_beyond_the_default_list_must_be_named(algorithm):
    """RS, PS, ES and Ed25519 are allowed by default; other algorithms must be named."""
    named = unverified({"alg": algorithm})
    assert_refused("algorithm_not_allowed", rules().check_header, named)
    assert_passes(rules(algorithms=[algorithm]).check_header, named)


@pytest.mark.parametrize("one", ["EdDSA", "Ed25519"])
def test_an_allowed_name_allows_no_other(one):
    """Allowing `EdDSA` does not allow `Ed25519`, nor the reverse, although they are one algorithm for a key."""
    other = ({"EdDSA", "Ed25519"} - {one}).pop()
    assert_passes(rules(algorithms=[one]).check_header, unverified({"alg": one}))
    assert_refused(
        "algorithm_not_allowed", rules(algorithms=[one]).check_header, unverified({"alg": other})
    )


@pytest.mark.parametrize(
    ("typ", "types", "admitted"),
    [
        (ABSENT, None, True),
        ("JWT", None, True),
        ("application/at+jwt", None, True),
        ("AT+JWT", None, True),
        ("", None, False),
        ("dpop+jwt", None, False),
        ("JOSE", None, False),
        (" JWT", None, False),
        (MARKER, None, False),
        (ABSENT, ["at+jwt"], False),
        ("JWT", ["at+jwt"], False),
        ("at+JWT", ["application/AT+jwt"], True),
        (ABSENT, [None], True),
        ("JWT", [None], False),
        ("dpop+jwt", ["dpop+jwt", None], True),
    ],
)
def test_typ_must_be_one_of_the_provider_s_token_types(typ, types, admitted):
    """A token's typ must be absent, JWT or at+jwt unless the provider says otherwise; None stands for absent."""
    fields = {} if types is None else {"token_types": types}
    if admitted:
        assert_passes(rules(**fields).check_header, unverified({"typ": typ}))
        return
    error = assert_refused(
        "wrong_token_type", rules(**fields).check_header, unverified({"typ": typ})
    )
    assert error.expected == rules(**fields).provider.token_types


def test_alg_is_judged_before_typ():
    """alg and typ are checked before any key, and if both are wrong, alg decides the code."""
    assert_refused(
        "algorithm_not_allowed",
        rules(algorithms=["RS256"]).check_header,
        unverified({"typ": "other"}),
    )


# Issuer


@pytest.mark.parametrize("issuer", [ISSUER, (ISSUER,), ("https://other.test", ISSUER), UNCHECKED])
def test_a_configured_issuer_is_accepted(issuer):
    """A single issuer, one of several issuers, and any issuer under `UNCHECKED` are accepted."""
    assert judged(issuer=issuer).issuer == ISSUER


@pytest.mark.parametrize(
    "issuer",
    [
        *(f"{ISSUER}/", f"{ISSUER}.evil", f"{ISSUER}/realms/other", f" {ISSUER}", f"{ISSUER} "),
        *(ISSUER[:-1], ISSUER.upper(), "http://issuer.test", "issuer.test", "", MARKER),
        *(f"{ISSUER}\0", f"{ISSUER}#", "https://issuer.test:443", f"https://user@{ISSUER[8:]}"),
    ],
)
@pytest.mark.parametrize("configured", [ISSUER, (ISSUER, "https://b.test")])
def test_an_issuer_is_compared_exactly(issuer, configured):
    """An issuer must match whole, with its slash, case and scheme."""
    error = assert_refused("wrong_issuer", judged, {"iss": issuer}, issuer=configured)
    assert (error.claim, error.expected) == ("iss", configured)


def test_a_configured_slash_is_required():
    """A configured issuer with a slash does not match the issuer without it."""
    assert judged({"iss": f"{ISSUER}/"}, issuer=f"{ISSUER}/").issuer == f"{ISSUER}/"
    assert_refused("wrong_issuer", judged, issuer=f"{ISSUER}/")


TEMPLATE = IssuerTemplate(TENANT, allowed={"t1", "t-2"})


@pytest.mark.parametrize("absent", [ABSENT, None])
@pytest.mark.parametrize("issuer", [ISSUER, (ISSUER,), TEMPLATE])
def test_an_expected_issuer_must_be_present(absent, issuer):
    """An absent or null issuer is missing, and the error says what was expected."""
    error = assert_refused("missing_claim", judged, {"iss": absent}, issuer=issuer)
    shown = TENANT if issuer is TEMPLATE else issuer
    assert (error.claim, error.expected) == ("iss", shown)


@pytest.mark.parametrize("value", [0, 1, True, [ISSUER], {"iss": ISSUER}])
@pytest.mark.parametrize("issuer", [ISSUER, UNCHECKED, TEMPLATE])
def test_an_issuer_must_be_a_string(value, issuer):
    """A list that holds the right issuer is refused, even where the issuer is not checked."""
    error = assert_refused("invalid_claim", judged, {"iss": value}, issuer=issuer)
    assert error.claim == "iss"


def test_an_absent_issuer_is_none_where_it_is_not_checked():
    """Under `UNCHECKED` an absent issuer gives None, and a null issuer is refused."""
    assert judged({"iss": ABSENT}, issuer=UNCHECKED).issuer is None
    error = assert_refused("invalid_claim", judged, {"iss": None}, issuer=UNCHECKED)
    assert error.claim == "iss"


@pytest.mark.parametrize("allowed", [{"t1", "t-2"}, lambda tid: tid in {"t1", "t-2"}])
@pytest.mark.parametrize("tid", ["t1", "t-2"])
def test_a_template_accepts_allowed_tenants(allowed, tid):
    """A template accepts a tenant on which the claim, the issuer and the application agree."""
    issuer = TENANT.replace("{tid}", tid)
    template = IssuerTemplate(TENANT, allowed=allowed)
    assert judged({"iss": issuer, "tid": tid}, issuer=template).issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "tid"),
    [
        ("https://login.test/t1/v2.0", ABSENT),
        ("https://login.test/t1/v2.0", None),
        ("https://login.test/t1/v2.0", "t-2"),
        ("https://login.test/t1/v2.0", "T1"),
        ("https://login.test/t1/v2.0", ["t1"]),
        ("https://login.test/t1/v2.0", True),
        ("https://login.test/t3/v2.0", "t3"),
        ("https://login.test//v2.0", ""),
        ("https://login.test/t1/v2.0/", "t1"),
        ("https://login.test/t1/v2.0\n", "t1"),
        ("xhttps://login.test/t1/v2.0", "t1"),
        ("https://login.test/t1/v1.0", "t1"),
        ("https://login.test/{tid}/v2.0", "{tid}"),
        ("https://login.test/a/../t1/v2.0", "a/../t1"),
        ("https://login.test/t1%2f/v2.0", "t1%2f"),
        ("https://login.test/" + "a" * 65 + "/v2.0", "a" * 65),
        (MARKER, "t1"),
        (MARKER, ABSENT),
        (MARKER, None),
    ],
)
def test_a_template_refuses_any_other_issuer(issuer, tid):
    """The issuer must be the whole template with exactly the claim's value, and that value must be allowed."""
    for allowed in ({"t1", "t-2", "a" * 64}, lambda value: value != "t3"):
        template = IssuerTemplate(TENANT, allowed=allowed)
        error = assert_refused("wrong_issuer", judged, {"iss": issuer, "tid": tid}, issuer=template)
        assert (error.claim, error.expected) == ("iss", TENANT)


def outspoken(value):
    raise ValueError(value)


@pytest.mark.parametrize(
    "allowed", [lambda _: 1, lambda _: "yes", lambda _: None, lambda _: False, outspoken]
)
def test_a_callable_allows_a_tenant_by_exactly_true(allowed):
    """A callable's truthy answer does not allow a tenant, and its exception refuses the token without being the cause."""
    template = IssuerTemplate(TENANT, allowed=allowed)
    claims = {"iss": "https://login.test/t1/v2.0", "tid": "t1"}
    assert_refused("wrong_issuer", judged, claims, issuer=template)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        (None, None),
        ("https://login.test/{tid}/v2.0", None),
        ("https://login.test/{tenantid}/v2.0", None),
        ("https://login.test/{}/v2.0", None),
        ("https://login.test/t1/v2.0", None),
        ("https://login.test/t-2/v2.0", "wrong_issuer"),
        ("https://login.test/{tenantid}/v1.0", "wrong_issuer"),
        ("https://other.test/{tenantid}/v2.0", "wrong_issuer"),
        ("https://login.test/{a}{b}/v2.0", "wrong_issuer"),
        ("https://login.test/{tid/v2.0", "wrong_issuer"),
        ("https://login.test/tid}/v2.0", "wrong_issuer"),
        ("{x}", "wrong_issuer"),
        ("", "wrong_issuer"),
    ],
)
def test_a_key_s_own_issuer_must_match_too(own, code):
    """The one placeholder in a key's own issuer stands for the same value, whatever its name."""
    key = replace(KEY, issuer=own)
    claims = {"iss": "https://login.test/t1/v2.0", "tid": "t1"}
    if code is None:
        assert judged(claims, key=key, issuer=TEMPLATE).issuer == claims["iss"]
    else:
        error = assert_refused(code, judged, claims, key=key, issuer=TEMPLATE)
        assert error.claim == "iss"


def test_keys_of_another_issuer_are_tried_last():
    """Keys that fit the token's issuer come first, in their order; without a template all keys keep their order."""
    owns = [TENANT.replace("{tid}", "t2"), None, TENANT, TENANT.replace("{tid}", "t1")]
    keys = tuple(replace(KEY, issuer=own) for own in owns)
    claims = {"iss": "https://login.test/t1/v2.0"}
    first = rules(issuer=TEMPLATE).likeliest_first
    assert [key.issuer for key in first(keys, claims)] == [*owns[1:], owns[0]]
    for others in ({}, {"iss": 5}, {"iss": "https://login.test/v2.0"}):
        assert first(keys, others) == keys
    assert rules(issuer=ISSUER).likeliest_first(keys, {"iss": ISSUER}) == keys


@pytest.mark.parametrize(
    ("own", "matches"),
    [("{tid}", True), ("{x}", True), ("t1", True), ("", False), ("{tid", False), ("tid}", False)],
)
def test_only_a_whole_placeholder_in_a_key_s_own_issuer_stands_for_the_tenant(own, matches):
    """If the tenant is at the end of the template, a key's issuer with half a placeholder or none is not filled in."""
    claims = {"iss": "https://login.test/t1", "tid": "t1"}
    key = replace(KEY, issuer=f"https://login.test/{own}")
    template = IssuerTemplate("https://login.test/{tid}", allowed={"t1"})
    if matches:
        assert judged(claims, key=key, issuer=template).issuer == claims["iss"]
    else:
        assert_refused("wrong_issuer", judged, claims, key=key, issuer=template)


@pytest.mark.parametrize("issuer", [ISSUER, UNCHECKED])
def test_a_key_s_own_issuer_counts_for_templates_only(issuer):
    """If the application names the issuer in full, a key's own issuer is ignored."""
    assert judged(key=replace(KEY, issuer="https://other.test"), issuer=issuer).issuer == ISSUER


@pytest.mark.parametrize(
    ("issuer", "name", "named"),
    [
        (IssuerTemplate(TENANT, allowed=lambda _: True), "https://login.test/t3/v2.0", True),
        (IssuerTemplate(TENANT, allowed=lambda _: True), ISSUER, False),
        (ISSUER, ISSUER, True),
        (ISSUER, f"{ISSUER}/", False),
        ((ISSUER, "b"), "b", True),
        (UNCHECKED, ISSUER, False),
        (TEMPLATE, "https://login.test/t1/v2.0", True),
        (TEMPLATE, "https://login.test/t3/v2.0", False),
        (TEMPLATE, "https://login.test/t1/v2.0/", False),
        (TEMPLATE, TENANT, False),
    ],
)
def test_which_issuers_a_provider_names(issuer, name, named):
    """A provider names exactly the issuers that it would accept; without an issuer check it names none."""
    assert rules(issuer=issuer).names(name) is named
    assert rules(issuer=issuer).checks_issuer is (issuer is not UNCHECKED)


# Times


NO_TIMES = [
    *(True, False, "1700000000", "", [], [NOW], {}, {"exp": NOW}, -1, -0.001, -(10**18)),
    *(LATEST + 1, LATEST + 0.5, NOW * 1000, 10**60, 1e300, -1e300),
]


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NO_TIMES)
def test_a_time_must_be_a_number_of_seconds_within_the_calendar(name, value):
    """Booleans, strings, negative numbers, milliseconds and times after the year 9999 are refused."""
    error = assert_refused("invalid_claim", judged, {name: value})
    assert error.claim == name
    other = {"iat": ABSENT, name: value}
    error = assert_refused("invalid_claim", judged, other, require_expiry=False, max_age=None)
    assert error.claim == name


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_time_that_is_not_finite_is_refused(name, value):
    """A time that is not finite is refused with the whole token, and would also be refused as a time."""
    payload = f'{{"iss": "{ISSUER}", "aud": "{AUDIENCE}", "{name}": {value}}}'.encode()
    assert_refused("malformed_token", parse, compact(payload=payload), MAX_HEADER)
    claims = {**CLAIMS, name: float(value)}
    given = unverified()._replace(claims=claims)
    error = assert_refused("invalid_claim", rules().check_claims, given, KEY, NOW)
    assert error.claim == name


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_null_time_is_refused(name):
    """A null time is refused, even if the claim is optional."""
    error = assert_refused("invalid_claim", judged, {name: None}, require_expiry=False)
    assert error.claim == name


@pytest.mark.parametrize("absent", [ABSENT, None])
def test_exp_is_required(absent):
    """A token without expiry is refused by default."""
    error = assert_refused("missing_claim", judged, {"exp": absent})
    assert error.claim == "exp"


def test_exp_may_be_absent_if_configured():
    """With `require_expiry=False` exp may be absent, but a present exp counts."""
    assert judged({"exp": ABSENT}, require_expiry=False).expires_at is None
    assert_refused("token_expired", judged, now=NOW + 60 + LEEWAY, require_expiry=False)


@pytest.mark.parametrize("leeway", [0, LEEWAY, 0.5, 3600])
@pytest.mark.parametrize("exp", [NOW, NOW + 0.25, 0, LATEST])
def test_a_token_expires_at_exp_plus_leeway(leeway, exp):
    """A token expires when now ≥ exp + leeway, not a moment earlier or later."""
    claims = {"exp": exp, "iat": ABSENT}
    end = exp + leeway
    assert judged(claims, now=math.nextafter(end, -1), leeway=leeway).expires_at == exp
    for now in (end, end + 1):
        error = assert_refused("token_expired", judged, claims, now=now, leeway=leeway)
        assert error.claim == "exp"


@pytest.mark.parametrize("leeway", [0, LEEWAY, 0.5, 3600])
@pytest.mark.parametrize(
    ("name", "code"), [("nbf", "token_not_yet_valid"), ("iat", "token_issued_in_future")]
)
@pytest.mark.parametrize("later", [0, 0.25])
def test_nbf_and_iat_may_be_later_by_at_most_the_leeway(leeway, name, code, later):
    """A token is refused when nbf or iat is later than now + leeway."""
    claims = {"iat": ABSENT, "exp": NOW + 10_000, name: NOW + later}
    begin = NOW + later - leeway
    assert judged(claims, now=begin, leeway=leeway).expires_at == NOW + 10_000
    error = assert_refused(code, judged, claims, now=math.nextafter(begin, -1), leeway=leeway)
    assert error.claim == name


def test_iat_and_nbf_are_optional():
    """A token without iat and nbf is accepted."""
    assert judged({"iat": ABSENT}).issued_at is None
    assert judged({"nbf": NOW}).issued_at == NOW


def test_iat_after_exp_is_a_contradiction():
    """An iat after exp is refused without any leeway, since both come from one clock; equal times are accepted."""
    assert judged({"iat": NOW, "exp": NOW}).issued_at == NOW
    error = assert_refused("invalid_claim", judged, {"iat": NOW + 0.5, "exp": NOW})
    assert error.claim == "iat"


@pytest.mark.parametrize("max_age", [0, 1, 300, 0.5])
@pytest.mark.parametrize("leeway", [LEEWAY, 0.25])
def test_a_token_is_too_old_at_iat_plus_max_age_plus_leeway(max_age, leeway):
    """A token is too old when now ≥ iat + max_age + leeway; 0 is a value."""
    claims, end = {"exp": NOW + 10_000}, NOW + max_age + leeway
    fields = {"max_age": max_age, "leeway": leeway}
    assert judged(claims, now=math.nextafter(end, -1), **fields).issued_at == NOW
    for now in (end, end + 1):
        error = assert_refused("token_too_old", judged, claims, now=now, **fields)
        assert (error.claim, error.expected) == ("iat", max_age)


def test_max_age_0_without_leeway_accepts_nothing():
    """A max_age of 0 is a value and not "unset", so a token of this very second is too old."""
    assert_refused("token_too_old", judged, max_age=0, leeway=0)
    assert judged(max_age=None, leeway=0)


@pytest.mark.parametrize("absent", [ABSENT, None])
@pytest.mark.parametrize("max_age", [0, 300])
def test_max_age_requires_iat(absent, max_age):
    """Without iat a token has no known age, so max_age requires it."""
    error = assert_refused("missing_claim", judged, {"iat": absent}, max_age=max_age)
    assert error.claim == "iat"


@pytest.mark.parametrize(
    ("claims", "code", "claim"),
    [
        ({"exp": NOW - 100, "iat": NOW - 50}, "token_expired", "exp"),
        ({"exp": NOW - 100, "nbf": NOW + 100}, "token_expired", "exp"),
        ({"exp": NOW - 100, "iat": NOW + 100}, "token_expired", "exp"),
        ({"exp": NOW - 100, "iat": NOW - 5000}, "token_expired", "exp"),
        ({"exp": True, "iat": NOW + 100, "nbf": NOW + 100}, "invalid_claim", "exp"),
        ({"exp": ABSENT, "iat": NOW + 100, "nbf": NOW + 100}, "missing_claim", "exp"),
        ({"exp": NOW, "iat": NOW + 10, "nbf": NOW + 100}, "invalid_claim", "iat"),
        ({"exp": NOW, "iat": NOW + 100}, "invalid_claim", "iat"),
        ({"nbf": NOW + 100, "iat": NOW + 50}, "token_not_yet_valid", "nbf"),
        ({"nbf": NOW + 100, "iat": NOW - 5000}, "token_not_yet_valid", "nbf"),
        ({"nbf": "x", "iat": NOW + 50}, "invalid_claim", "nbf"),
    ],
)
def test_times_are_judged_in_a_fixed_order(claims, code, claim):
    """Of several faults the first in this order is the verdict: exp, iat after exp, nbf, iat, max_age."""
    error = assert_refused(code, judged, claims, max_age=300)
    assert error.claim == claim


# Audience


@pytest.mark.parametrize("audience", [AUDIENCE, (AUDIENCE,), ("other", AUDIENCE), UNCHECKED])
@pytest.mark.parametrize("value", [AUDIENCE, [AUDIENCE], ["x", AUDIENCE], [AUDIENCE, AUDIENCE]])
def test_one_match_of_the_audience_suffices(audience, value):
    """The claim and the setting may each be a string or several, and one match suffices."""
    expected = (value,) if isinstance(value, str) else tuple(value)
    assert judged({"aud": value}, audience=audience).audience == expected


@pytest.mark.parametrize(
    "value",
    ["", [], [""], "API", "api ", "apis", "a", "api other", ["other"], ["api other"], MARKER],
)
@pytest.mark.parametrize("audience", [AUDIENCE, (AUDIENCE, "b")])
def test_an_empty_or_another_audience_is_the_wrong_one(value, audience):
    """An audience is compared exactly, and a string is not searched for it."""
    error = assert_refused("wrong_audience", judged, {"aud": value}, audience=audience)
    assert (error.claim, error.expected) == ("aud", audience)


@pytest.mark.parametrize("absent", [ABSENT, None])
def test_an_expected_audience_must_be_present(absent):
    """An absent or null audience is missing."""
    error = assert_refused("missing_claim", judged, {"aud": absent})
    assert (error.claim, error.expected) == ("aud", AUDIENCE)


@pytest.mark.parametrize(
    "value", [0, True, {}, {AUDIENCE: 1}, [AUDIENCE, 1], [None], [[AUDIENCE]], [AUDIENCE, None]]
)
@pytest.mark.parametrize("audience", [AUDIENCE, UNCHECKED])
def test_an_audience_of_another_type_is_refused(value, audience):
    """A list with one member that is not a string is refused, whether or not the audience is checked."""
    error = assert_refused("invalid_claim", judged, {"aud": value}, audience=audience)
    assert error.claim == "aud"


@pytest.mark.parametrize(("value", "seen"), [(ABSENT, ()), ("", ("",)), ([], ()), ("x", ("x",))])
def test_any_audience_is_accepted_where_none_is_expected(value, seen):
    """`UNCHECKED` accepts any audience."""
    assert judged({"aud": value}, audience=UNCHECKED).audience == seen


def test_a_null_audience_is_refused():
    """A null audience is refused, whether or not the audience is checked."""
    error = assert_refused("invalid_claim", judged, {"aud": None}, audience=UNCHECKED)
    assert error.claim == "aud"


# Subject, ID, binding


@pytest.mark.parametrize("name", ["sub", "jti"])
@pytest.mark.parametrize("value", [0, 1, 1.5, True, None, [], ["u1"], {}])
def test_sub_and_jti_must_be_strings_if_present(name, value):
    """A sub or jti that is not a string is refused (RFC 7519, sections 4.1.2 and 4.1.7): a number that reads alike is another subject."""
    error = assert_refused("invalid_claim", judged, {name: value})
    assert error.claim == name


def test_sub_and_jti_are_optional():
    """A token without sub and jti, or with empty ones, is accepted."""
    assert judged({"sub": ABSENT, "jti": ABSENT}).subject is None
    assert judged({"sub": "", "jti": ""}).subject == ""


@pytest.mark.parametrize("value", [{"jkt": MARKER}, {"x5t#S256": MARKER}, {}, None, 0, "x", False])
def test_a_bound_token_is_not_a_bearer_token(value):
    """A token with cnf of any kind is refused, unless the application states that it checks the binding."""
    error = assert_refused("invalid_claim", judged, {"cnf": value})
    assert error.claim == "cnf"
    assert judged({"cnf": value}, bound_tokens="checked_elsewhere").subject == CLAIMS["sub"]


# Required and forbidden claims


@pytest.mark.parametrize("name", ["org", "__proto__", "constructor", "https://x.test/claim"])
def test_a_required_claim_must_be_present_and_not_null(name):
    """A required claim may be false, 0 or empty; null counts as missing."""
    for value in (False, 0, "", [], {}, "x"):
        assert judged({name: value}, required_claims=[name])
    for value in (ABSENT, None):
        error = assert_refused(
            "missing_claim", judged, {name: value}, required_claims=["sub", name]
        )
        assert error.claim == name


@pytest.mark.parametrize("name", REGISTERED)
@pytest.mark.parametrize("value", [ABSENT, None])
def test_a_required_registered_claim_is_missing_when_it_is_null(name, value):
    """A required registered claim that is null is missing, rather than of a wrong type."""
    fields = {
        "issuer": UNCHECKED,
        "audience": UNCHECKED,
        "require_expiry": False,
        "required_claims": [name],
    }
    error = assert_refused("missing_claim", judged, {name: value}, **fields)
    assert error.claim == name


@pytest.mark.parametrize("value", [None, False, "", MARKER, {"x": MARKER}])
def test_a_forbidden_claim_must_be_absent_even_if_null(value):
    """A forbidden claim is refused even if its value is null."""
    error = assert_refused(
        "forbidden_claim", judged, {"act": value}, forbidden_claims=["nothing", "act"]
    )
    assert error.claim == "act"
    assert judged({"act": ABSENT}, forbidden_claims=["act"])


# Claim values


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 1, 1.5, -1, "", "x", [], {}, [1, "x", None], {"a": {"b": [True]}}),
        *(2**60, "ä", [[]], [{}], {"a": 1, "b": 2}),
    ],
)
def test_a_claim_with_the_exact_value_is_accepted(value):
    """A claim may be required to have any JSON value."""
    assert judged({"x": value}, claim_values={"x": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (1, True),
        (False, 0),
        (0, False),
        ("1", 1),
        (1, "1"),
        (None, False),
        (None, ""),
        ("x", "X"),
        ("x", "x "),
        ([], {}),
        ({}, []),
        ([], None),
        (["x"], "x"),
        ("x", ["x"]),
        (["a", "b"], ["b", "a"]),
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": True}),
        ([{"a": [1]}], [{"a": [True]}]),
        ({"a": {"b": MARKER}}, {"a": {"b": "x"}}),
        (2**60, 2**60 + 1),
        (2**60, float(2**60 + 256)),
    ],
)
def test_a_claim_with_another_value_is_refused(value, expected):
    """True is not 1, a list has an order, and a value with more or fewer members differs."""
    error = assert_refused("invalid_claim", judged, {"x": value}, claim_values={"x": expected})
    assert (error.claim, error.expected) == ("x", expected)


def test_numbers_and_objects_are_compared_as_json():
    """1 and 1.0 are one number in JSON, and members may come in any order."""
    assert judged({"x": 1.0}, claim_values={"x": 1})
    assert judged({"x": [0]}, claim_values={"x": [-0.0]})
    assert judged({"x": {"a": 1, "b": 2}}, claim_values={"x": {"b": 2, "a": 1}})


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_means_any_one_of_its_members(kind):
    """One member of the set must be the claim's whole value; the error lists them all."""
    fields = {"claim_values": {"x": kind({"a", "b", 1})}}
    for value in ("a", "b", 1):
        assert judged({"x": value}, **fields)
    for value in ("c", True, ["a"], ["a", "b"], None, "1"):
        error = assert_refused("invalid_claim", judged, {"x": value}, **fields)
        assert sorted(error.expected, key=str) == [1, "a", "b"]


@pytest.mark.parametrize("expected", ["x", None, {"a", "b"}])
def test_a_claim_with_a_required_value_must_be_present(expected):
    """An absent claim is missing, even where null is the required value."""
    error = assert_refused("missing_claim", judged, claim_values={"x": expected})
    assert error.claim == "x"


def test_every_required_value_is_checked():
    """Every value is required: the provider's and those of the call."""
    asked = {"a": 1, "b": 2}
    assert_refused("invalid_claim", judged, {"a": 1, "b": 1}, claim_values=asked)
    assert_refused("invalid_claim", judged, {"a": 2, "b": 2}, claim_values=asked)
    given = unverified(a=1, b=2)
    both = rules(claim_values={"a": 1})
    assert both.check_claims(given, KEY, NOW, wanted({"b": 2})).subject == CLAIMS["sub"]
    assert rules().check_claims(given, KEY, NOW, wanted({"b": 2})).subject == CLAIMS["sub"]
    assert_refused("invalid_claim", both.check_claims, given, KEY, NOW, wanted({"b": 3}))
    assert_refused("missing_claim", rules().check_claims, given, KEY, NOW, wanted({"c": 3}))
    assert_refused(
        "invalid_claim",
        rules(claim_values={"a": 0}).check_claims,
        given,
        KEY,
        NOW,
        wanted({"b": 2}),
    )


DISTINCT = [
    *(None, True, False, 0, 1, 1.5, "", "1", "true", [], [1], [True], [[1]], [1, 1]),
    *({}, {"a": 1}, {"a": True}, {"b": 1}, {"a": [1]}, {"a": [True]}, [{}], [None]),
]


def test_no_two_of_these_are_equal_json():
    """Each of these values equals only itself, in either direction."""
    for (place, one), (other_place, other) in itertools.product(enumerate(DISTINCT), repeat=2):
        assert same_json(one, other) is (place == other_place), (one, other)


# Scopes


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": " "}, set()),
        ({"scope": "a"}, {"a"}),
        ({"scope": " a  b a "}, {"a", "b"}),
        ({"scope": "a,b\tc\nd"}, {"a,b\tc\nd"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": ["a", ""]}, {"a"}),
        ({"scope": []}, set()),
        ({"scope": None}, set()),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scp": None}, set()),
        ({"scopes": "a b"}, {"a", "b"}),
        ({"scopes": ["a", "b"]}, {"a", "b"}),
        ({"scp": 1, "scopes": {"a": 1}}, set()),
        ({"scp": ["a", 1], "scope": "b"}, {"b"}),
        ({"scope": "a", "scp": ["b"], "scopes": "c"}, {"a", "b", "c"}),
        ({"roles": ["a"], "permissions": ["b"], "Scope": "c"}, set()),
    ],
)
def test_scopes_come_from_the_usual_claims(claims, scopes):
    """Scopes come from `scope` as a string or a list, and in the same way from `scp` and `scopes`; a wrong type gives none."""
    found = judged(claims).scopes
    assert found == scopes
    assert isinstance(found, frozenset)


@pytest.mark.parametrize("value", [0, 1, True, False, {}, {"a": 1}, [1], ["a", None], [["a"]]])
def test_a_scope_of_a_wrong_type_is_refused(value):
    """`scope` is a string (RFC 8693, section 4.2) and may be a list of strings; another type is refused."""
    error = assert_refused("invalid_claim", judged, {"scope": value})
    assert error.claim == "scope"
    error = assert_refused("invalid_claim", judged, {"scope": value}, scope_claim="scope")
    assert error.claim == "scope"


def test_a_provider_s_own_scope_claim_is_the_only_one():
    """If the provider names its scope claim, the usual claims are ignored."""
    claims = {"https://x.test/perms": ["a", "b"], "scope": 1, "scp": "c", "scopes": "d"}
    assert judged(claims, scope_claim="https://x.test/perms").scopes == {"a", "b"}
    assert judged({**claims, "scope": "e"}, scope_claim="scp").scopes == {"c"}
    assert judged({"perms": 1}, scope_claim="perms").scopes == set()
    assert judged({}, scope_claim="perms").scopes == set()


# What a fetch cannot change


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": f"{ISSUER}/"}, "wrong_issuer"),
        ({"iss": ABSENT}, "missing_claim"),
        ({"iss": 1}, "invalid_claim"),
        ({"exp": NOW - LEEWAY}, "token_expired"),
        ({"exp": ABSENT}, "missing_claim"),
        ({"exp": "x"}, "invalid_claim"),
    ],
)
def test_issuer_and_expiry_refuse_a_token_without_a_key(claims, code):
    """An issuer or expiry check before the key gives the same verdict as the full check."""
    given = unverified(**claims)
    error = assert_refused(code, rules().precheck, given, NOW)
    assert error.claim in {"iss", "exp"}
    error = assert_refused(code, rules().check_claims, given, KEY, NOW)
    assert error.code == code


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW - LEEWAY + 1, "iat": ABSENT},
        {"nbf": NOW + 1000},
        {"iat": NOW + 1000},
        {"aud": "other"},
        {"aud": ABSENT},
        {"sub": 1},
        {"cnf": {}},
        {"scope": 1},
    ],
)
def test_no_other_check_runs_without_a_key(claims):
    """Other claims are checked only after the signature is valid."""
    demanding = rules(required_claims=["x"], claim_values={"y": 1})
    assert_passes(demanding.precheck, unverified(**claims), NOW)


def test_a_template_refuses_a_token_without_a_key():
    """A template checks the tenant by the token alone; the key's own issuer is checked once there is a key."""
    given = unverified(iss="https://login.test/t1/v2.0", tid="t1")
    assert_passes(rules(issuer=TEMPLATE).precheck, given, NOW)
    other = unverified(iss="https://login.test/t1/v2.0", tid="t-2")
    assert_refused("wrong_issuer", rules(issuer=TEMPLATE).precheck, other, NOW)


# The verdict as facts, and how long it is valid


def test_the_facts_are_of_the_token_its_key_and_its_provider():
    """The facts hold everything that the token, its key and its provider say."""
    raw = token({"kid": ABSENT}, scope="a")
    given = parse(raw, MAX_HEADER)
    facts = rules(name="q").check_claims(given, KEY, NOW)
    assert facts.raw == raw
    assert facts.header == given.header.members
    assert facts.payload == given.payload
    assert (facts.provider, facts.key_id, facts.algorithm) == ("q", "k1", "ES256")
    assert (facts.issuer, facts.subject, facts.audience) == (ISSUER, CLAIMS["sub"], (AUDIENCE,))
    assert (facts.scopes, facts.expires_at, facts.issued_at) == ({"a"}, NOW + 60, NOW)
    assert facts.not_before is None
    assert judged({"nbf": NOW - 1}).not_before == NOW - 1


@pytest.mark.parametrize("leeway", [0, LEEWAY])
@pytest.mark.parametrize("max_age", [None, 0, 40])
@pytest.mark.parametrize("nbf", [ABSENT, NOW - 50, NOW + 20])
@pytest.mark.parametrize("iat", [ABSENT, NOW])
@pytest.mark.parametrize("exp", [ABSENT, NOW + 60])
def test_a_verdict_is_valid_exactly_as_long_as_it_would_be_repeated(exp, iat, nbf, max_age, leeway):
    """A verdict is valid from the first moment at which the claims pass to the first at which they fail."""
    its_rules = rules(leeway=leeway, max_age=max_age, require_expiry=False)
    given = unverified(exp=exp, iat=iat, nbf=nbf)
    accepted = {}
    for now in range(NOW - 100, NOW + 200):
        try:
            accepted[now] = its_rules.check_claims(given, KEY, now)
        except TokenError:
            accepted[now] = None
    # With max_age and no iat, or max_age 0 and no leeway, no token is accepted.
    impossible = max_age is not None and (iat is ABSENT or max_age + leeway <= max(0, 20 - leeway))
    assert any(accepted.values()) or impossible
    for facts in filter(None, accepted.values()):
        earliest, latest = its_rules.lasting(facts)
        assert all((earliest <= now < latest) == bool(found) for now, found in accepted.items())


def test_a_verdict_without_times_stays_valid():
    """A verdict without times does not depend on the clock."""
    facts = judged({"exp": ABSENT, "iat": ABSENT}, require_expiry=False)
    earliest, latest = rules(require_expiry=False, leeway=0).lasting(facts)
    assert earliest <= 0
    assert latest >= LATEST


def allow(_):
    return True


@pytest.mark.parametrize(
    ("fields", "asks"),
    [
        ({}, False),
        ({"issuer": TEMPLATE}, False),
        ({"issuer": UNCHECKED}, False),
        ({"issuer": IssuerTemplate(TENANT, allowed=allow)}, True),
        ({"checks": [allow]}, True),
        ({"checks": [allow], "issuer": TEMPLATE}, True),
    ],
)
def test_code_of_the_application_may_change_its_answer(fields, asks):
    """An application's checks, and a callable that allows tenants, run again each time."""
    assert rules(**fields).asks_the_application is asks
    assert rules(**fields).checks == tuple(fields.get("checks", ()))


# The checks one by one


STRICT = {
    "issuer": TEMPLATE,
    "max_age": 300,
    "required_claims": ["org"],
    "forbidden_claims": ["act"],
    "claim_values": {"kind": "x"},
}
GOOD = {"iss": "https://login.test/t1/v2.0", "tid": "t1", "org": "o", "kind": "x", "scope": "a"}
ONE_FAULT = [
    ({"alg": "RS256"}, {}, "algorithm and token type"),
    ({"typ": "other"}, {}, "algorithm and token type"),
    ({}, {"iss": "x"}, "issuer"),
    ({}, {"exp": NOW - 100, "iat": NOW - 200}, "expiry"),
    ({}, {"iat": NOW + 20, "exp": NOW + 10}, "other times"),
    ({}, {"nbf": NOW + 100}, "other times"),
    ({}, {"iat": ABSENT}, "other times"),
    ({}, {"aud": "x"}, "audience"),
    ({}, {"sub": 1}, "subject and token ID"),
    ({}, {"jti": 1}, "subject and token ID"),
    ({}, {"cnf": {}}, "key binding"),
    ({}, {"org": ABSENT}, "required and forbidden claims"),
    ({}, {"act": None}, "required and forbidden claims"),
    ({}, {"kind": "y"}, "claim values"),
    ({}, {"scope": 1}, "scopes"),
]


def outcomes(its_rules, given, key=KEY):
    """Return the code of each check by name, None where it passed."""
    found = {}
    for name, check in its_rules.each_check(given, key, NOW):
        try:
            check()
        except TokenError as error:
            found[name] = error.code
        else:
            found[name] = None
    return found


def first_code(its_rules, given):
    """Return the verdict of the full check."""
    try:
        its_rules.check_header(given)
        its_rules.check_claims(given, KEY, NOW)
    except TokenError as error:
        return error.code
    return None


def test_every_check_of_a_good_token_passes():
    """Every check of a good token passes in an explanation, with the verifying key or without."""
    its_rules = rules(**STRICT, algorithms=["ES256"])
    for key in (KEY, None):
        assert set(outcomes(its_rules, unverified(**GOOD), key).values()) == {None}


@pytest.mark.parametrize(("headers", "claims", "name"), ONE_FAULT)
def test_one_fault_fails_one_check_with_the_code_of_the_verdict(headers, claims, name):
    """One fault fails exactly one check, which has the verdict's code."""
    its_rules = rules(**STRICT, algorithms=["ES256"])
    given = unverified(headers, **{**GOOD, **claims})
    found = outcomes(its_rules, given)
    failed = {check: code for check, code in found.items() if code}
    assert failed == {name: first_code(its_rules, given)}


JUNK = [None, True, "soon", [], {}, -1, 10**60, ABSENT]


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "org", "scope"])
@pytest.mark.parametrize("value", JUNK)
def test_checks_go_on_after_one_that_failed(name, value):
    """For any claims each check passes or has a code, and the first code is the verdict's."""
    its_rules = rules(**STRICT)
    given = unverified(**{**GOOD, name: value})
    codes = [code for code in outcomes(its_rules, given).values() if code]
    assert codes[:1] == [code for code in [first_code(its_rules, given)] if code]


@pytest.mark.parametrize(
    ("own", "claims", "scopes"),
    [
        ("roles", {"roles": ["a", "b"], "scope": "c"}, {"a", "b"}),
        (("scp", "roles"), {"scp": "a", "roles": ["b"]}, {"a"}),
        (("scp", "roles"), {"roles": ["b"], "scope": "c"}, {"b"}),
        (("scp", "roles"), {"scp": "", "roles": ["b"]}, set()),
        (("scp", "roles"), {"scope": "c"}, set()),
        (lambda claims: claims["realm"]["roles"], {"realm": {"roles": ["a", ""]}}, {"a"}),
        (lambda claims: claims["r"], {"r": "a b"}, {"a", "b"}),
        (lambda claims: (one for one in claims["r"]), {"r": ["a"]}, {"a"}),
        (lambda _: None, {"scope": "c"}, set()),
    ],
)
def test_a_provider_s_own_scope_claim(own, claims, scopes):
    """A scope claim is a name, the first present of several names and never a union, or a callable of the claims."""
    assert judged(claims, scope_claim=own).scopes == scopes


@pytest.mark.parametrize(
    "answer", [5, True, [1], ["a", None], b"a", [["a"]], [["a"], "b"], object()]
)
def test_a_scope_callable_that_returns_something_else_refuses_the_token(answer):
    """A scope callable that returns anything but strings refuses the token; nothing is converted."""
    with pytest.raises(TokenError, match="rejected_by_check"):
        judged({}, scope_claim=lambda _: answer)


def test_a_scope_callable_that_raises_refuses_the_token_with_the_cause():
    """The application's exception is the cause of the refusal."""
    with pytest.raises(TokenError, match="rejected_by_check") as caught:
        judged({}, scope_claim=lambda claims: claims["no"])
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_scope_callable_sees_a_copy_once_and_verified_claims_only():
    """A scope callable runs once, on a copy, and never on claims without a valid signature."""
    seen = []

    def scopes_of(claims):
        seen.append(claims)
        claims["x"].append("changed")
        return "a"

    its_rules, given = rules(scope_claim=scopes_of), unverified(x=["y"])
    its_rules.check_claims(given, KEY, NOW)
    assert len(seen) == 1
    assert given.claims["x"] == ["y"]
    assert "scopes" not in dict(its_rules.each_check(given, None, NOW))
