"""`Requirement`: what a handler requires of a verified token: scopes, claims, a provider.

The decorator and every integration use it. An insufficient token is an authorization failure: the
answer is 403, never 401. Must not depend on: requests, frameworks, clients.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias, TypeVar, overload

from .._core.callables import is_coroutine_function
from .._core.credentials.reader import no_credentials
from .._core.json_values import any_of as values_of
from .._core.json_values import is_json
from .._core.tokens.claim_values import check_values, wanted
from .._core.tokens.verified import VerifiedToken, reported
from ..errors import (
    ConfigurationError,
    InsufficientScopeError,
    JWKSError,
    TokenError,
)
from .handling import note

__all__ = ["ClaimsRule", "Requirement", "claims_as"]

ClaimsRule: TypeAlias = Mapping[str, Any] | Callable[[VerifiedToken], object]

T = TypeVar("T")

_MUST_BE: Final = "must be strings without blanks, one for each scope"


class Requirement:
    """The requirements on a token.

    Arguments:
        scopes: the token must have all of these.
        any_of: the token must have at least one of these, if any are given.
        claims: exact JSON values by claim (a set means any one of its members); or a plain function
            of the `VerifiedToken` that returns True to accept it.
        provider: the name of the provider whose tokens are accepted; None: any provider.

    Raises ConfigurationError naming the setting.
    """

    __slots__ = ("_accepts", "_any_of", "_provider", "_scopes", "_wanted")

    def __init__(
        self,
        scopes: Collection[str] = (),
        *,
        any_of: Collection[str] = (),
        claims: ClaimsRule | None = None,
        provider: str | None = None,
    ) -> None:
        self._scopes = _checked_scopes("scopes", scopes)
        self._any_of = _checked_scopes("any_of", any_of)
        if not self._any_of and any_of != ():
            raise ConfigurationError(
                "any_of", f"{_MUST_BE}; an empty collection would accept no token"
            )
        if provider is not None and (not isinstance(provider, str) or not provider):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "provider", f"must be the name of a provider, got {provider!r}"
            )
        self._provider = provider
        by_value = claims if isinstance(claims, Mapping) else {}
        if not all(
            isinstance(name, str) and all(map(is_json, values_of(value)))  # pyright: ignore[reportUnnecessaryIsInstance]
            for name, value in by_value.items()
        ):
            raise ConfigurationError(
                "claims", "must be JSON values by claim, or sets of such values"
            )
        self._wanted = wanted(by_value)
        self._accepts = None if claims is None or isinstance(claims, Mapping) else claims
        if self._accepts is not None and (
            not callable(self._accepts) or is_coroutine_function(self._accepts)
        ):
            raise ConfigurationError("claims", "must be a mapping or a plain function of the token")

    @overload
    def check(self, token: VerifiedToken) -> VerifiedToken: ...
    @overload
    def check(self, token: VerifiedToken | None) -> VerifiedToken | None: ...
    def check(self, token: VerifiedToken | None) -> VerifiedToken | None:
        """Return the token if it meets the requirements; None for None if there are none.

        `Guard.read` decides whether a request may be anonymous. Raises the errors of `enforce`.
        """
        if token is None and self._requires_nothing:
            return None
        return self.enforce(token)

    @property
    def _requires_nothing(self) -> bool:
        named = self._scopes or self._any_of or self._wanted or self._provider
        return not named and self._accepts is None

    def enforce(self, token: VerifiedToken | None) -> VerifiedToken:
        """Return the token if there is one and it meets the requirements.

        Raises CredentialsError ``missing_credentials`` without a token; InsufficientScopeError
        ``insufficient_scope``, or ``insufficient_claims`` for other claims, another provider, or a
        function that raises or does not return True. A JWKSError that the function raises passes
        unchanged, because the application decides about the status.
        """
        if token is None:
            error = no_credentials()
            note(error)
            raise error
        if self._provider not in (None, token.provider):
            raise _insufficient(token, "another provider issued the token", expected=self._provider)
        if self._wanted:
            self._check_values(token)
        token.require(*self._scopes, any_of=self._any_of)
        if self._accepts is not None:
            self._ask(self._accepts, token)
        return token

    def _check_values(self, token: VerifiedToken) -> None:
        try:
            # Decoded again from the signed bytes: the application may have changed its copy.
            check_values(copy.copy(token).claims, self._wanted)
        except TokenError as error:
            refused = error
        else:
            return
        raise _insufficient(token, refused.message, claim=refused.claim, expected=refused.expected)

    @staticmethod
    def _ask(accepts: Callable[[VerifiedToken], object], token: VerifiedToken) -> None:
        try:
            verdict = accepts(token)
        except JWKSError as error:
            note(error)
            raise
        except Exception as error:
            raise _insufficient(token, "the handler's claims= raised") from error
        if verdict is not True:
            raise _insufficient(token, "the handler's claims= did not return True")


def claims_as(token: VerifiedToken, kind: type[T]) -> T:
    """Return a token's claims as the type that a handler requires.

    Raises InsufficientScopeError ``insufficient_claims`` if the claims do not fit the type.
    """
    try:
        return token.claims_as(kind)
    except TokenError as error:
        refused = error
    raise _insufficient(token, refused.message, claim=refused.claim, expected=refused.expected)


def _insufficient(
    token: VerifiedToken, message: str, *, claim: str | None = None, expected: object = None
) -> InsufficientScopeError:
    error = InsufficientScopeError(
        code="insufficient_claims", message=message, claim=claim, expected=expected
    )
    return reported(token, error)


def _checked_scopes(field: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        given = (given,)
    several: tuple[object, ...] = tuple(given) if isinstance(given, Collection) else (None,)
    checked = tuple(one for one in several if isinstance(one, str) and one.split() == [one])
    if len(checked) != len(several):
        raise ConfigurationError(field, f"{_MUST_BE}, got {given!r}")
    return checked
