"""The checks of a token before the resolver is called, and of the resolver's answer."""

from __future__ import annotations

import pytest

from jwks_client import IssuerTemplate, Provider, TokenError, providers
from jwks_client._core.issuers.resolver_answers import (
    Failure,
    askable,
    precheck_expiry,
    read_answer,
    same_provider,
)

ISSUER = "https://a.test"


def provider(issuer, **more):
    usual = {"name": "p", "issuer": issuer, "audience": "api", "jwks_url": "https://a.test/jwks"}
    return Provider(**{**usual, **more})


@pytest.mark.parametrize(
    ("issuer", "asked"),
    [
        ("https://a.test/t/1", True),
        ("stytch.com/project-live-1", True),
        ("a b", True),
        ("https://bücher.test", True),
        ("x" * 512, True),
        ("x" * 513, False),
        ("", False),
        ("https://a.test\n", False),
        ("https://a.test\0", False),
        ("\x1b[2J", False),
        ("a\u2028b", False),
        ("a\u202eb", False),  # reverses the text after it
        ("a\u200bb", False),  # invisible
        ("\ud800", False),
    ],
)
def test_the_resolver_gets_printable_issuers_of_bounded_length(issuer, asked):
    """The resolver gets issuers of 1 to 512 characters, without characters that a query or a log would not show."""
    assert askable(issuer) is asked


@pytest.mark.parametrize(
    ("exp", "code"),
    [
        (None, None),
        (71, None),
        (70.5, None),
        (70, "token_expired"),
        (0, "token_expired"),
        ("70", "invalid_claim"),
        (True, "invalid_claim"),
        (1e300, "invalid_claim"),
    ],
)
def test_an_expired_token_causes_no_resolver_call(exp, code):
    """An expired token causes no call, with a leeway of 30; a token without an expiry may be normal for its tenant."""
    claims = {} if exp is None else {"exp": exp}
    if code is None:
        precheck_expiry(claims, 100, 30)
        return
    with pytest.raises(TokenError) as caught:
        precheck_expiry(claims, 100, 30)
    assert (caught.value.code, caught.value.claim) == (code, "exp")


@pytest.mark.parametrize("issuer", [ISSUER, (ISSUER,)])
def test_a_resolved_provider_is_known_by_its_issuer(issuer):
    """A resolved provider is known by its issuer, because two tenants' factories would give the same name."""
    given = provider(issuer, leeway=7)
    read = read_answer(ISSUER, given)
    assert (read.name, read.issuer, read.leeway) == (ISSUER, issuer, 7)
    assert given.name == "p"


def test_the_answer_none_is_a_refusal():
    """None means that the application has no such tenant."""
    assert read_answer(ISSUER, None) is None


@pytest.mark.parametrize(
    "answer",
    [
        provider("https://b.test"),
        provider(f"{ISSUER}/"),
        provider(ISSUER.upper()),
        provider((ISSUER, "https://b.test")),
        provider(providers.UNCHECKED),
        provider(IssuerTemplate("https://{t}.test", allowed={"a"})),
        "https://a.test/jwks",
        True,
        {"issuer": ISSUER},
    ],
)
def test_an_answer_for_anything_but_that_very_issuer_is_a_failure(answer):
    """An answer for another issuer is a failure, so a mistake in the look-up cannot let one tenant speak for another."""
    read = read_answer(ISSUER, answer)
    assert isinstance(read, Failure)
    assert "a.test" not in read.message


class Own:
    """A check that claims to be equal to every other."""

    def __eq__(self, other):
        return True

    __hash__ = None

    def __call__(self, token):
        return True


def check(token):
    """Accept every token, as a check that is a function."""
    return True


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"claim_values": {"adm": 1}}, {"claim_values": {"adm": True}}),
        ({"claim_values": {"adm": {1, "a"}}}, {"claim_values": {"adm": {True, "a"}}}),
        ({"claim_values": {"adm": [{"x": 0}]}}, {"claim_values": {"adm": [{"x": False}]}}),
        ({"claim_values": {"adm": [1, 2]}}, {"claim_values": {"adm": [1]}}),
        ({"claim_values": {"adm": 1}}, {"claim_values": {"adm": 1.0}}),
        ({"checks": (Own(),)}, {"checks": (Own(),)}),
        ({"max_age": 5}, {"max_age": 6}),
    ],
)
def test_answers_that_python_calls_equal_may_differ(before, after):
    """A difference that ``==`` does not see still counts, so the resolver's newest answer wins."""
    assert not same_provider(provider(ISSUER, **before), provider(ISSUER, **after))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"claim_values": {"adm": {1, "a"}, "x": [{"y": None}]}},
        {"checks": (check, "".startswith)},
        {"headers": {"X": "y"}, "audience": providers.UNCHECKED},
    ],
)
def test_equal_answers_are_the_same(fields):
    """A tenant whose description did not change keeps its keys and remembered tokens."""
    assert same_provider(provider(ISSUER, **fields), provider(ISSUER, **fields))
