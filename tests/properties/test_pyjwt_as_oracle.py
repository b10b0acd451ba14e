"""PyJWT is an independent oracle: a token that `jwt.decode` refuses under a policy is refused here under it."""

from __future__ import annotations

import datetime as dt
from unittest import mock

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_json import CLOCK, NOW, as_text, members_as_text, steady, weighted

from jwks_client import JWKSClient, Provider, TokenError
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeProvider

SIGNERS = {name: FakeProvider(algorithm=name, clock=CLOCK) for name in ("ES256", "EdDSA", "PS256")}
ISSUER = "https://issuer.test"
# The fields of `Provider` that `jwt.decode` has too, and their names there.
POLICIES = {
    "usual": ({}, {}),
    "several audiences": ({"audience": ["api", "web"]}, {"audience": ["api", "web"]}),
    "several issuers": (
        {"issuer": [ISSUER, "https://b.test"]},
        {"issuer": [ISSUER, "https://b.test"]},
    ),
    "no leeway": ({"leeway": 0}, {"leeway": 0}),
    "no expiry needed": ({"require_expiry": False}, {"options": {"require": []}}),
    "more claims needed": (
        {"required_claims": ["sub", "jti", "nbf", "tid"]},
        {"options": {"require": ["exp", "sub", "jti", "nbf", "tid"]}},
    ),
    "audience unchecked": (
        {"audience": UNCHECKED},
        {"audience": None, "options": {"require": ["exp"], "verify_aud": False}},
    ),
    "issuer unchecked": ({"issuer": UNCHECKED}, {"issuer": None}),
}


@pytest.mark.parametrize("algorithm", SIGNERS)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_token_that_pyjwt_refuses_is_refused_here(policy, algorithm):
    """Claims and headers of any kind, as any text, with a valid signature or not, are refused where PyJWT refuses them."""
    idp = SIGNERS[algorithm]
    ours, theirs = POLICIES[policy]
    usual = {"issuer": ISSUER, "audience": "api", "algorithms": [algorithm]}
    provider = Provider(name="idp", jwks=idp.jwks(), **{**usual, **ours})
    client = JWKSClient(provider, clock=CLOCK)
    (key,) = jwt.PyJWKSet.from_dict(idp.jwks()).keys
    arguments = {**usual, "leeway": 30, "options": {"require": ["exp"]}, **theirs}
    accepted = []

    def pyjwt_accepts(token):
        with mock.patch("jwt.api_jwt.datetime") as its_clock:
            its_clock.now.return_value = dt.datetime.fromtimestamp(NOW, dt.UTC)
            try:
                jwt.decode(token, key.key, **arguments)
            except jwt.PyJWTError:
                return False
            return True

    header = {"alg": algorithm, "kid": idp.kid, "typ": "JWT"}
    claims = {"iss": ISSUER, "aud": "api", "exp": NOW + 60, "iat": NOW, "nbf": NOW}
    claims |= {"sub": "u1", "jti": "1", "tid": "t"}
    plain_header = st.just(as_text(header))
    odd_header = members_as_text(header, ("crit", "crit", "b64", "jwk"))
    odd_claims = members_as_text(claims, ("scope",))
    near = st.sampled_from(
        [
            f'{{"iss":"{ISSUER}","aud":"api","sub":"u","jti":"j","tid":"t","nbf":{nbf},"iat":{iat},"exp":{exp}}}'
            for exp in (NOW - 31, NOW - 30, NOW - 29, NOW - 1, NOW, NOW + 1)
            for iat in (NOW - 90, NOW - 31)
            for nbf in (NOW - 31, NOW + 29, NOW + 30, NOW + 31)
        ]
    )

    @steady(60, policy, algorithm)
    @given(
        weighted(plain_header, plain_header, odd_header),
        weighted(odd_claims, odd_claims, near),
        st.sampled_from([False, False, False, True]),
    )
    def it_is_refused(header_text, claims_text, is_damaged):
        token = idp.sign(header_text.encode(), claims_text.encode("utf-8", "surrogatepass"))
        if is_damaged:
            token = f"{token[:-8]}AAAAAAAA"
        try:
            exp = client.verify(token).expires_at
        except TokenError:
            return
        accepted.append(token)
        # PyJWT cuts off fractions of a second, which only ever shortens a token's lifetime there.
        assert isinstance(exp, float) or pyjwt_accepts(token)

    it_is_refused()
    assert len(accepted) > 5  # or nothing was compared
