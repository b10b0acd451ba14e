"""How long an answer says that its keys may be kept, and how long the library keeps them.

Owns: telling silence from a life of no seconds. May not know: what is wrong with either. The
headers themselves are read by `_core.freshness`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from ... import CachePolicy
from ..._core.keysets.freshness import read_freshness

__all__ = ["life_of", "life_told"]

# The life that stands for silence: what headers say is in whole seconds.
_SILENCE: Final = 0.5
_ANY: Final = CachePolicy(ttl=_SILENCE, min_ttl=0, max_ttl=1e12)


def life_of(headers: Mapping[str, str], now: float) -> float:
    """The life that the library gives the keys by default, in seconds."""
    freshness = read_freshness(headers, CachePolicy(), math.floor(now), renewed=False)
    assert freshness is not None  # noqa: S101 (only a 304 gives none)
    return freshness.life


def life_told(headers: Mapping[str, str], now: float) -> float | None:
    """The life that the answer gives its keys, in seconds; None where it says nothing of it."""
    freshness = read_freshness(headers, _ANY, math.floor(now), renewed=False)
    return None if freshness is None or freshness.life == _SILENCE else freshness.life
