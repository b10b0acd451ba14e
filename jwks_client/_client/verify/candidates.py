"""One verification from candidates to verdict.

Owns: the order in which candidates, fetches and checks come, and what may be remembered. May not
know: threads, tasks, how a flight flies.

First every candidate judges the token with the keys at hand. Only if no signature held do the
candidates whose set lacks the key fetch, one after the other, and only for a token that its own
header, issuer and expiry do not condemn already. `steps` is a generator which both shells drive: it
yields what must be waited for (a `Flight`, or an awaitable that one of the application's own checks
returned) and is resumed when that has ended.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..._core.issuers.routes import verdict
from ..._core.tokens.unverified import UnverifiedToken
from ..._core.tokens.verified import TokenFacts, VerifiedToken
from ...errors import JWKSError
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .attempt import Attempt
from .checks import run_checks
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.tokens.claim_values import Wanted
    from ..._core.tokens.claims import Rules
    from ..issuers.directory import Candidates

Way: TypeAlias = Generator[Want, object, VerifiedToken]


class Accepted(NamedTuple):
    """What was proved of a token and by whom, and the attempts before that, which refused it."""

    facts: TokenFacts
    rules: Rules
    source: KeySource
    earlier: list[Attempt]


def steps(
    flights: Flights,
    token: UnverifiedToken,
    candidates: Candidates,
    more: Wanted,
    attempts: list[Attempt],
) -> Generator[Want, object, Accepted | JWKSError]:
    """Go the whole way.

    Arguments:
        flights: the client's.
        token: as it was parsed.
        candidates: the providers to ask, in order.
        more: claim values that this call asks for.
        attempts: of the first candidates, which were judged at hand already.

    Returns what was accepted, or the error that counts.
    """
    for place, (rules, source) in enumerate(candidates.pairs):
        if place == len(attempts):
            attempt = Attempt(flights, token, rules, source, more)
            attempt.look_up()
            attempts.append(attempt)
        if (yield from _holds(attempts[place])):
            return _accepted(attempts[place], attempts[:place])
    if not any(attempt.held for attempt in attempts):
        for place, attempt in enumerate(attempts):
            if attempt.retry is None:
                continue
            yield from attempt.retry()
            if (yield from _holds(attempt)):
                return _accepted(attempt, attempts[:place])
    errors = [(attempt.held, attempt.error) for attempt in attempts]
    if candidates.refusal is not None:
        errors.insert(0, (False, candidates.refusal))
    return verdict(
        (error for held, error in errors if held and error is not None),
        (error for held, error in errors if not held and error is not None),
    )


def _accepted(attempt: Attempt, earlier: list[Attempt]) -> Accepted:
    assert attempt.facts is not None  # noqa: S101 (it holds)
    return Accepted(attempt.facts, attempt.rules, attempt.source, earlier)


def _holds(attempt: Attempt) -> Generator[Want, object, bool]:
    """Whether signature and claims held, and the application's own checks accept."""
    if attempt.facts is None or not attempt.rules.checks:
        return attempt.facts is not None
    refusal = yield from run_checks(attempt.rules, VerifiedToken(attempt.facts), attempt.asked)
    if refusal is not None:
        attempt.facts, attempt.error = None, refusal
    return refusal is None


# Refusals that hold whatever the clock says, as long as the key sets stay: what a later candidate
# accepted may be remembered behind them.
_LASTING_REFUSALS = frozenset(
    {
        "algorithm_not_allowed",
        "wrong_token_type",
        "wrong_issuer",
        "wrong_audience",
        "missing_claim",
        "invalid_claim",
        "forbidden_claim",
    }
)


def is_lasting(refused: Attempt) -> bool:
    """Whether a candidate would refuse the token again, whatever the clock says."""
    if refused.rules.asks_the_application:  # which may change its mind, and names any code it likes
        return False
    return refused.error is not None and refused.error.code in _LASTING_REFUSALS
