"""The error tree: what each error offers to programs, to people and to an HTTP client."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

import jwks_client
from jwks_client import errors
from jwks_client.errors import (
    TOKEN_ERROR_CODES,
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)

TOKEN_CODES = [
    "malformed_token",
    "token_too_large",
    "encrypted_token",
    "algorithm_not_allowed",
    "unsupported_critical_header",
    "wrong_token_type",
    "unknown_issuer",
    "unknown_key",
    "ambiguous_key",
    "bad_signature",
    "token_expired",
    "token_not_yet_valid",
    "token_issued_in_future",
    "token_too_old",
    "wrong_issuer",
    "wrong_audience",
    "missing_claim",
    "invalid_claim",
    "forbidden_claim",
    "rejected_by_check",
]

# One of each kind and code, with its class, code and status.
ERRORS = [
    *((TokenError(code, "why"), TokenError, code, 401) for code in TOKEN_CODES),
    *(
        (KeysUnavailableError(code, "why"), KeysUnavailableError, code, 503)
        for code in errors.get_args(errors.KeysUnavailableCode)
    ),
    (CredentialsError("missing_credentials", "why"), CredentialsError, "missing_credentials", 401),
    (CredentialsError("invalid_request", "why"), CredentialsError, "invalid_request", 400),
    (CredentialsError("cross_site_cookie", "why"), CredentialsError, "cross_site_cookie", 401),
    (InsufficientScopeError(["b", "a"]), InsufficientScopeError, "insufficient_scope", 403),
    (
        InsufficientScopeError(code="insufficient_claims", message="why"),
        InsufficientScopeError,
        "insufficient_claims",
        403,
    ),
    (ConfigurationError("leeway", "why"), ConfigurationError, "invalid_configuration", 500),
    (JWKSError("own", "why"), JWKSError, "own", 500),
]


class Mine(TokenError):
    """A custom error of an application, as one of its checks would raise."""


@pytest.mark.parametrize(("error", "kind", "code", "status"), ERRORS)
def test_each_error_has_a_code_a_message_and_a_status(error, kind, code, status):
    """The code is for programs, the message for people, the status for the response."""
    assert type(error) is kind
    assert isinstance(error, JWKSError)
    assert (error.code, error.http_status) == (code, status)
    assert str(error) == f"{code}: {error.message}"
    assert repr(error) == f"{kind.__name__}({code!r}, {error.message!r})"
    assert error.message


@pytest.mark.parametrize("error", [error for error, *_ in ERRORS])
def test_an_error_survives_serializers_that_keep_its_args(error):
    """Celery's JSON serializer returns `type(*args)`: the caller can catch the class and read the code."""
    args = json.loads(json.dumps(error.args))
    again = type(error)(*args)
    assert (again.code, again.message, again.http_status) == (
        *(error.code, error.message),
        error.http_status,
    )
    assert getattr(again, "required", None) == getattr(error, "required", None)


def test_the_codes_are_the_promised_ones():
    """Programs rely on the codes, so the lists are exact."""
    assert list(TOKEN_ERROR_CODES) == TOKEN_CODES
    assert errors.get_args(errors.KeysUnavailableCode) == (
        *("fetch_failed", "fetch_timeout", "bad_key_set", "discovery_failed", "resolver_failed"),
    )
    assert errors.get_args(errors.CredentialsErrorCode) == (
        *("missing_credentials", "invalid_request", "cross_site_cookie"),
    )


def test_the_tree_is_flat_and_drawn():
    """Every public error is a child of JWKSError, and the module's docstring says so."""
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert errors.__all__ == sorted(errors.__all__)
    assert JWKSError.__bases__ == (Exception,)
    for kind in kinds:
        assert kind.__name__ in errors.__doc__
        assert kind is JWKSError or kind.__bases__ == (JWKSError,)
    defined = {
        one.__name__
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, BaseException)
    }
    assert defined == set(errors.__all__)


def test_the_package_root_has_the_same_classes():
    """The root has every class except CredentialsError, which is only in `errors`."""
    for name in set(errors.__all__) - {"CredentialsError"}:
        assert getattr(jwks_client, name) is getattr(errors, name)
    assert not hasattr(jwks_client, "CredentialsError")


@pytest.mark.parametrize(("error", "kind", "code", "status"), ERRORS)
def test_only_unavailable_keys_have_retry_after(error, kind, code, status):
    """A refused token has no retry_after; unavailable keys have one second by default."""
    assert error.retry_after == (1.0 if kind is KeysUnavailableError else None)


def test_retry_after_can_be_set():
    """`retry_after` can be set, in seconds."""
    assert KeysUnavailableError("fetch_failed", "why", retry_after=7.5).retry_after == 7.5
    assert JWKSError("own", "why", retry_after=0).retry_after == 0


def test_a_claim_error_has_the_claim_and_the_expectation():
    """Programs read both attributes, people read both in the message, and the message stands alone."""
    error = TokenError("wrong_audience", "why", claim="aud", expected=("a", "b"))
    assert (error.claim, error.expected, error.message) == ("aud", ("a", "b"), "why")
    assert str(error) == "wrong_audience: why (claim 'aud'); expected: ('a', 'b')"
    assert (
        str(TokenError("missing_claim", "why", claim="aud")) == "missing_claim: why (claim 'aud')"
    )
    assert str(TokenError("wrong_token_type", "why", expected=0)) == (
        "wrong_token_type: why; expected: 0"
    )
    plain = TokenError("bad_signature", "why")
    assert (plain.claim, plain.expected, str(plain)) == (None, None, "bad_signature: why")


def test_a_setting_s_error_names_the_field():
    """The message has the field for people, `field` has it for programs."""
    error = ConfigurationError("leeway", "takes seconds")
    assert error.field == "leeway"
    assert str(error) == "invalid_configuration: leeway: takes seconds"


@pytest.mark.parametrize("required", [["b", "a"], ("a", "b"), {"b", "a"}, iter("ba")])
def test_missing_scopes_are_named_in_one_order(required):
    """Any iterable of scopes is sorted, as in an answer's ``scope``."""
    error = InsufficientScopeError(required)
    assert error.required == ("a", "b")
    assert "(a b)" in error.message


@pytest.mark.parametrize("duplicate", ["copy", "deepcopy", *range(pickle.HIGHEST_PROTOCOL + 1)])
@pytest.mark.parametrize(
    "error",
    [
        *(one for one, *_ in ERRORS),
        TokenError("wrong_audience", "why", claim="aud", expected=("a",)),
        KeysUnavailableError("fetch_failed", "why", retry_after=7.5),
        Mine("rejected_by_check", "why", claim="org"),
        InsufficientScopeError(
            code="insufficient_claims", message="why", claim="org", expected="o1"
        ),
    ],
)
def test_errors_survive_pickling_and_copying(error, duplicate):
    """Process pools and task queues pass errors on: same class, same attributes, same text."""
    if isinstance(duplicate, str):
        other = getattr(copy, duplicate)(error)
    else:
        other = pickle.loads(pickle.dumps(error, duplicate))
    assert type(other) is type(error)
    assert other is not error
    assert vars(other) == vars(error)
    assert (str(other), repr(other), other.args) == (str(error), repr(error), error.args)
    assert (other.http_status, other.retry_after) == (error.http_status, error.retry_after)


def test_a_pickled_error_leaves_its_cause_behind():
    """The cause stays in the logs of the process that saw it."""
    error = KeysUnavailableError("fetch_failed", "why")
    error.__cause__ = OSError("secret host")
    assert b"secret host" not in pickle.dumps(error)


def test_insufficient_claims_name_the_claim_and_what_is_expected():
    """The log shows which claim of an accepted token did not suffice, as for a TokenError."""
    error = InsufficientScopeError(
        code="insufficient_claims", message="wrong", claim="org", expected="o1"
    )
    assert str(error) == "insufficient_claims: wrong (claim 'org'); expected: 'o1'"
    assert error.required == ()


def test_a_single_scope_may_be_a_string():
    """A string is one scope, not its letters."""
    assert InsufficientScopeError("orders:read").required == ("orders:read",)
