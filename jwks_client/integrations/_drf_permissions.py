"""`HasScopes`: a permission for Django REST framework that checks requirements on the token.

Must not depend on: settings, clients, how refusals are answered.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.permissions import BasePermission

from .._core.tokens.verified import VerifiedToken
from .._web.requirement import ClaimsRule, Requirement
from ..errors import JWKSError

if TYPE_CHECKING:
    from rest_framework.exceptions import PermissionDenied

__all__ = ["HasScopes", "refusal_of"]

_REFUSAL = "jwks_client.refusal"


def HasScopes(  # noqa: N802 (used like a permission class)
    *scopes: str,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
) -> type[BasePermission]:
    """Return a permission class that checks requirements on the token.

    Arguments:
        scopes: the token must have all of these.
        any_of: the token must have at least one of these.
        claims: exact JSON values by claim, or a plain function of the `VerifiedToken`.
        provider: the name of the provider whose tokens are accepted.

    Raises ConfigurationError naming the setting.
    """
    required = Requirement(scopes, any_of=any_of, claims=claims, provider=provider)

    class HasScopes(_HasScopes):
        requirement = required

    return HasScopes


class _HasScopes(BasePermission):  # type: ignore[misc,unused-ignore]
    requirement: ClassVar[Requirement]
    message: str | None = None
    code: str | None = None

    def has_permission(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        request: Any,
        view: Any,  # noqa: ARG002 (the framework's signature)
    ) -> bool:
        """Return whether the token meets the requirements."""
        if not isinstance(request.auth, VerifiedToken):
            return False
        try:
            self.requirement.enforce(request.auth)
        except JWKSError as error:
            # Not raised, because another permission may suffice: HasScopes("a") | IsAdminUser.
            request._request.META[_REFUSAL] = error  # noqa: SLF001 (Django's own request)
            self.message, self.code = "The token does not meet the requirements.", error.code
            return False
        return True


def refusal_of(denied: PermissionDenied, request: Any) -> JWKSError | None:
    """Return the refusal for which `HasScopes` denied a request; None if another permission did."""
    noted: JWKSError | None = request.META.get(_REFUSAL)
    return noted if noted is not None and denied.get_codes() == noted.code else None
