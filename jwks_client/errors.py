"""Every error this library raises; nothing else comes out of a verification.

    JWKSError                       catch this to catch them all
    ├── ConfigurationError          500  a setting is wrong, when a client or provider is made
    ├── CredentialsError            401  no credentials, or (400) credentials that cannot be read
    ├── TokenError                  401  the token is refused
    ├── InsufficientScopeError      403  the token is good, its scopes do not suffice
    └── KeysUnavailableError        503  nobody can know: the provider's keys could not be had

Each instance has a stable ``code``, the ``http_status`` an API should answer with, and
``retry_after`` (seconds, or None). Messages are written here or by this library's own modules. They
name settings of the application, never the token, and never claims of a token whose signature did
not hold.
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

TOKEN_ERROR_CODES: Final[tuple[str, ...]] = get_args(TokenErrorCode)


class JWKSError(Exception):
    """Base of every error of this library.

    Attributes:
        code: a stable word for programs; listed per class in this module.
        message: one sentence for people.
        http_status: the HTTP status an API should answer with.
        retry_after: seconds until it is worth trying again, or None.
        provider: the name of the provider whose verdict it is, where that is known.
        kid: the kid that the token claims, printable and cut, for logs; None where there is none.
    """

    http_status: int = 500
    provider: str | None = None
    kid: str | None = None

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
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
    """A setting is wrong; it names the field and what it takes. Never raised by ``verify``.

    Arguments:
        field: the setting, as the caller spells it.
        message: what is wrong and what the setting takes.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("invalid_configuration", f"{field}: {message}")
        self.field = field


class CredentialsError(JWKSError):
    """The request carries no credentials, or ones that cannot be read (RFC 6750, section 3.1).

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
        claim: the claim that was judged, where a claim was.
        expected: what the application asked of it, where that is a value of its own settings.
    """

    http_status = 401

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
        about = "" if self.claim is None else f" (claim {self.claim!r})"
        wanted = "" if self.expected is None else f"; expected: {self.expected!r}"
        return f"{self.code}: {self.message}{about}{wanted}"


class InsufficientScopeError(JWKSError):
    """The token is good, but lacks scopes (RFC 6750: ``insufficient_scope``).

    Attributes:
        required: the scopes asked for, sorted.
    """

    http_status = 403

    def __init__(self, required: Iterable[str]) -> None:
        self.required = (required,) if isinstance(required, str) else tuple(sorted(required))
        super().__init__(
            "insufficient_scope", f"the token lacks a required scope ({' '.join(self.required)})"
        )


class KeysUnavailableError(JWKSError):
    """The keys that would decide are not to be had: the token is neither accepted nor refused.

    Codes: ``fetch_failed``, ``fetch_timeout``, ``bad_key_set``, ``discovery_failed``,
    ``resolver_failed``. What went wrong on the wire is its ``__cause__``, for logs, not for
    answers.
    """

    http_status = 503

    def __init__(
        self, code: KeysUnavailableCode, message: str, *, retry_after: float = 1.0
    ) -> None:
        super().__init__(code, message, retry_after=retry_after)
