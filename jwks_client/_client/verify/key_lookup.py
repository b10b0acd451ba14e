"""Look up and fetch keys without a verification, as generators.

Like a verification, they yield each flight to wait for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, assert_never

from ..._core.keysets.cache import Budget, Fetch, Need, Refuse, Use
from ..._core.keysets.jwk import Found, Key, KeySet, Missing, Unusable
from ...errors import KeysUnavailableError, TokenError
from ..keysets.flight import MOST_ROUNDS, Flight
from ..keysets.flights import Flights, Wait
from ..keysets.source import KeySource
from .waiting import Want, attend

if TYPE_CHECKING:
    from ..._core.tokens.claims import Rules
    from ...events import Reason


def signing_key(
    flights: Flights, rules: Rules, source: KeySource, kid: str | None, algorithms: tuple[str, ...]
) -> Generator[Want, object, Key]:
    """Return the only key for a kid that fits one of the algorithms, as `verify` selects it.

    Raises TokenError ``unknown_key``, ``ambiguous_key`` or ``algorithm_not_allowed``;
    KeysUnavailableError.
    """
    seen = source.begun
    vanished = False
    for rounds in range(MOST_ROUNDS + 1):
        is_last = rounds == MOST_ROUNDS  # all flights so far have vanished
        last = source.last_flight
        need = _need(source, kid, algorithms)
        decision = source.look_up(need, in_flight=not is_last and last.in_progress, seen=seen)
        match decision:
            case Use():
                try:  # chosen before `attend` starts a flight, which may land before this returns
                    return _choose(source, kid, algorithms)
                finally:
                    attend(flights, rules.name, source, decision)
            case Refuse():
                raise _refusal(source, kid, decision, seen)
            case Fetch():
                if is_last:
                    break
                name, budget = rules.name, decision.budget
                recorded = yield from flights.flown(
                    name, source, last, budget, kid=kid, need=need, alone=vanished
                )
                vanished = not recorded
            case _:
                assert_never(decision)
    raise source.unavailable()


def is_cached(source: KeySource, kid: str | None, algorithm: str) -> bool:
    """Return whether a fitting key is usable without a fetch."""
    decision = source.look_up(Need(kid, algorithm), in_flight=False, seen=source.begun)
    return isinstance(decision, Use) and isinstance(decision.selection, Found)


def _need(source: KeySource, kid: str | None, algorithms: tuple[str, ...]) -> Need:
    """Return what to look up: the first algorithm for which the set has a key with that kid."""
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
    assert key_set is not None  # noqa: S101 (a lookup has found the set, and a set is never removed)
    selections = [key_set.select(kid, algorithm) for algorithm in algorithms]
    found = {id(key): key for one in selections if isinstance(one, Found) for key in one.keys}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise TokenError("ambiguous_key", "several keys fit; name one by kid or alg")
    if all(isinstance(one, Missing) for one in selections):  # a flight landed since the look-up
        raise TokenError("unknown_key", "the provider publishes no such key")
    if any(isinstance(one, Unusable) for one in selections):
        raise TokenError("unknown_key", "the key with that kid is unusable")
    raise TokenError("algorithm_not_allowed", "the key with that kid fits none of the algorithms")


def loaded(flights: Flights, name: str, source: KeySource) -> Generator[Want, object, KeySet]:
    """Return the cached key set, fetched if there is none. Raises KeysUnavailableError."""
    vanished = False
    for _ in range(MOST_ROUNDS):
        last, cache = source.last_flight, source.cache
        if cache.key_set is not None:
            break
        if cache.in_backoff(flights.clock.monotonic()) and not last.in_progress:
            break
        recorded = yield from flights.flown(name, source, last, Budget.ROUTINE, alone=vanished)
        vanished = not recorded
    key_set = source.cache.key_set
    if key_set is None:
        raise source.unavailable()
    return key_set


def fetched(
    flights: Flights, sources: Iterable[KeySource], *, manual: bool, until: float = math.inf
) -> Generator[Want, object]:
    """Fetch key sets concurrently, regardless of budgets and backoff; wait for the listeners too.

    Arguments:
        flights: the client's flights.
        sources: the key sets.
        manual: whether the caller requested a fetch, rather than keys.
        until: when the caller stops waiting, by the system's monotonic clock.

    Raises KeysUnavailableError: the failure of the first key set in the order given, or
    ``fetch_timeout`` if there was not enough time.
    """

    def board(source: KeySource, *, alone: bool = False) -> Flight:
        reason: Reason | None = "manual" if manual else None
        last = source.last_flight
        return flights.board(source, last, Budget.ROUTINE, reason=reason, alone=alone).flight

    failure: KeysUnavailableError | None = None
    for source, first in [(source, board(source)) for source in sources]:
        flight = first
        for _ in range(MOST_ROUNDS):
            yield Wait(flight, until - time.monotonic())
            if not flight.landed.is_open and time.monotonic() >= until:
                raise KeysUnavailableError("fetch_timeout", "not all key sets were loaded in time")
            landed = source.cache.newest >= flight.number
            # If a refresh joined a flight that landed a stored record, it still asks the provider.
            if landed and not (manual and source.cache.from_store):
                break
            flight = board(source, alone=True)  # raises on a closed client
        if flight.recorded:  # a lost flight may never be over
            yield Wait(flight, until - time.monotonic(), over=True)
        cache = source.cache
        if cache.newest < flight.number or cache.failure is not None:
            failure = failure or source.unavailable()
    if failure is not None:
        raise failure
