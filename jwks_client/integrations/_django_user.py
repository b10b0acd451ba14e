"""`TokenUser`: the user of a verified token, in the shape of Django's user objects.

Must not depend on: requests, the site's database.
"""

from __future__ import annotations

import hashlib

from .._core.tokens.verified import VerifiedToken

__all__ = ["TokenUser"]


class TokenUser:
    """The user of a token: authenticated, in no database, neither staff nor superuser.

    Arguments:
        token: the verified token.
        is_staff: whether the user passes ``IsAdminUser``.

    Attributes:
        pk: a string that is unique for each issuer and subject, so that throttles distinguish
            callers. For a token without a subject it is derived from the client instead.
        username: the subject.
    """

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_superuser = False

    def __init__(self, token: VerifiedToken, *, is_staff: bool = False) -> None:
        self.token = token
        self.is_staff = is_staff

    @property
    def pk(self) -> str:
        """Return the identity of the caller, as an opaque string."""
        claims = self.token.claims
        caller = self.token.subject or claims.get("client_id") or claims.get("azp")
        named = repr((self.token.provider, self.token.issuer, caller))
        return hashlib.sha256(named.encode("utf-8", "backslashreplace")).hexdigest()[:40]

    id = pk

    @property
    def username(self) -> str:
        """Return the subject, or an empty string."""
        return self.token.subject or ""

    def get_username(self) -> str:
        """Return the subject."""
        return self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 (Django's signature)
        """Return False, because a token contains no database permissions."""
        return False

    def has_perms(self, perm_list: object, obj: object = None) -> bool:  # noqa: ARG002 (as has_perm)
        """Return False, like `has_perm`."""
        return False

    def has_module_perms(self, package_name: str) -> bool:  # noqa: ARG002 (as has_perm)
        """Return False, like `has_perm`."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.username
