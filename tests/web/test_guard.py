"""The public parts for a custom integration."""

from __future__ import annotations

import dataclasses
from unittest.mock import AsyncMock

import httpx
import pytest
from table_app import Account

from jwks_client import JWKSClient, VerifiedToken
from jwks_client.errors import ConfigurationError, InsufficientScopeError, TokenError
from jwks_client.integrations import Answer, Guard, Requirement, UnverifiedRequest
from jwks_client.testing import FakeProvider


def test_an_integration_needs_four_names():
    """Guard, Requirement, UnverifiedRequest and Answer suffice to read, verify, check and refuse."""
    idp = FakeProvider()
    guard = Guard(idp.client(), asynchronous=False)
    request = UnverifiedRequest.from_pairs("GET", [("Authorization", f"Bearer {idp.issue()}")])
    token = guard.client.verify(guard.read(request))
    with pytest.raises(InsufficientScopeError) as caught:
        Requirement(["orders:read"]).check(token)
    answer = guard.refuse(caught.value, request, "/orders")
    assert isinstance(answer, Answer)
    assert answer.status == 403
    assert 'scope="orders:read"' in dict(answer.text_headers)["www-authenticate"]


def test_claims_that_a_check_refuses_are_a_refused_token():
    """A provider's own check decides whether a token is valid, so its refusal in `claims_as` is 401."""

    def has_an_email(token: VerifiedToken) -> None:
        token.claims_as(Account)

    idp = FakeProvider()
    provider = dataclasses.replace(idp.provider, checks=(has_an_email,))
    guard = Guard(
        JWKSClient(provider, http=httpx.Client(transport=idp.transport)), asynchronous=False
    )
    with pytest.raises(TokenError) as caught:
        guard.client.verify(idp.issue())
    assert guard.refuse(caught.value, UnverifiedRequest.from_pairs("GET", []), "/").status == 401


def test_an_error_that_is_not_a_refusal_is_raised():
    """A ConfigurationError never becomes a denied request."""
    guard = Guard(FakeProvider().client(), asynchronous=False)
    wrong = ConfigurationError("audience", "must be a str")
    with pytest.raises(ConfigurationError) as caught:
        guard.refuse(wrong, UnverifiedRequest.from_pairs("GET", []), "/")
    assert caught.value is wrong


@pytest.mark.parametrize(
    ("given", "shown"), [("text", "str"), (AsyncMock(), "a coroutine function")]
)
def test_on_error_must_be_a_plain_function(idp, given, shown):
    """The error about ``on_error`` says what was given."""
    with pytest.raises(ConfigurationError) as caught:
        Guard(idp.client(), asynchronous=False, on_error=given)
    assert str(caught.value).endswith(f"must be a plain function of a Refusal, got {shown}")
