"""Which providers a token may be of, which of their errors counts, which may stand side by side."""

from __future__ import annotations

import itertools

import pytest
from signed_tokens import ABSENT, ISSUER, MARKER, SIGNER, provider, refused, unverified

from jwks_client import (
    ConfigurationError,
    IssuerTemplate,
    KeysUnavailableError,
    TokenError,
    providers,
)
from jwks_client._core.issuers.routes import Routes, verdict

A, B, C = (f"https://{name}.test" for name in "abc")
TENANTS = IssuerTemplate("https://login.test/{tid}", allowed={"t1", "t2"})
T1 = "https://login.test/t1"


def routes(**issuers):
    """Routes of providers by name, each with its issuer."""
    return Routes([provider(name=name, issuer=issuer) for name, issuer in issuers.items()])


def asked(its_routes, issuer, **claims):
    """The names of the candidates for a token of an issuer."""
    found = its_routes.candidates(unverified(iss=issuer, **claims))
    return [one.name for one in found]


@pytest.mark.parametrize("issuer", [ISSUER, providers.UNCHECKED, TENANTS])
@pytest.mark.parametrize("claim", [ISSUER, MARKER, ABSENT, None, 1, [ISSUER]])
def test_the_only_provider_is_asked_about_every_token(issuer, claim):
    """Its own verdict on the issuer says more than that nobody has heard of it."""
    assert asked(routes(a=issuer), claim) == ["a"]


def test_the_issuer_picks_the_provider():
    """With several, the token's iss chooses among those that are configured."""
    several = routes(a=A, b=B, c=(C, "https://d.test"))
    assert asked(several, A) == ["a"]
    assert asked(several, B) == ["b"]
    assert asked(several, C) == asked(several, "https://d.test") == ["c"]


def test_all_who_name_the_issuer_are_asked_in_the_order_given():
    """Providers may share an issuer; then those that check none follow, in their order."""
    first, second = {"audience": "x"}, {"audience": "y"}
    several = Routes(
        [
            provider(name="open1", issuer=providers.UNCHECKED, **first),
            provider(name="b", issuer=(B, A), **first),
            provider(name="a", issuer=A, **second),
            provider(name="open2", issuer=providers.UNCHECKED, **second),
            provider(name="c", issuer=C),
        ]
    )
    assert asked(several, A) == ["b", "a", "open1", "open2"]
    assert asked(several, B) == ["b", "open1", "open2"]
    assert asked(several, C) == ["c", "open1", "open2"]
    for other in (MARKER, ABSENT, None, 7, [A]):
        assert asked(several, other) == ["open1", "open2"]


def test_a_template_names_the_tenants_that_are_allowed():
    """By the unverified text alone; the claim is judged later."""
    several = routes(a=A, t=TENANTS)
    assert asked(several, T1) == ["t"]
    assert asked(several, A) == ["a"]
    for other in ("https://login.test/t3", "https://login.test/t1/", "https://login.test/"):
        refused("unknown_issuer", asked, several, other)


def test_a_template_and_a_full_name_may_name_the_same_issuer():
    """Both are asked, in the order given."""
    both = routes(t=TENANTS, plain=T1, a=A)
    assert asked(both, T1) == ["t", "plain"]
    assert asked(both, "https://login.test/t2") == ["t"]


def test_a_template_s_callable_is_asked_when_the_token_comes():
    """The application's answer of that moment counts, also where another provider names the issuer."""
    allowed = set()
    template = IssuerTemplate("https://login.test/{tid}", allowed=lambda tid: tid in allowed)
    several = routes(plain=T1, t=template, a=A)
    refused("unknown_issuer", asked, several, "https://login.test/t2")
    assert asked(several, T1) == ["plain"]
    allowed |= {"t1", "t2"}
    assert asked(several, "https://login.test/t2") == ["t"]
    assert asked(several, T1) == ["plain", "t"]


def test_routes_are_settled_where_the_token_alone_decides_who_is_asked():
    """A callable that allows tenants may change its mind; with one provider nobody else is asked."""
    by_call = IssuerTemplate("https://login.test/{tid}", allowed=lambda _: True)
    assert routes(a=A, b=B, t=TENANTS).settled
    assert routes(t=by_call).settled
    assert not routes(a=A, t=by_call).settled


@pytest.mark.parametrize(
    ("issuer", "code"),
    [
        (MARKER, "unknown_issuer"),
        ("", "unknown_issuer"),
        (f"{A}/", "unknown_issuer"),
        (A.upper(), "unknown_issuer"),
        (ABSENT, "missing_claim"),
        (None, "missing_claim"),
        (1, "invalid_claim"),
        (False, "invalid_claim"),
        ([A], "invalid_claim"),
        ({"iss": A}, "invalid_claim"),
    ],
)
@pytest.mark.parametrize("last", [C, TENANTS])
def test_a_token_of_nobody_s_is_refused(issuer, code, last):
    """An issuer that is not configured is unknown; none, or no string, has its own code."""
    assert refused(code, asked, routes(a=A, b=B, c=last), issuer).claim == "iss"


def test_providers_are_known_by_name():
    """In the order given; a name that is none is a mistake of the caller, and says the known ones."""
    several = routes(b=B, a=A)
    assert several.names == ("b", "a")
    assert several.named("a").provider.issuer == A
    for name in ("c", "", "A"):
        with pytest.raises(ValueError, match=r"'b', 'a'") as caught:
            several.named(name)
        assert not isinstance(caught.value, TokenError)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


# Verdicts


ERRORS = {
    "bad_signature": TokenError("bad_signature", "x"),
    "ambiguous_key": TokenError("ambiguous_key", "x"),
    "unknown_key": TokenError("unknown_key", "x"),
    "fetch_failed": KeysUnavailableError("fetch_failed", "x"),
    "bad_key_set": KeysUnavailableError("bad_key_set", "x"),
    "token_expired": TokenError("token_expired", "x"),
    "wrong_token_type": TokenError("wrong_token_type", "x"),
    "algorithm_not_allowed": TokenError("algorithm_not_allowed", "x"),
}
RANKS = [{"fetch_failed", "bad_key_set"}, {"bad_signature"}, {"ambiguous_key"}, {"unknown_key"}]


def rank(code):
    return next((at for at, codes in enumerate(RANKS) if code in codes), len(RANKS))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_error_that_counts_where_no_signature_held(count):
    """Keys unavailable, bad signature, ambiguous key, unknown key, any other; ties by the order."""
    for codes in itertools.product(ERRORS, repeat=count):
        counts = verdict((), (ERRORS[code] for code in codes))
        assert counts is ERRORS[min(codes, key=rank)], codes


@pytest.mark.parametrize("code", ERRORS)
def test_the_first_whose_signature_held_counts_before_all(code):
    """It knows the token, so its verdict is the telling one."""
    held = [ERRORS[code], ERRORS["wrong_token_type"]]
    assert verdict(iter(held), iter(ERRORS.values())) is ERRORS[code]
    assert verdict(held, ()) is ERRORS[code]


# Providers side by side


def refuse(*providers):
    with pytest.raises(ConfigurationError) as caught:
        Routes(providers)
    assert caught.value.field == "providers"
    return caught.value.message


def test_no_provider_is_no_client():
    """At least one is given."""
    assert "at least one" in refuse()


@pytest.mark.parametrize("other", [None, "p", {"name": "p"}, ISSUER, object()])
def test_a_provider_is_a_provider(other):
    """The error says what was given by its type alone."""
    assert type(other).__name__ in refuse(provider(), other)
    assert ISSUER not in refuse(other)


def test_equal_names_are_refused_with_the_way_out():
    """Names tell providers apart in events and `token.provider`."""
    message = refuse(provider(issuer=A), provider(issuer=B))
    assert "name=" in message
    assert "'p'" in message
    assert "name=" in refuse(provider(issuer=A), provider(name="q", issuer=B), provider(issuer=C))


ALIKE = [
    ({}, {}),
    ({"issuer": providers.UNCHECKED}, {"issuer": providers.UNCHECKED}),
    ({"issuer": A}, {"issuer": (A,)}),
    ({"issuer": (A, B)}, {"issuer": (B, A)}),
    ({"issuer": TENANTS}, {"issuer": TENANTS}),
    ({"audience": providers.UNCHECKED}, {"audience": providers.UNCHECKED}),
    ({"audience": "xy"}, {"audience": ("xy",)}),
    ({"audience": ("x", "y")}, {"audience": ("y", "x")}),
    ({"algorithms": ["ES256", "RS256"]}, {"algorithms": ["RS256", "ES256"]}),
    ({"token_types": ["JWT", None]}, {"token_types": [None, "application/jwt"]}),
    ({"required_claims": ["a", "b"]}, {"required_claims": ["b", "a"]}),
    ({"forbidden_claims": ["a", "b"]}, {"forbidden_claims": ["b", "a"]}),
    ({"claim_values": {"a": 1, "b": {1, 2}}}, {"claim_values": {"b": {2, 1}, "a": 1}}),
    ({"claim_values": {"a": {"x": 1, "y": 2}}}, {"claim_values": {"a": {"y": 2, "x": 1}}}),
    ({"max_age": 300}, {"max_age": 300.0}),
    ({"jwks": None, "jwks_url": f"{A}/k"}, {"jwks": None, "jwks_url": f"{A}/k"}),
    ({"jwks": None, "discovery_url": f"{A}/k"}, {"jwks": None, "discovery_url": f"{A}/k"}),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_two_providers_that_would_accept_the_same_are_refused(one, other):
    """Equal issuer, keys and claim rules: which of them a token is of would mean nothing."""
    message = refuse(provider(name="a", issuer=C), provider(**one), provider(name="q", **other))
    assert "'p' and 'q'" in message


JWKS = {"keys": [SIGNER.jwk()]}
DIFFERENT = [
    ({"issuer": A}, {"issuer": B}),
    ({"issuer": A}, {"issuer": providers.UNCHECKED}),
    ({"issuer": A}, {"issuer": (A, B)}),
    ({"issuer": TENANTS}, {"issuer": TENANTS.template}),
    ({"issuer": TENANTS}, {"issuer": IssuerTemplate(TENANTS.template, allowed={"t1"})}),
    ({"audience": "x"}, {"audience": "y"}),
    ({"audience": "x"}, {"audience": providers.UNCHECKED}),
    ({"audience": "x"}, {"audience": ("x", "y")}),
    ({"algorithms": ["ES256"]}, {"algorithms": ["ES256", "RS256"]}),
    ({"token_types": ["JWT", None]}, {"token_types": ["JWT"]}),
    ({"required_claims": ["a"]}, {}),
    ({"forbidden_claims": ["a"]}, {}),
    ({"claim_values": {"a": 1}}, {"claim_values": {"a": 2}}),
    ({"claim_values": {"a": 1}}, {"claim_values": {"a": True}}),
    ({"max_age": 0}, {"max_age": None}),
    ({"require_expiry": False}, {}),
    ({"bound_tokens": "checked_elsewhere"}, {}),
    ({"checks": [repr]}, {"checks": [str]}),
    ({"jwks": {**JWKS, "x": 1}}, {"jwks": JWKS}),
    ({"jwks": None, "jwks_url": f"{A}/k"}, {"jwks": None, "jwks_url": f"{A}/l"}),
    ({"jwks": None, "discovery_url": f"{A}/k"}, {"jwks": None, "discovery_url": f"{A}/l"}),
    ({"jwks": None, "jwks_url": f"{A}/k"}, {"jwks": JWKS}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_providers_that_differ_in_one_rule_stand_side_by_side(one, other):
    """Issuer, keys or one claim rule tells their tokens apart."""
    assert Routes([provider(**one), provider(name="q", **other)]).names == ("p", "q")


@pytest.mark.parametrize("fields", [{"leeway": 1}, {"scope_claim": "p"}])
def test_what_is_no_issuer_key_or_claim_rule_tells_no_two_apart(fields):
    """It changes how tokens are read, not whose they are."""
    assert "same tokens" in refuse(provider(), provider(name="q", **fields))
