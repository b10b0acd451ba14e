"""What one call of `verify` is about: the token, what the call asks for, and the candidates."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ..._core.tokens.claim_values import Wanted
    from ..._core.tokens.unverified import UnverifiedToken
    from ..issuers.directory import Candidates, Pin


class Options(NamedTuple):
    """What one call asks for beside the token.

    Arguments:
        pin: the one provider to ask; None where the token's issuer decides.
        claim_values: claims that must have exactly these values.
        key: the arguments of the call, as a part of the memo's key.
    """

    pin: Pin | None
    claim_values: Wanted
    key: Hashable


PLAIN: Final = Options(None, (), None)

# One verification: the parsed token, what the call asks for beside it, the providers to ask in
# order, and when it began to look at them (monotonic seconds). Each token makes one, so it is a
# plain tuple: a named one would cost a call.
Verification: TypeAlias = "tuple[UnverifiedToken, Options, Candidates, float]"
