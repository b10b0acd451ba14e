"""All errors of this library; a verification raises no others.

    JWKSError                       catch this to catch them all
    ├── ConfigurationError          500  a setting is wrong, when a client or provider is made
    ├── CredentialsError            401  credentials are missing, or (400) malformed
    ├── TokenError                  401  the token is refused
    ├── InsufficientScopeError      403  the token is valid, but lacks a scope or claim
    └── KeysUnavailableError        503  no verdict, because the provider's keys are unavailable

Each instance has a stable ``code``, the ``http_status`` an API should answer with, and
``retry_after`` (seconds, or None). Messages name settings of the application. They contain no part
of the token and no secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias, get_args

__all__ = [
    "ConfigurationError",
    "CredentialsError",
    "InsufficientScopeError",
    "JWKSError",
    "KeysUnavailableError",
    "TokenError",
]

TokenErrorCode: TypeAlias = Literal[
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
KeysUnavailableCode: TypeAlias = Literal[
    "fetch_failed", "fetch_timeout", "bad_key_set", "discovery_failed", "resolver_failed"
]
CredentialsErrorCode: TypeAlias = Literal[
    "missing_credentials", "invalid_request", "cross_site_cookie"
]
InsufficientScopeCode: TypeAlias = Literal["insufficient_scope", "insufficient_claims"]

TOKEN_ERROR_CODES: Final[tuple[str, ...]] = get_args(TokenErrorCode)


class JWKSError(Exception):
    """The base of every error of this library.

    Attributes:
        code: a stable word for programs; listed per class in this module.
        message: one sentence for people.
        http_status: the HTTP status an API should answer with.
        retry_after: seconds until it is worth trying again, or None.
        provider: the name of the provider that decided, if known.
        kid: the kid of the token, escaped and truncated, for logs; None if there is none.
    """

    http_status: int = 500
    provider: str | None = None
    kid: str | None = None

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        # Celery's JSON serializer rebuilds an exception as its class called with `args`.
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive Exception's own pickling (process pools, Celery).
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[JWKSError], args: tuple[Any, ...], state: dict[str, Any]) -> JWKSError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigurationError(JWKSError):
    """A setting is wrong; the message names it. ``verify`` never raises this.

    Arguments:
        field: the setting, as the caller spells it.
        message: what the setting must be, and what was given.
    """

    def __init__(self, field: str, message: str) -> None:
        joint = " " if message.startswith("must ") else ": "
        super().__init__("invalid_configuration", f"{field}{joint}{message}")
        self.args = (field, message)
        self.field = field


class CredentialsError(JWKSError):
    """The request's credentials are missing or malformed (RFC 6750, section 3.1).

    Codes: ``missing_credentials`` (401), ``invalid_request`` (400), ``cross_site_cookie`` (401).
    """

    http_status = 401

    def __init__(self, code: CredentialsErrorCode, message: str) -> None:
        super().__init__(code, message)
        if code == "invalid_request":
            self.http_status = 400


class TokenError(JWKSError):
    """The token is refused. ``code`` is one of `TokenErrorCode`.

    Attributes:
        claim: the claim that the error is about, or None.
        expected: the value that the application's settings require, or None.
    """

    http_status = 401
    # Set by `VerifiedToken.claims_as`: what a handler demands of an accepted token is a 403.
    _misfit = False

    def __init__(
        self,
        code: TokenErrorCode,
        message: str,
        *,
        claim: str | None = None,
        expected: object = None,
    ) -> None:
        super().__init__(code, message)
        self.claim = claim
        self.expected = expected

    def __str__(self) -> str:
        return f"{super().__str__()}{_details(self)}"


def _details(error: TokenError | InsufficientScopeError) -> str:
    """Return the claim, unless the message names it, and what was expected."""
    claim, expected = error.claim, error.expected
    about = "" if claim is None or repr(claim) in error.message else f" (claim {claim!r})"
    return about if expected is None else f"{about}; expected: {expected!r}"


class InsufficientScopeError(JWKSError):
    """The token is valid, but a handler requires more scopes or other claims.

    Codes: ``insufficient_scope`` (RFC 6750, section 3.1), ``insufficient_claims``.

    Attributes:
        required: the required scopes, sorted; empty for ``insufficient_claims``.
        claim: the claim that does not have the required value, or None.
        expected: the value that the handler requires.
    """

    http_status = 403

    def __init__(
        self,
        required: Iterable[str] = (),
        code: InsufficientScopeCode = "insufficient_scope",
        message: str | None = None,
        *,
        claim: str | None = None,
        expected: object = None,
    ) -> None:
        self.required = (required,) if isinstance(required, str) else tuple(sorted(required))
        self.claim = claim
        self.expected = expected
        if message is None:
            message = f"the token lacks a required scope ({' '.join(self.required)})"
        super().__init__(code, message)
        self.args = (self.required, code, message)

    def __str__(self) -> str:
        return f"{super().__str__()}{_details(self)}"


class KeysUnavailableError(JWKSError):
    """The keys are unavailable: the token is neither accepted nor refused.

    Codes: ``fetch_failed``, ``fetch_timeout``, ``bad_key_set``, ``discovery_failed``,
    ``resolver_failed``. The ``__cause__`` is the failure of the fetch, for logs and never for
    responses.
    """

    http_status = 503

    def __init__(
        self, code: KeysUnavailableCode, message: str, *, retry_after: float = 1.0
    ) -> None:
        super().__init__(code, message, retry_after=retry_after)
