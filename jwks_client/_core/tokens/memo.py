"""The memo of verified tokens, which saves work if the same bytes come again.

It decides what to remember of a verification, and when an entry still counts. Must not depend on:
how tokens are verified. A hit skips parsing and the signature, and nothing else. It only counts
while the key set is fresh and contains the same key, and while every check would give the same
result.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ..keysets.jwk import KeySet
from .unverified import UnverifiedHeader, UnverifiedToken
from .verified import TokenFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..keysets.cache import KeyCache
    from .claims import Rules

LONGEST: Final = 300.0  # maximum lifetime of an entry, in seconds
MOST_HEADERS: Final = 64
MOST_BYTES: Final = 16 * 1024 * 1024
# Tokens of up to this many characters have a flat weight per character.
_SHORT: Final = 1024
# Bytes per character of a token (its text and payload), and per entry.
_PER_CHARACTER: Final = 2
_PER_ENTRY: Final = 2048
# Bytes per scope or audience, in its set or tuple.
_PER_WORD: Final = 160


class Holder(Protocol):
    """A source of the latest facts about a key set: a key set, or a tenant."""

    @property
    def held(self) -> bool:
        """Whether the source is still in use; a tenant may have been forgotten."""
        ...

    @property
    def due_at(self) -> float:
        """Monotonic seconds until which remembered tokens of this source count."""
        ...

    @property
    def cache(self) -> KeyCache:
        """The facts."""
        ...


class Remembered(NamedTuple):
    """One successful verification.

    Arguments:
        facts: the verified facts of the token.
        rules: the rules of the provider that accepted it.
        holder: the source of the key set that contains the key.
        earlier: the key sets of candidates that refused the token before, as they were then.
        earliest, latest: seconds since the epoch between which the verdict stays the same.
        until: monotonic seconds at which the entry ends.
    """

    facts: TokenFacts
    rules: Rules
    holder: Holder
    earlier: tuple[tuple[Holder, KeySet | None], ...]
    earliest: float
    latest: float
    until: float

    def counts(self, wall: float, now: float) -> bool:
        """Return whether a full verification would give the same result at these two times."""
        # Hot path: unpacking is faster than reading a named tuple's fields.
        facts, _, holder, earlier, earliest, latest, until = self
        if not earliest <= wall < latest or now >= until:
            return False
        cache = holder.cache
        newest = cache.key_set
        if now >= cache.fresh_until or newest is None:
            return False
        if facts.key not in newest:
            return False
        return not earlier or all(
            one.cache.key_set is before and now < one.cache.fresh_until for one, before in earlier
        )


def weight(facts: TokenFacts) -> int:
    """Return the approximate memory that a token's facts use, in bytes."""
    size = len(facts.raw)
    if size <= _SHORT:
        return _PER_ENTRY + _PER_CHARACTER * size
    words = len(facts.scopes) + len(facts.audience)
    return _PER_ENTRY + _PER_CHARACTER * size + _PER_WORD * words


class Memo:
    """A map from tokens to verified facts, limited in entries and bytes.

    Methods that change it are not thread-safe.

    Arguments:
        size: maximum number of entries; 0 remembers nothing.

    Attributes:
        keeps_tokens: whether tokens are remembered at all.
    """

    __slots__ = ("_bytes", "_count", "_size", "entries", "headers", "keeps_tokens")

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = self._bytes = 0
        self.keeps_tokens = size > 0
        # Read without a lock; `Remembered.counts` decides whether an entry is usable.
        self.entries: dict[Hashable, Remembered] = {}
        # Parsed header segments of tokens with a valid signature; no verdicts.
        self.headers: dict[bytes, UnverifiedHeader] = {}

    def remember(self, key: Hashable, entry: Remembered) -> None:
        """Add an entry and drop the oldest if the memo is full. The caller holds a lock."""
        entries = self.entries
        if key in entries:
            self._forget(key)  # becomes the newest
        entries[key] = entry
        self._count += 1
        facts = entry.facts
        size = len(facts.raw)  # hot path: `weight` kept inline
        self._bytes += weight(facts) if size > _SHORT else _PER_ENTRY + _PER_CHARACTER * size
        while self._count > self._size or self._bytes > MOST_BYTES:
            # Drop several at once: to find its first entry, a dict skips the slots of all entries
            # that were deleted before.
            for old in list(islice(entries, 1 + self._count // 64)):
                self._forget(old)

    def _forget(self, key: Hashable) -> None:
        self._bytes -= weight(self.entries.pop(key).facts)
        self._count -= 1

    def drop(self, unwanted: Callable[[Remembered], bool]) -> None:
        """Remove all entries that match. The caller holds a lock."""
        for key in [key for key, entry in self.entries.items() if unwanted(entry)]:
            self._forget(key)

    def remember_header(self, token: UnverifiedToken) -> None:
        """Keep the parsed header of a verified token. The caller holds a lock."""
        if token.header_segment in self.headers:
            return
        while len(self.headers) >= MOST_HEADERS:
            del self.headers[next(iter(self.headers))]
        self.headers[token.header_segment] = token.header

    def __len__(self) -> int:
        return len(self.entries)
