"""Verify a token for its candidates, and choose the verdict.

First every candidate checks the token with its cached keys. If no signature was valid, the
candidates whose set lacks the key fetch, one after the other, unless the token's header, issuer or
expiry already rules it out. `steps` is a generator: it yields what to wait for (a flight, or an
awaitable that a custom check returned) and is resumed afterwards. Must not depend on threads,
tasks, or what carries a flight.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..._core.issuers.routes import verdict
from ..._core.tokens.verified import TokenFacts, VerifiedToken
from ...errors import JWKSError
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .attempt import Attempt
from .checks import run_checks
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.tokens.claims import Rules
    from .case import Verification

Verifying: TypeAlias = Generator[Want, object, VerifiedToken]


class Accepted(NamedTuple):
    """The facts that a provider verified, and the earlier attempts, which refused the token."""

    facts: TokenFacts
    rules: Rules
    source: KeySource
    earlier: list[Attempt]


def steps(
    flights: Flights, case: Verification, attempts: list[Attempt]
) -> Generator[Want, object, Accepted | JWKSError]:
    """Try the candidates in order; return the accepted token, or the error to raise.

    Arguments:
        flights: the client's flights.
        case: the verification.
        attempts: the attempts of the first candidates, which have tried their cached keys.
    """
    _, _, candidates, _ = case
    for place, (rules, source) in enumerate(candidates.pairs):
        if place == len(attempts):
            attempt = Attempt(flights, case, rules, source)
            attempt.look_up()
            attempts.append(attempt)
        accepted = yield from _accepted(attempts, place)
        if accepted is not None:
            return accepted
    if not any(attempt.is_signed for attempt in attempts):
        for place, attempt in enumerate(attempts):
            if attempt.retry is None:
                continue
            yield from attempt.retry()
            accepted = yield from _accepted(attempts, place)
            if accepted is not None:
                return accepted
    return _refusal(candidates.refusal, attempts)


def _refusal(of_resolver: JWKSError | None, attempts: list[Attempt]) -> JWKSError:
    """Return the error to raise, which names the provider that decided."""
    signed: list[JWKSError] = []
    others = [] if of_resolver is None else [of_resolver]
    for attempt in attempts:
        if attempt.error is not None:
            attempt.error.provider = attempt.rules.name
            (signed if attempt.is_signed else others).append(attempt.error)
    return verdict(signed, others)


def _accepted(attempts: list[Attempt], place: int) -> Generator[Want, object, Accepted | None]:
    """Return the accepted token if signature and claims are valid, and the custom checks accept."""
    attempt = attempts[place]
    facts = attempt.facts
    if facts is None:
        return None
    refusal = yield from run_checks(attempt.rules, VerifiedToken(facts), attempt.asked)
    if refusal is not None:
        attempt.facts, attempt.error = None, refusal
        return None
    return Accepted(facts, attempt.rules, attempt.source, attempts[:place])


# Refusals that depend on the key sets, but not on the clock. A token that a later candidate
# accepted can be remembered despite them.
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
    """Return whether a candidate would refuse the token at any time."""
    if refused.rules.asks_the_application:  # its decision may change
        return False
    return refused.error is not None and refused.error.code in _LASTING_REFUSALS
