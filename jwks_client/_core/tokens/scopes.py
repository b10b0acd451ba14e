"""Read the scopes of a token, from the usual claims or from the provider's own scope claim.

Must not depend on: keys, caches, clocks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, cast

from ...errors import TokenError
from ..provider import ScopeClaim
from .claim_values import strings_of, words_of


def scopes_in(name: str, value: object) -> frozenset[str]:
    """Return the scopes in a claim: the words of a string, or a list of strings."""
    if type(value) is str:
        return words_of(value)
    several = strings_of(value)
    if several is not None:
        return frozenset(several) - {""}
    if name == "scope" and value is not None:
        # RFC 8693, section 4.2 defines the type of `scope`; vendors define the other claims.
        raise TokenError(
            "invalid_claim", f"{name!r} is neither a string nor a list of strings", claim=name
        )
    return frozenset()


def own_scopes(own: ScopeClaim, claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes that a provider's ``scope_claim`` finds: a name, several, or a callable."""
    if not callable(own):
        names = (own,) if isinstance(own, str) else own
        present = next((name for name in names if name in claims), None)
        return frozenset() if present is None else scopes_in(present, claims[present])
    try:
        found: object = own(copy.deepcopy(claims))
        if found is None or isinstance(found, str):
            return words_of(found or "")
        scopes = frozenset(cast("Iterable[object]", found))
        if all(isinstance(one, str) for one in scopes):
            return cast("frozenset[str]", scopes) - {""}
    except Exception as error:
        raise TokenError("rejected_by_check", "the scope_claim callable raised") from error
    raise TokenError("rejected_by_check", "the scope_claim callable did not return strings")
