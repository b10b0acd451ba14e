"""The verified-token memory: the very bytes were verified before, by a key that still stands.

Owns: what is remembered of a verification and when it still counts. May not know: how the
verification went. A hit skips the parse and the signature, and nothing else: it counts only while
the key set is fresh and holds that very key, and only in the span of time in which every check
would say the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from .jwk import Key, KeySet
from .token import TokenFacts

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .cache import KeyCache
    from .claims import Rules

LONGEST: Final = 300.0  # seconds that an entry lives at most


class Holder(Protocol):
    """Whoever holds the facts of a key set, at any moment the newest."""

    @property
    def cache(self) -> KeyCache:
        """The facts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One verification that held.

    Arguments:
        facts: what was proved.
        rules: of the provider that accepted it.
        holder: of the key set that holds the key.
        key: that verified it.
        earlier: key sets of candidates that were asked before and refused for good, as they were.
        earliest, latest: seconds since the epoch between which the verdict stays the same.
        until: monotonic seconds at which the entry ends.
    """

    facts: TokenFacts
    rules: Rules
    holder: Holder
    key: Key
    earlier: tuple[tuple[Holder, KeySet | None], ...]
    earliest: float
    latest: float
    until: float

    def counts(self, wall: float, now: float) -> bool:
        """Whether it still says what the whole way would say, at these two times."""
        if not self.earliest <= wall < self.latest or now >= self.until:
            return False
        cache = self.holder.cache
        if now >= cache.fresh_until or cache.key_set is None or self.key not in cache.key_set:
            return False
        return all(
            holder.cache.key_set is key_set and now < holder.cache.fresh_until
            for holder, key_set in self.earlier
        )


class Memo:
    """A bounded map from tokens to what was proved of them. Not thread-safe in `remember`.

    Arguments:
        size: the most entries; 0 remembers nothing.
    """

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[Hashable, Remembered] = {}

    def recall(self, key: Hashable, wall: float, now: float) -> Remembered | None:
        """What is remembered and still counts, or None. Reads take no lock and write nothing."""
        found = self._entries.get(key)
        return found if found is not None and found.counts(wall, now) else None

    def remember(self, key: Hashable, entry: Remembered) -> None:
        """Keep an entry; the oldest goes when there is no room. The caller holds a lock."""
        if self._size == 0:
            return
        self._entries.pop(key, None)
        while len(self._entries) >= self._size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry

    def __len__(self) -> int:
        return len(self._entries)
