"""The fast path of `Rules.check_claims` accepts exactly what the full checks accept."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from signed_tokens import AUDIENCE, ISSUER, KEY, NOW, rules, unverified

from jwks_client import TokenError
from jwks_client._core.tokens.claim_values import LATEST
from jwks_client.providers import UNCHECKED

TIMES = st.one_of(
    st.integers(NOW - 100, NOW + 100),
    st.floats(NOW - 100, NOW + 100),
    st.sampled_from([0, -1, 0.5, LATEST, LATEST + 1, 10**30, True, False, None, "1", [], {}]),
)
TEXTS = st.sampled_from(["", "a", AUDIENCE, ISSUER, "other", None, 1, True, [], [AUDIENCE], {}])
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.sampled_from(
            [
                ISSUER,
                ISSUER + "/",
                "",
                None,
                1,
                [ISSUER],
                {},
            ]
        ),
        "aud": st.one_of(TEXTS, st.lists(TEXTS, max_size=3)),
        "sub": TEXTS,
        "jti": TEXTS,
        "exp": TIMES,
        "iat": TIMES,
        "nbf": TIMES,
        "cnf": st.just({"jkt": "x"}),
        "scope": st.one_of(TEXTS, st.lists(TEXTS, max_size=3), st.just(" a  b ")),
        "scp": st.one_of(TEXTS, st.lists(TEXTS, max_size=3)),
        "org": TEXTS,
    },
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "issuer": st.sampled_from([UNCHECKED, ISSUER, ("other", ISSUER)]),
        "audience": st.sampled_from([UNCHECKED, AUDIENCE, (AUDIENCE, "a")]),
        "leeway": st.sampled_from([0, 30, 0.5]),
        "max_age": st.sampled_from([None, 0, 40]),
        "require_expiry": st.booleans(),
        "required_claims": st.lists(
            st.sampled_from(["sub", "jti", "iss", "aud", "iat", "nbf", "scope", "org"]), max_size=2
        ),
        "forbidden_claims": st.lists(st.sampled_from(["jti", "scp", "org"]), max_size=1),
        "claim_values": st.sampled_from([{}, {"org": "a"}, {"org": True}]),
        "bound_tokens": st.sampled_from(["refuse", "checked_elsewhere"]),
        "scope_claim": st.sampled_from([None, "scp"]),
    },
)


GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "iat": NOW, "exp": NOW + 60}


def of(changes, left_out):
    """Return a good token with some claims changed and some left out."""
    claims = {name: value for name, value in {**GOOD, **changes}.items() if name not in left_out}
    return unverified()._replace(claims=claims)


def some(strategy, most):
    """Return a few of the members that a strategy makes, so that their effects can be seen."""
    return strategy.flatmap(
        lambda made: (
            st.sets(st.sampled_from(sorted(made)), max_size=most).map(
                lambda names: {name: made[name] for name in names}
            )
            if made
            else st.just({})
        )
    )


@settings(max_examples=800, deadline=None, derandomize=True)
@given(
    changes=some(CLAIMS, 3),
    left_out=st.sets(st.sampled_from(sorted(GOOD)), max_size=1),
    fields=some(POLICIES, 3),
)
@example(changes={"iat": NOW + 10, "exp": NOW + 5}, left_out=set(), fields={})
@example(changes={"exp": NOW - 30, "iat": NOW - 60}, left_out=set(), fields={})
@example(changes={"nbf": -1}, left_out=set(), fields={})
@example(changes={"nbf": True}, left_out=set(), fields={})
@example(changes={"iat": -1}, left_out=set(), fields={})
@example(changes={"exp": LATEST + 1}, left_out=set(), fields={})
@example(changes={"iat": NOW + 31}, left_out=set(), fields={})
@example(changes={"nbf": NOW + 31}, left_out=set(), fields={})
@example(changes={"iat": NOW - 71}, left_out=set(), fields={"max_age": 40})
def test_the_fast_path_agrees_with_the_checks_one_by_one(changes, left_out, fields):
    """The fast path gives the same verdict, code and claim as the checks one by one, for any token and any rules."""
    its_rules, token = rules(**fields), of(changes, left_out)
    expected = None
    for _, check in its_rules.each_check(token, KEY, NOW):
        try:
            check()
        except TokenError as error:
            expected = (error.code, error.claim)
            break
    try:
        its_rules.check_claims(token, KEY, NOW)
        found = None
    except TokenError as error:
        found = (error.code, error.claim)
    assert found == expected
