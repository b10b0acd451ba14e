"""Candidate providers of a token, the error that counts among theirs, and providers that can be combined."""

from __future__ import annotations

import itertools

import pytest
from signed_tokens import ABSENT, ISSUER, MARKER, SIGNER, assert_refused, provider, unverified

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
    """Return routes of providers by name, each with its issuer."""
    return Routes([provider(name=name, issuer=issuer) for name, issuer in issuers.items()])


def asked(its_routes, issuer, **claims):
    """Return the names of the candidates for a token of an issuer."""
    found = its_routes.candidates(unverified(iss=issuer, **claims))
    return [one.name for one in found]


@pytest.mark.parametrize("issuer", [ISSUER, providers.UNCHECKED, TENANTS])
@pytest.mark.parametrize("claim", [ISSUER, MARKER, ABSENT, None, 1, [ISSUER]])
def test_a_single_provider_is_a_candidate_for_every_token(issuer, claim):
    """A single provider checks every token, because its verdict on the issuer says more than `unknown_issuer`."""
    assert asked(routes(a=issuer), claim) == ["a"]


def test_the_issuer_picks_the_provider():
    """With several providers, the token's iss selects among the configured ones."""
    several = routes(a=A, b=B, c=(C, "https://d.test"))
    assert asked(several, A) == ["a"]
    assert asked(several, B) == ["b"]
    assert asked(several, C) == asked(several, "https://d.test") == ["c"]


def test_all_providers_of_the_issuer_are_candidates_in_the_order_given():
    """Providers that share the issuer come first, then those that check no issuer, each in the order given."""
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
    """A template matches by the unverified text alone; the claim is checked later."""
    several = routes(a=A, t=TENANTS)
    assert asked(several, T1) == ["t"]
    assert asked(several, A) == ["a"]
    for other in ("https://login.test/t3", "https://login.test/t1/", "https://login.test/"):
        assert_refused("unknown_issuer", asked, several, other)


def test_a_template_and_a_full_name_may_name_the_same_issuer():
    """A provider with a template and one with the full issuer are both candidates, in the order given."""
    both = routes(t=TENANTS, plain=T1, a=A)
    assert asked(both, T1) == ["t", "plain"]
    assert asked(both, "https://login.test/t2") == ["t"]


def test_a_template_s_callable_is_called_when_the_token_comes():
    """The callable's answer at the time of the token counts, even if another provider names the issuer."""
    allowed = set()
    template = IssuerTemplate("https://login.test/{tid}", allowed=lambda tid: tid in allowed)
    several = routes(plain=T1, t=template, a=A)
    assert_refused("unknown_issuer", asked, several, "https://login.test/t2")
    assert asked(several, T1) == ["plain"]
    allowed |= {"t1", "t2"}
    assert asked(several, "https://login.test/t2") == ["t"]
    assert asked(several, T1) == ["plain", "t"]


def test_routes_are_settled_where_the_token_alone_decides():
    """Routes are not settled if a callable allows tenants, since it may change its mind, unless there is only one provider."""
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
def test_a_token_without_a_candidate_is_refused(issuer, code, last):
    """An issuer that is not configured is unknown; an absent issuer, or one that is not a string, has its own code."""
    error = assert_refused(code, asked, routes(a=A, b=B, c=last), issuer)
    assert error.claim == "iss"


def test_providers_are_known_by_name():
    """Providers keep the order given; an unknown name is a ValueError that lists the known names."""
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
def test_the_error_that_counts_where_no_signature_is_valid(count):
    """The error that counts is, in this order: keys unavailable, bad signature, ambiguous key, unknown key, any other; ties go by the order."""
    for codes in itertools.product(ERRORS, repeat=count):
        counts = verdict((), (ERRORS[code] for code in codes))
        assert counts is ERRORS[min(codes, key=rank)], codes


@pytest.mark.parametrize("code", ERRORS)
def test_the_first_error_after_a_valid_signature_counts_most(code):
    """A provider for which the signature is valid knows the token, so its error counts before all others."""
    held = [ERRORS[code], ERRORS["wrong_token_type"]]
    assert verdict(iter(held), iter(ERRORS.values())) is ERRORS[code]
    assert verdict(held, ()) is ERRORS[code]


# Combined providers


def refuse(*providers):
    with pytest.raises(ConfigurationError) as caught:
        Routes(providers)
    assert caught.value.field == "providers"
    return caught.value.message


def test_at_least_one_provider_is_required():
    """A client needs at least one provider."""
    assert "at least one" in refuse()


@pytest.mark.parametrize("other", [None, "p", {"name": "p"}, ISSUER, object()])
def test_a_provider_must_be_a_provider(other):
    """A provider of another type is refused, and the error names only the type."""
    assert type(other).__name__ in refuse(provider(), other)
    assert ISSUER not in refuse(other)


def test_equal_names_are_refused_with_the_way_out():
    """Names distinguish providers in events and `token.provider`, so equal names are refused with a hint at `name=`."""
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
    """Two providers with equal issuer, keys and claim rules are refused, because the choice between them would be arbitrary."""
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
    """Providers whose issuer, keys or any claim rule differ can be combined."""
    assert Routes([provider(**one), provider(name="q", **other)]).names == ("p", "q")


@pytest.mark.parametrize("fields", [{"leeway": 1}, {"scope_claim": "p"}])
def test_fields_other_than_issuer_keys_and_claim_rules_do_not_distinguish_providers(fields):
    """A difference in other fields, which only affect how tokens are read, does not count."""
    assert "same tokens" in refuse(provider(), provider(name="q", **fields))
