"""The input of one verification: the token, the options of the call, and the candidates."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ..._core.tokens.claim_values import Wanted
    from ..._core.tokens.unverified import UnverifiedToken
    from ..issuers.directory import Candidates, Pin


class Options(NamedTuple):
    """The options of one call.

    Arguments:
        pin: the only provider to try; None if the token's issuer decides.
        claim_values: claims that must have exactly these values.
        key: the options as a part of the memo's key.
    """

    pin: Pin | None
    claim_values: Wanted
    key: Hashable


PLAIN: Final = Options(None, (), None)

# One verification: the parsed token, the options, the candidates in order, and when it began
# (monotonic seconds). A plain tuple, because each token makes one, and a named tuple costs a call.
Verification: TypeAlias = "tuple[UnverifiedToken, Options, Candidates, float]"
