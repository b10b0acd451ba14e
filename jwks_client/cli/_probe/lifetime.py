"""How long the library keeps a key set by default, given the headers of the response."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ... import CachePolicy
from ..._core.keysets import freshness

__all__ = ["cache_lifetime", "stated_lifetime"]


def cache_lifetime(headers: Mapping[str, str], now: float) -> float:
    """Return the lifetime in seconds that the library gives the keys by default."""
    read = freshness.read_freshness(headers, CachePolicy(), math.floor(now), renewed=False)
    assert read is not None  # noqa: S101 (only a 304 gives None)
    return read.lifetime


def stated_lifetime(headers: Mapping[str, str], now: float) -> float | None:
    """Return the lifetime in seconds that the response states; None if it states none."""
    return freshness.stated_lifetime(headers, math.floor(now))
