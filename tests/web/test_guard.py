"""The public parts that an integration is made of."""

from __future__ import annotations

import pytest

from jwks_client.errors import ConfigurationError, InsufficientScopeError
from jwks_client.integrations import Answer, Guard, Requirement, UnverifiedRequest
from jwks_client.testing import FakeProvider


def test_an_integration_needs_four_names():
    """Guard, Requirement, UnverifiedRequest and Answer read, verify, check and refuse."""
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


def test_an_error_that_is_not_a_refusal_is_raised_not_answered():
    """A wrong setting never looks like a refused request."""
    guard = Guard(FakeProvider().client(), asynchronous=False)
    wrong = ConfigurationError("audience", "must be a str")
    with pytest.raises(ConfigurationError) as caught:
        guard.refuse(wrong, UnverifiedRequest.from_pairs("GET", []), "/")
    assert caught.value is wrong
