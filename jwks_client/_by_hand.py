"""Keys asked for by hand: `get_signing_key` and `keys`, as generators that both shells drive.

Owns: how a key is found without a token being verified. May not know: how a flight flies. Like a
verification, it yields the flights to wait for.
"""

from __future__ import annotations

from collections.abc import Generator

from ._attempt import Shell, Want
from ._core.cache import Budget, Fetch, Need
from ._core.jwk import Found, Key, KeySet, Missing, Unusable
from ._source import MOST_ROUNDS, KeySource
from .errors import KeysUnavailableError, TokenError

_ANY = Need(None, "")


def signing_key(
    shell: Shell, source: KeySource, kid: str | None, algorithms: tuple[str, ...]
) -> Generator[Want, object, Key]:
    """The one key for a kid that fits one of the algorithms, fetched if need be.

    Raises TokenError ``unknown_key``, ``ambiguous_key`` or ``algorithm_not_allowed``;
    KeysUnavailableError.
    """
    seen = source.begun
    need = Need(kid, algorithms[0])
    for _ in range(MOST_ROUNDS):
        decision = source.look_up(need, in_air=shell.flight_of(source) is not None, seen=seen)
        if not isinstance(decision, Fetch):
            break
        flight = shell.begin_flight(source, decision.budget, need, seen)
        if flight is not None:
            yield flight
    if isinstance(source.look_up(need, in_air=False, seen=seen), Fetch):
        raise source.unavailable()
    return _choose(source, kid, algorithms, seen)


def _choose(source: KeySource, kid: str | None, algorithms: tuple[str, ...], seen: int) -> Key:
    key_set = source.cache.key_set
    if key_set is None:
        raise source.unavailable()
    selections = [key_set.select(kid, algorithm) for algorithm in algorithms]
    found = {id(key): key for one in selections if isinstance(one, Found) for key in one.keys}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise TokenError("ambiguous_key", "several keys fit; name one by kid or alg")
    if all(isinstance(one, Missing) for one in selections):
        if source.cache.failure is not None:
            raise source.unavailable()
        if kid is not None and source.came_since(seen):
            source.note_absent(kid)
        raise TokenError("unknown_key", "the provider publishes no such key")
    if any(isinstance(one, Unusable) for one in selections):
        raise TokenError("unknown_key", "the key of that kid is unusable")
    raise TokenError("algorithm_not_allowed", "the key of that kid fits none of the algorithms")


def loaded(shell: Shell, source: KeySource) -> Generator[Want, object, KeySet]:
    """The key set as cached, fetched if there is none. Raises KeysUnavailableError."""
    for _ in range(MOST_ROUNDS):
        if source.cache.key_set is not None:
            break
        flight = shell.begin_flight(source, Budget.ROUTINE, _ANY, source.begun)
        if flight is None:
            break
        yield flight
    key_set = source.cache.key_set
    if key_set is None:
        raise source.unavailable()
    return key_set


def first_failure(flights: list[tuple[KeySource, int]]) -> KeysUnavailableError | None:
    """The failure of the first of these flights that brought nothing, or None."""
    for source, number in flights:
        if source.cache.newest < number or source.cache.failure is not None:
            return source.unavailable()
    return None
