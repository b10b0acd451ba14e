"""What a refused request is told, word for word, and what a wrong setting is called."""

from __future__ import annotations

import json

import pytest

from jwks_client._core.credentials.answers import Answers
from jwks_client._core.credentials.reader import CredentialsReader, UnverifiedRequest
from jwks_client.errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)
from jwks_client.providers import Header

DETAILS = [
    (CredentialsError("missing_credentials", ""), "The request carries no credentials."),
    (CredentialsError("invalid_request", ""), "The credentials of the request cannot be read."),
    (
        CredentialsError("cross_site_cookie", ""),
        "A cookie does not count in a request that another site may have caused.",
    ),
    (TokenError("bad_signature", ""), "The token is not accepted."),
    (InsufficientScopeError(["a"]), "The token lacks a required scope."),
    (
        InsufficientScopeError(code="insufficient_claims", message="", claim="org"),
        "The token's claims do not suffice.",
    ),
    (
        KeysUnavailableError("fetch_failed", ""),
        "The token cannot be checked at the moment; try again later.",
    ),
]


@pytest.mark.parametrize(("error", "detail"), DETAILS, ids=lambda one: getattr(one, "code", None))
def test_each_kind_of_error_is_told_in_its_own_sentence(error, detail):
    """And in no more than that, whatever the error's own message says."""
    assert json.loads(Answers().to(error).body)["detail"] == detail


def test_an_error_of_the_applications_own_is_told_without_one():
    """Its code is all that this library knows of it."""

    class Banned(JWKSError):
        """One of the application's."""

    problem = json.loads(Answers().to(Banned("banned", "")).body)
    assert problem["code"] == "banned"
    assert "detail" not in problem


def test_a_token_that_is_too_long_is_told_the_limit():
    """Before anything of it is read."""
    sent = UnverifiedRequest("http", "GET", [(b"authorization", b"Bearer " + b"a" * 1_048_577)])
    with pytest.raises(TokenError, match="longer than 1048576 characters"):
        CredentialsReader([Header("Authorization", scheme="Bearer")]).read(sent)


@pytest.mark.parametrize("locations", [[], ["Authorization"], None])
def test_locations_that_are_none_are_told_what_they_take(locations):
    """A list of the four kinds."""
    with pytest.raises(ConfigurationError, match="Header, Cookie, Subprotocol or Query"):
        CredentialsReader(locations)


def test_a_realm_that_no_header_can_hold_is_told_which_header():
    """The one it would stand in."""
    with pytest.raises(ConfigurationError, match=r"realm.*'WWW-Authenticate'"):
        Answers(realm="two\nlines")
