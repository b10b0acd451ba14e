"""The memo of verified tokens: these very bytes were verified before, by a key that is still valid.

Decides what is remembered of a verification and when it still counts. Must not depend on how
tokens are verified. A hit skips parsing and the signature, and nothing else: it counts only while
the key set is fresh and holds that very key, and only in the span of time in which every check
would give the same result again.
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

LONGEST: Final = 300.0  # seconds that an entry lives at most
MOST_HEADERS: Final = 64
MOST_BYTES: Final = 16 * 1024 * 1024
# A token of up to so many characters counts without a look at what is in it.
_SHORT: Final = 1024
# Bytes that a token of n characters takes: its text and its payload, and what is around them.
_PER_CHARACTER: Final = 2
_PER_ENTRY: Final = 2048
# Bytes that a scope or an audience takes, in its set or tuple.
_PER_WORD: Final = 160


class Holder(Protocol):
    """A source of the newest facts of a key set: a key set, or a tenant."""

    @property
    def held(self) -> bool:
        """Whether it still counts: a tenant may have been forgotten."""
        ...

    @property
    def due_at(self) -> float:
        """Monotonic seconds at which what is remembered of its tokens ends."""
        ...

    @property
    def cache(self) -> KeyCache:
        """The facts."""
        ...


class Remembered(NamedTuple):
    """One successful verification.

    Arguments:
        facts: what was proved.
        rules: of the provider that accepted it.
        holder: of the key set that holds the key.
        earlier: key sets of candidates that were asked before and refused for good, as they were.
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
        """Return whether a whole verification would give the same result at these two times."""
        # Unpacked at once: to read the fields of a named tuple one by one takes longer.
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
    """Return roughly how many bytes the facts of a token take."""
    size = len(facts.raw)
    if size <= _SHORT:
        return _PER_ENTRY + _PER_CHARACTER * size
    words = len(facts.scopes) + len(facts.audience)
    return _PER_ENTRY + _PER_CHARACTER * size + _PER_WORD * words


class Memo:
    """A map from tokens to what was proved of them, bounded in entries and in bytes.

    Not thread-safe in what changes it.

    Arguments:
        size: the most entries; 0 remembers nothing.

    Attributes:
        keeps_tokens: whether tokens are remembered at all.
    """

    __slots__ = ("_bytes", "_count", "_size", "entries", "headers", "keeps_tokens")

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = self._bytes = 0
        self.keeps_tokens = size > 0
        # Read without a lock; an entry counts only if it says so (`Remembered.counts`).
        self.entries: dict[Hashable, Remembered] = {}
        # Header segments as parsed, of tokens with a valid signature: no verdicts, and few.
        self.headers: dict[bytes, UnverifiedHeader] = {}

    def remember(self, key: Hashable, entry: Remembered) -> None:
        """Keep an entry; the oldest go for it. Only where it keeps tokens, under a lock."""
        entries = self.entries
        if key in entries:
            self._forget(key)  # so that it becomes the newest
        entries[key] = entry
        self._count += 1
        facts = entry.facts
        size = len(facts.raw)  # hot path: `weight` kept inline
        self._bytes += weight(facts) if size > _SHORT else _PER_ENTRY + _PER_CHARACTER * size
        while self._count > self._size or self._bytes > MOST_BYTES:
            # Several at once where there are many: to find its first entry a dict is walked from
            # its start, past the places of all that went before.
            for old in list(islice(entries, 1 + self._count // 64)):
                self._forget(old)

    def _forget(self, key: Hashable) -> None:
        self._bytes -= weight(self.entries.pop(key).facts)
        self._count -= 1

    def drop(self, unwanted: Callable[[Remembered], bool]) -> None:
        """Remove all entries of a kind. The caller holds a lock."""
        for key in [key for key, entry in self.entries.items() if unwanted(entry)]:
            self._forget(key)

    def remember_header(self, token: UnverifiedToken) -> None:
        """Keep how a verified token's header was parsed. The caller holds a lock."""
        if token.header_segment in self.headers:
            return
        while len(self.headers) >= MOST_HEADERS:
            del self.headers[next(iter(self.headers))]
        self.headers[token.header_segment] = token.header

    def __len__(self) -> int:
        return len(self.entries)
