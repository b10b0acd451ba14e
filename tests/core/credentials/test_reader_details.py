"""The exact texts of denied requests and of wrong settings."""

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
def test_each_kind_of_error_has_its_own_detail(error, detail):
    """Each kind of error has its own fixed sentence, whatever the error's message says."""
    assert json.loads(Answers().to(error).body)["detail"] == detail


def test_a_custom_error_has_no_detail():
    """A custom error of the application is answered with its code and without a detail."""

    class Banned(JWKSError):
        """A custom error of the application."""

    problem = json.loads(Answers().to(Banned("banned", "")).body)
    assert problem["code"] == "banned"
    assert "detail" not in problem


def test_a_token_that_is_too_long_names_the_limit():
    """A token that is too long is refused with the limit, before any of it is read."""
    sent = UnverifiedRequest("http", "GET", [(b"authorization", b"Bearer " + b"a" * 1_048_577)])
    with pytest.raises(TokenError, match="longer than 1048576 characters"):
        CredentialsReader([Header("Authorization", scheme="Bearer")]).read(sent)


@pytest.mark.parametrize("locations", [[], ["Authorization"], None])
def test_wrong_locations_name_the_four_kinds(locations):
    """Wrong locations raise a ConfigurationError that names the four kinds."""
    with pytest.raises(ConfigurationError, match="Header, Cookie, Subprotocol or Query"):
        CredentialsReader(locations)


def test_a_realm_that_no_header_can_hold_names_the_header():
    """A realm that no header can hold raises a ConfigurationError that names the header."""
    with pytest.raises(ConfigurationError, match=r"realm.*'WWW-Authenticate'"):
        Answers(realm="two\nlines")
