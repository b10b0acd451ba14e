"""What a handler asks of a token, beyond that it is good: scopes, claims, a provider.

Owns: how that is said, checked when it is written, and judged. May not know: requests, frameworks,
clients. The decorator and every integration say it in the same words, and judge it here.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from .._core.json_values import any_of as values_of
from .._core.json_values import is_json
from .._core.tokens.claim_values import check_values, wanted
from .._core.tokens.verified import VerifiedToken
from ..errors import ConfigurationError, CredentialsError, JWKSError, TokenError

__all__ = ["ClaimsRule", "Requirement"]

ClaimsRule: TypeAlias = Mapping[str, Any] | Callable[[VerifiedToken], object]

_TAKES: Final = "takes scopes: strings, not empty and without blanks"


class Requirement:
    """What is asked.

    Arguments:
        scopes: all of them must be there.
        any_of: one of them must be there, unless it is empty.
        claims: exact JSON values by claim (a set means any one of its members); or a plain function
            of the `VerifiedToken` that returns True to accept it.
        provider: the name of the provider whose tokens are accepted; None: of any.

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
            raise ConfigurationError("any_of", f"{_TAKES}; none of them would let nobody in")
        if provider is not None and (not isinstance(provider, str) or not provider):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("provider", "takes the name of a provider")
        self._provider = provider
        by_value = claims if isinstance(claims, Mapping) else {}
        if not all(
            isinstance(name, str) and all(map(is_json, values_of(value)))  # pyright: ignore[reportUnnecessaryIsInstance]
            for name, value in by_value.items()
        ):
            raise ConfigurationError(
                "claims", "takes JSON values by claim, or a set of such values"
            )
        self._wanted = wanted(by_value)
        self._accepts = None if claims is None or isinstance(claims, Mapping) else claims
        if self._accepts is not None and (
            not callable(self._accepts) or inspect.iscoroutinefunction(self._accepts)
        ):
            raise ConfigurationError("claims", "takes a mapping, or a plain function of the token")

    def check(self, token: VerifiedToken | None) -> VerifiedToken:
        """Return the token if it is what is asked for.

        Raises CredentialsError ``missing_credentials`` without one; TokenError ``wrong_issuer`` for
        another provider's, ``missing_claim``, ``invalid_claim`` or ``rejected_by_check``;
        InsufficientScopeError. A JWKSError that the application's function raises passes as it is.
        """
        if token is None:
            raise CredentialsError("missing_credentials", "the request carries no credentials")
        if self._provider not in (None, token.provider):
            raise TokenError(
                "wrong_issuer", "it is another provider's token", expected=self._provider
            )
        if self._wanted:
            # Read anew from the signed bytes: this token's own are the application's to change.
            check_values(copy.copy(token).claims, self._wanted)
        token.require(*self._scopes, any_of=self._any_of)
        if self._accepts is not None:
            self._ask(self._accepts, token)
        return token

    @staticmethod
    def _ask(accepts: Callable[[VerifiedToken], object], token: VerifiedToken) -> None:
        try:
            verdict = accepts(token)
        except JWKSError:
            raise
        except Exception as error:
            raise TokenError("rejected_by_check", "the handler's claims= raised") from error
        if verdict is not True:
            raise TokenError("rejected_by_check", "the handler's claims= did not return True")


def _checked_scopes(field: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        given = (given,)
    several: tuple[object, ...] = tuple(given) if isinstance(given, Collection) else (None,)
    checked = tuple(one for one in several if isinstance(one, str) and one.split() == [one])
    if len(checked) != len(several):
        raise ConfigurationError(field, _TAKES)
    return checked
