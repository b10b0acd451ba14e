"""Tokens of any kind, good or hostile, with one key that signs them and rules that judge them.

Each token contains `MARKER`, and `assert_refused` checks that the error does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from jwks_client import Key, Provider, TokenError, VerifiedToken, providers
from jwks_client._core.encoding import to_base64url
from jwks_client._core.keysets.jwk import read_key_set
from jwks_client._core.tokens.claims import Rules
from jwks_client._core.tokens.unverified import UnverifiedToken, parse
from jwks_client._core.tokens.verified import TokenFacts
from jwks_client.testing._keys.signing_key import make_key

NOW = 1_700_000_000
ISSUER, AUDIENCE = "https://issuer.test", "api"
MARKER = "marker-of-what-only-the-token-says"
MAX_HEADER = 4096
SIGNER = make_key("ES256", "k1", borrower=None)  # only RSA keys are borrowed
(KEY,) = read_key_set({"keys": [SIGNER.jwk()]}, max_keys=1)
HEADER = {"alg": "ES256", "kid": "k1", "typ": "JWT"}
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": f"{MARKER}-sub",
    "jti": f"{MARKER}-jti",
    "iat": NOW,
    "exp": NOW + 60,
    "private": {"nested": [f"{MARKER}-private"]},
}
ABSENT: Any = object()  # leaves a member out; None means null


def octets(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> bytes:
    """Return JSON of the usual members with changes; ABSENT removes a member."""
    members = {**usual, **changes}
    return json.dumps({n: v for n, v in members.items() if v is not ABSENT}).encode()


def segment(content: bytes | str) -> str:
    """Return one segment of a token, correctly encoded whatever it holds."""
    return to_base64url(content if isinstance(content, bytes) else content.encode())


def compact(header: bytes | None = None, payload: bytes | None = None) -> str:
    """Return a signed token of exactly these octets; by default those of a good token."""
    return SIGNER.sign_compact(
        octets(HEADER, {}) if header is None else header,
        octets(CLAIMS, {}) if payload is None else payload,
    )


def token(headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """Return a signed token with changes to the usual header members and claims."""
    return compact(octets(HEADER, headers or {}), octets(CLAIMS, claims))


def unverified(headers: Mapping[str, Any] | None = None, **claims: Any) -> UnverifiedToken:
    """Return such a token, parsed."""
    return parse(token(headers, **claims), MAX_HEADER)


def provider(**fields: Any) -> Provider:
    """Return a provider whose key signs these tokens, with changes to its fields."""
    usual: dict[str, Any] = {
        "name": "p",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": {"keys": [SIGNER.jwk()]},
    }
    return Provider(**{**usual, **fields})


def rules(**fields: Any) -> Rules:
    """Return the rules of such a provider."""
    return Rules(provider(**fields))


def judged(
    claims: Mapping[str, Any] | None = None, *, now: float = NOW, key: Key = KEY, **fields: Any
) -> TokenFacts:
    """Apply the rules of a provider with these fields to a token with these claims."""
    return rules(**fields).check_claims(unverified(**(claims or {})), key, now)


def verified(headers: Mapping[str, Any] | None = None, **claims: Any) -> VerifiedToken:
    """Return such a token as verified, without checking its audience, issuer and expiry."""
    open_rules = rules(
        issuer=providers.UNCHECKED, audience=providers.UNCHECKED, require_expiry=False
    )
    return VerifiedToken(open_rules.check_claims(unverified(headers, **claims), KEY, NOW))


def assert_passes(check: Callable[..., object], *args: Any) -> None:
    """Assert that a check passes, which it does by returning nothing."""
    assert check(*args) is None


def assert_refused(
    code: str, call: Callable[..., object], *args: Any, **options: Any
) -> TokenError:
    """Assert that a call is refused with this code and does not reveal the token; return the error."""
    with pytest.raises(TokenError) as caught:
        call(*args, **options)
    error = caught.value
    assert error.code == code, error
    assert error.__cause__ is None
    assert error.__context__ is None
    for said in (str(error), repr(error), error.message, repr(error.args)):
        assert MARKER not in said
    return error
