"""Properties of every token, tested with generated tokens."""

from __future__ import annotations

import datetime as dt
import json
from unittest import mock

import jwt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from jwks_client import IssuerTemplate, JWKSError, Provider, TokenError, providers
from jwks_client.testing import FakeClock, FakeProvider

NOW = 1_700_000_000
CLOCK = FakeClock(NOW)
SIGNERS = {name: FakeProvider(algorithm=name, clock=CLOCK) for name in ("ES256", "Ed25519")}
IDP = SIGNERS["ES256"]
ABSENT = object()

characters = st.characters(min_codepoint=0, max_codepoint=127) | st.characters()
texts = st.text(characters, max_size=8)
numbers = (
    st.integers(-(2**70), 2**70)
    | st.floats()
    | st.integers(NOW - 100, NOW + 100)
    | st.sampled_from([0, -0.0, 1e308, 253402300799, 10**63])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def provider(idp=IDP, **fields):
    usual = {"name": "idp", "issuer": idp.issuer, "audience": "api", "jwks": idp.jwks()}
    return Provider(**{**usual, **fields})


def members(usual, others):
    """Return an object whose usual members are right, missing or anything, with extra members of any name."""
    fixed = {
        name: st.sampled_from([value, value, ABSENT]) | values for name, value in usual.items()
    }
    also = dict.fromkeys(others, st.just(ABSENT) | st.just(ABSENT) | values)
    return st.builds(
        lambda some, more: {n: v for n, v in {**more, **some}.items() if v is not ABSENT},
        st.fixed_dictionaries({**fixed, **also}),
        st.dictionaries(texts, values, max_size=2),
    )


headers = members({"alg": "ES256", "kid": IDP.kid, "typ": "JWT"}, ["crit", "b64", "jwk", "x5c"])
claims = members(
    {"iss": IDP.issuer, "aud": "api", "exp": NOW + 60, "iat": NOW, "nbf": NOW},
    ["sub", "jti", "scope", "scp", "cnf", "tid", "org"],
)


def accepts(drive, token):
    """Return whether the client accepts a token; any foreign exception propagates."""
    try:
        drive.verify(token)
    except JWKSError:
        return False
    return True


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_any_one_character_changed_in_a_good_token_is_refused(drive, algorithm):
    """One character replaced, removed or inserted anywhere makes a token refused."""
    idp = SIGNERS[algorithm]
    drive.client(provider(idp), clock=CLOCK)
    good = idp.issue(scope="a b")
    assert drive.verify(good).subject == "u1"

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(good)), characters, st.integers(0, 1))
    @example(0, " ", 0)
    @example(len(good), "=", 0)
    @example(len(good), "\n", 0)
    @example(len(good) - 1, "", 1)
    def every_change_is_refused(at, character, replaced):
        changed = good[:at] + character + good[at + replaced :]
        assume(changed != good)
        assert not accepts(drive, changed)
        assert drive.verify(good).subject == "u1"  # and the good one is still accepted

    every_change_is_refused()


def test_any_text_raises_only_errors_of_this_library(drive):
    """Any str or bytes is accepted or raises an error of this library."""
    drive.client(provider(), provider(name="other", issuer="https://other.test"), clock=CLOCK)

    @settings(max_examples=200, deadline=None)
    @given(
        st.text(max_size=60)
        | st.binary(max_size=60)
        | st.text("eyJhbGciOiJFUzI1NiJ9._-=", max_size=60)
        | st.lists(st.text("ey0aAQ9_", max_size=8), min_size=2, max_size=6).map(".".join)
    )
    def it_is_refused(token):
        assert not accepts(drive, token)

    it_is_refused()


def test_any_signed_octets_raise_only_errors_of_this_library(drive):
    """Any signed header and payload, JSON or not, is accepted or raises an error of this library."""
    drive.client(provider(), clock=CLOCK)
    octets = st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode())

    @settings(max_examples=150, deadline=None)
    @given(octets | st.just(b'{"alg":"ES256"}'), octets)
    def it_is_refused(header, payload):
        assert not accepts(drive, IDP.sign(header, payload))

    it_is_refused()


def test_any_header_and_claims_raise_only_errors_of_this_library(drive):
    """Members of any type raise only errors of this library, under rules that check all of them."""
    template = IssuerTemplate("https://login.test/{tid}", allowed=lambda _: True)
    strict = {"required_claims": ["sub"], "claim_values": {"org": {"a", 1}}, "max_age": 60}
    drive.client(
        provider(forbidden_claims=["act"], **strict),
        provider(
            name="open",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            require_expiry=False,
        ),
        provider(name="tenants", issuer=template, scope_claim="scp"),
        clock=CLOCK,
    )

    @settings(max_examples=250, deadline=None)
    @given(headers, claims)
    def it_is_accepted_or_refused(header, payload):
        token = IDP.sign(json.dumps(header).encode(), json.dumps(payload).encode())
        if accepts(drive, token):
            accepted = drive.verify(token)
            assert json.loads(json.dumps(accepted.claims)) == payload

    it_is_accepted_or_refused()


def test_a_token_that_pyjwt_refuses_is_refused(drive):
    """A token that `jwt.decode` refuses with the same key, algorithms, audience, issuer, leeway and required exp is refused."""
    (key,) = jwt.PyJWKSet.from_dict(IDP.jwks()).keys
    drive.client(provider(algorithms=["ES256"]), clock=CLOCK)
    accepted = []

    def pyjwt_accepts(token):
        with mock.patch("jwt.api_jwt.datetime") as its_clock:
            its_clock.now.return_value = dt.datetime.fromtimestamp(NOW, dt.UTC)
            try:
                jwt.decode(
                    token,
                    key.key,
                    algorithms=["ES256"],
                    audience="api",
                    issuer=IDP.issuer,
                    leeway=30,
                    options={"require": ["exp"]},
                )
            except jwt.PyJWTError:
                return False
            return True

    moments = st.integers(NOW - 35, NOW + 35) | st.sampled_from([NOW - 30, NOW + 30, NOW + 31])
    near = st.fixed_dictionaries(
        {"iss": st.just(IDP.issuer), "aud": st.sampled_from(["api", ["x", "api"], "x"])},
        optional={"exp": moments, "iat": moments, "nbf": moments, "sub": values, "jti": values},
    )

    @settings(max_examples=250, deadline=None)
    @given(headers, claims | near, st.booleans())
    @example({"alg": "ES256", "kid": "key-1"}, {"iss": IDP.issuer, "aud": "api", "exp": NOW}, False)
    def it_is_refused_here_too(header, payload, damaged):
        # PyJWT cuts off fractions of a second, which only ever shortens a token's lifetime there.
        assume(not isinstance(payload.get("exp"), float))
        token = IDP.sign(json.dumps(header).encode(), json.dumps(payload).encode())
        if damaged:
            token = token[:-8] + "AAAAAAAA"
        if accepts(drive, token):
            accepted.append(token)
            assert pyjwt_accepts(token)

    it_is_refused_here_too()
    assert accepted  # or nothing was compared


def test_no_two_texts_are_the_same_token(drive):
    """An accepted token in another text, with the same signature, is refused."""
    drive.client(provider(), clock=CLOCK)
    good = IDP.issue()
    drive.verify(good)
    header, payload, signature = good.split(".")
    for other in (
        f"{header}.{payload}.{signature}=",
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload}.{signature}\n",
        f" {good}",
        good.replace("-", "+").replace("_", "/") + "A",
        f"{good}.",
        f"Bearer {good}",
    ):
        with pytest.raises(TokenError):
            drive.verify(other)
        with pytest.raises(TokenError):
            drive.verify(other.encode())
