"""Count which keys verify tokens, in a client with ``count_keys=True``.

Must not depend on: flights, how a token is verified. In other clients, nothing here runs. A counter
is a plain integer, so counting takes no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError

if TYPE_CHECKING:
    from .._core.keysets.jwk import KeySet
    from .._core.tokens.verified import TokenFacts
    from ..protocols import Clock

MOST_WITHDRAWN: Final = 16  # per provider

Counter: TypeAlias = "Callable[[TokenFacts], object]"
Begun: TypeAlias = VerifiedToken | Generator[Any, Any, VerifiedToken] | JWKSError
#: Begins a verification of a token, by the provider and the claim values that the caller gave.
Begin: TypeAlias = Callable[[object, str | None, Mapping[str, Any] | None], Begun]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """The use of one key.

    Attributes:
        kid: its key ID, or None.
        thumbprint: the SHA-256 thumbprint of its material (RFC 7638).
        verified: how many tokens it verified in this process; remembered tokens count too.
        last_used: when it last verified one, in seconds since the epoch; None if it never did.
        published: whether it is in the key set now. Withdrawn keys are listed while they are among
            the last 16 that a provider withdrew and that had verified a token.
    """

    kid: str | None
    thumbprint: str
    verified: int
    last_used: float | None
    published: bool


class _Count:
    """The uses of one key."""

    __slots__ = ("last_used", "verified")

    def __init__(self) -> None:
        self.verified = 0
        self.last_used = 0.0


class KeyUses:
    """The uses of all keys of a client.

    Arguments:
        clock: the client's clock.
        published: returns the current key set of each provider, by name; None if none is loaded.
    """

    def __init__(self, clock: Clock, published: Callable[[], Mapping[str, KeySet | None]]) -> None:
        self._clock = clock
        self._published = published
        self._counts: dict[str, dict[tuple[str | None, str], _Count]] = {}

    def count(self, facts: TokenFacts) -> None:
        """Count the key that verified a token."""
        key = facts.key
        if key is None:
            return
        counts = self._counts.get(facts.provider)
        found = None if counts is None else counts.get((key.kid, key.thumbprint))
        if found is None:
            found = self._new(facts.provider, (key.kid, key.thumbprint))
        found.verified += 1
        found.last_used = self._clock.time()

    def usage(self) -> dict[str, tuple[KeyUse, ...]]:
        """Return the uses of each provider's keys: the published keys, then withdrawn ones."""
        return {name: tuple(self._uses(name, keys)) for name, keys in self._published().items()}

    def _uses(self, name: str, keys: KeySet | None) -> Generator[KeyUse]:
        counts = dict(self._counts.get(name, {}))
        for key in keys or ():
            yield _use((key.kid, key.thumbprint), counts.pop((key.kid, key.thumbprint), None))
        # Of keys with equal times, the one that was counted first is the oldest.
        oldest_first = sorted(counts, key=lambda one: counts[one].last_used)
        for one in reversed(oldest_first[-MOST_WITHDRAWN:]):
            yield _use(one, counts[one], published=False)

    def _new(self, name: str, key: tuple[str | None, str]) -> _Count:
        """Add a key that verifies its first token; only valid tokens cause this."""
        published = self._published()
        for gone in self._counts.keys() - published.keys():  # tenants that were dropped
            self._counts.pop(gone, None)
        counts = self._counts.setdefault(name, {})
        there = {(one.kid, one.thumbprint) for one in published.get(name) or ()}
        known = dict(counts)  # another thread may drop a key concurrently
        withdrawn = [one for one in known if one not in there]
        withdrawn.sort(key=lambda one: known[one].last_used)
        for old in withdrawn[: max(len(withdrawn) - MOST_WITHDRAWN, 0)]:
            counts.pop(old, None)
        return counts.setdefault(key, _Count())


def _use(key: tuple[str | None, str], count: _Count | None, *, published: bool = True) -> KeyUse:
    kid, thumbprint = key
    return KeyUse(
        kid=kid,
        thumbprint=thumbprint,
        verified=0 if count is None else count.verified,
        last_used=None if count is None else count.last_used,
        published=published,
    )


def counted(begin: Begin, count: Counter) -> Begin:
    """Return a function like ``begin`` that counts each accepted token.

    Arguments:
        begin: begins a verification: returns the verified token, the rest of the verification as a
            generator, or an error.
        count: called with the facts of each verified token.
    """

    def begin_and_count(
        token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> Begun:
        begun = begin(token, provider, claim_values)
        if type(begun) is VerifiedToken:
            count(begun._facts)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (our own class)
            return begun
        return begun if isinstance(begun, JWKSError) else _rest(begun)

    def _rest(way: Generator[Any, Any, VerifiedToken]) -> Generator[Any, Any, VerifiedToken]:
        token = yield from way
        count(token._facts)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (our own class)
        return token

    return begin_and_count
