"""Keys asked for by hand: `get_signing_key` and `keys`, as generators that both shells drive.

Owns: how a key is found without a token being verified. May not know: how a flight flies. Like a
verification, it yields the flights to wait for.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, assert_never

from ..._core.keysets.cache import Budget, Fetch, Need, Refuse, Use
from ..._core.keysets.jwk import Found, Key, KeySet, Missing, Unusable
from ...errors import KeysUnavailableError, TokenError
from ..keysets.flight import MOST_ROUNDS
from ..keysets.source import KeySource
from .shell import Shell, Want, attend

if TYPE_CHECKING:
    from ..._core.tokens.claims import Rules

_ANY = Need(None, "")


def signing_key(
    shell: Shell, rules: Rules, source: KeySource, kid: str | None, algorithms: tuple[str, ...]
) -> Generator[Want, object, Key]:
    """The one key for a kid that fits one of the algorithms, as `verify` would find it.

    Raises TokenError ``unknown_key``, ``ambiguous_key`` or ``algorithm_not_allowed``;
    KeysUnavailableError.
    """
    seen = source.begun
    for rounds in range(MOST_ROUNDS + 1):
        is_last = rounds == MOST_ROUNDS  # its flights vanished (cancelled, loop closed)
        in_air = not is_last and shell.flight_of(source) is not None
        need = _need(source, kid, algorithms)
        decision = source.look_up(need, in_air=in_air, seen=seen)
        match decision:
            case Use():
                try:  # chosen first: what is fetched behind it may land before this goes on
                    return _choose(source, kid, algorithms)
                finally:
                    attend(shell, rules.name, source, decision)
            case Refuse():
                raise _refusal(source, kid, decision, seen)
            case Fetch():
                if is_last:
                    break
                flight = shell.begin_flight(source, decision.budget, need, seen)
                if flight is not None:
                    yield flight
            case _:
                assert_never(decision)
    raise source.unavailable()


def is_at_hand(source: KeySource, kid: str | None, algorithm: str) -> bool:
    """Whether a key for it can be had without a fetch."""
    decision = source.look_up(Need(kid, algorithm), in_air=False, seen=source.begun)
    return isinstance(decision, Use) and isinstance(decision.selection, Found)


def _need(source: KeySource, kid: str | None, algorithms: tuple[str, ...]) -> Need:
    """What is looked up: the first algorithm for which the set has anything to say."""
    key_set = source.cache.key_set
    if key_set is not None:
        for one in algorithms:
            if not isinstance(key_set.select(kid, one), Missing):
                return Need(kid, one)
    return Need(kid, algorithms[0])


def _refusal(
    source: KeySource, kid: str | None, refuse: Refuse, seen: int
) -> TokenError | KeysUnavailableError:
    if not refuse.known:
        return source.unavailable()
    source.note_absent(kid, seen)
    return TokenError("unknown_key", "the provider publishes no such key")


def _choose(source: KeySource, kid: str | None, algorithms: tuple[str, ...]) -> Key:
    key_set = source.cache.key_set
    assert key_set is not None  # noqa: S101 (it was looked up just now, and a set is never lost)
    selections = [key_set.select(kid, algorithm) for algorithm in algorithms]
    found = {id(key): key for one in selections if isinstance(one, Found) for key in one.keys}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise TokenError("ambiguous_key", "several keys fit; name one by kid or alg")
    if all(isinstance(one, Missing) for one in selections):  # a flight landed since the look-up
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
