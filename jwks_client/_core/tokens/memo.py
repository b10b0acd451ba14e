"""The verified-token memory: the very bytes were verified before, by a key that still stands.

Owns: what is remembered of a verification and when it still counts. May not know: how the
verification went. A hit skips the parse and the signature, and nothing else: it counts only while
the key set is fresh and holds that very key, and only in the span of time in which every check
would say the same again.
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


class Holder(Protocol):
    """Whoever holds the facts of a key set, at any moment the newest: a key set, or a tenant."""

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
    """One verification that held.

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
        """Whether it still says what the whole way would say, at these two times."""
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


class Memo:
    """A bounded map from tokens to what was proved of them. Not thread-safe in what changes it.

    Arguments:
        size: the most entries; 0 remembers nothing.

    Attributes:
        keeps_tokens: whether tokens are remembered at all.
    """

    __slots__ = ("_size", "entries", "headers", "keeps_tokens")

    def __init__(self, size: int) -> None:
        self._size = size
        self.keeps_tokens = size > 0
        # Read without a lock; an entry counts only if it says so (`Remembered.counts`).
        self.entries: dict[Hashable, Remembered] = {}
        # What header segments say, of tokens whose signature held: no verdict, and few.
        self.headers: dict[bytes, UnverifiedHeader] = {}

    def remember(self, key: Hashable, entry: Remembered) -> None:
        """Keep an entry; the oldest go for it. Only where it keeps tokens, under a lock."""
        entries = self.entries
        if key in entries:
            del entries[key]  # so that it becomes the newest
        entries[key] = entry
        if len(entries) > self._size:
            # Several at once where there are many: to find its first entry a dict is walked from
            # its start, past the places of all that went before.
            for old in list(islice(entries, 1 + self._size // 64)):
                del entries[old]

    def drop(self, unwanted: Callable[[Remembered], bool]) -> None:
        """Let go of all entries of a kind. The caller holds a lock."""
        for key in [key for key, entry in self.entries.items() if unwanted(entry)]:
            del self.entries[key]

    def remember_header(self, token: UnverifiedToken) -> None:
        """Keep how a verified token's header was read. The caller holds a lock."""
        if token.header_segment in self.headers:
            return
        while len(self.headers) >= MOST_HEADERS:
            del self.headers[next(iter(self.headers))]
        self.headers[token.header_segment] = token.header

    def __len__(self) -> int:
        return len(self.entries)
