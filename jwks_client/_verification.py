"""One verification from candidates to verdict, as a generator that both shells drive.

Owns: the order in which candidates, keys, fetches and checks come. May not know: threads, tasks,
how a flight flies. It yields what must be waited for (a `Flight`, or an awaitable that one of the
application's own checks returned) and is resumed when that has ended; what the wait brought it
reads from the facts.

First every candidate is judged with the keys at hand. Only if no signature held do the candidates
whose set lacks the key fetch, one after the other, and only for a token that its own header, issuer
and expiry do not condemn already.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, assert_never, cast

from ._core.cache import Budget, Fetch, Need, Refuse, Use, selected
from ._core.jwk import Ambiguous, Found, Key, Unfit, Unusable
from ._core.memo import LONGEST, Remembered
from ._core.route import verdict
from ._core.token import UnverifiedToken, VerifiedToken, signature_holds
from ._source import MOST_ROUNDS, Flight, KeySource
from .errors import JWKSError, KeysUnavailableError, TokenError
from .events import Event, ServingStale, UnknownKid

if TYPE_CHECKING:
    from ._core.claims import Rules, Wanted
    from ._core.token import TokenFacts
    from .protocols import Clock

Want: TypeAlias = Flight | Awaitable[object]


class Shell(Protocol):
    """What a verification asks of the client that drives it."""

    @property
    def clock(self) -> Clock: ...

    def tell(self, event: Event) -> None: ...

    def flight_of(self, source: KeySource) -> Flight | None:
        """The flight in the air, where this caller could wait for it."""
        ...

    def begin_flight(
        self, source: KeySource, budget: Budget, need: Need | None, seen: int
    ) -> Flight | None:
        """Join the flight in the air or begin one; None if the facts no longer ask for it.

        Raises KeysUnavailableError ``fetch_failed`` on a closed client.
        """
        ...

    def refresh_behind(self, source: KeySource) -> None:
        """Begin a flight that nobody waits for, if none is in the air."""
        ...


class Attempt:
    """One candidate provider's side of a verification."""

    __slots__ = ("error", "facts", "held", "key", "retry", "rules", "seen", "source", "tried")

    def __init__(self, rules: Rules, source: KeySource) -> None:
        self.rules = rules
        self.source = source
        self.seen = source.begun
        self.error: JWKSError | None = None
        self.held = False  # a key of this candidate made the signature
        self.retry: Callable[[Attempt], Generator[Want, object, bool]] | None = None
        self.tried: Found | None = None
        self.key: Key | None = None
        self.facts: TokenFacts | None = None


class Accepted(NamedTuple):
    """The verdict of a verification that ends well, and what led to it."""

    token: VerifiedToken
    attempt: Attempt
    attempts: list[Attempt]


class Verification:
    """The verification of one token.

    Arguments:
        shell: the client that drives it.
        token: as it was parsed.
        candidates: the providers to ask, in order, each with its key set.
        more: claim values that this call asks for.
    """

    __slots__ = ("_more", "_need", "_shell", "_token", "attempts")

    def __init__(
        self,
        shell: Shell,
        token: UnverifiedToken,
        candidates: list[tuple[Rules, KeySource]],
        more: Wanted,
    ) -> None:
        self._shell = shell
        self._token = token
        self._more = more
        self._need = Need(token.kid, token.algorithm)
        self.attempts = [Attempt(rules, source) for rules, source in candidates]

    def steps(self) -> Generator[Want, object, Accepted | JWKSError]:
        """Go the whole way. Returns what was accepted, or the error that counts."""
        for attempt in self.attempts:
            if (yield from self._judge_at_hand(attempt)):
                return self._accepted(attempt)
        if not any(attempt.held for attempt in self.attempts):
            for attempt in self.attempts:
                if attempt.retry is not None and (yield from attempt.retry(attempt)):
                    return self._accepted(attempt)
        return self._verdict()

    def _accepted(self, attempt: Attempt) -> Accepted:
        assert attempt.facts is not None  # noqa: S101 (set where True was returned)
        # The claims that were parsed become this caller's own; checks were given a copy.
        claims = None if attempt.rules.checks else self._token.claims
        return Accepted(VerifiedToken(attempt.facts, claims), attempt, self.attempts)

    def _verdict(self) -> JWKSError:
        errors = [(attempt.held, attempt.error) for attempt in self.attempts]
        return verdict(
            (error for held, error in errors if held and error is not None),
            (error for held, error in errors if not held and error is not None),
        )

    def _judge_at_hand(self, attempt: Attempt) -> Generator[Want, object, bool]:
        source = attempt.source
        try:
            attempt.rules.admit(self._token)
        except TokenError as error:
            attempt.error = error
            return False
        decision = source.cache.look_up(self._need, self._shell.clock.monotonic())
        if not isinstance(decision, Use) or decision.refresh or decision.stale:
            in_air = self._shell.flight_of(source) is not None
            decision = source.look_up(self._need, in_air=in_air, seen=attempt.seen)
        match decision:
            case Use():
                return (yield from self._use(attempt, decision, doubtful=True))
            case Fetch() | Refuse():
                try:
                    attempt.rules.condemn(self._token, self._shell.clock.time())
                except TokenError as error:
                    attempt.error = error
                    return False
                if isinstance(decision, Fetch):
                    attempt.error = source.unavailable()  # until the fetch says otherwise
                    attempt.retry = self._fetch_and_judge
                else:
                    self._refuse(attempt, decision)
                return False
            case _:
                assert_never(decision)

    def _fetch_and_judge(self, attempt: Attempt) -> Generator[Want, object, bool]:
        source, shell = attempt.source, self._shell
        for _ in range(MOST_ROUNDS):
            in_air = shell.flight_of(source) is not None
            decision = source.look_up(self._need, in_air=in_air, seen=attempt.seen)
            if isinstance(decision, Use):
                return (yield from self._use(attempt, decision, doubtful=False))
            if isinstance(decision, Refuse):
                self._refuse(attempt, decision)
                return False
            try:
                flight = shell.begin_flight(source, decision.budget, self._need, attempt.seen)
            except KeysUnavailableError as error:
                attempt.error = error
                return False
            if flight is not None:
                yield flight
        decision = source.look_up(self._need, in_air=False, seen=attempt.seen)
        if isinstance(decision, Use):
            return (yield from self._use(attempt, decision, doubtful=False))
        attempt.error = source.unavailable()
        return False

    def _refuse(self, attempt: Attempt, decision: Refuse) -> None:
        source, kid = attempt.source, self._need.kid
        if not decision.known:
            attempt.error = source.unavailable()
            return
        attempt.error = TokenError("unknown_key", "the provider publishes no such key")
        if kid is not None and source.came_since(attempt.seen):
            source.note_absent(kid)
            self._shell.tell(UnknownKid(provider=attempt.rules.name, kid=shown(kid)))

    def _use(
        self, attempt: Attempt, decision: Use, *, doubtful: bool
    ) -> Generator[Want, object, bool]:
        if decision.refresh:
            self._shell.refresh_behind(attempt.source)
        if decision.stale:
            self._tell_stale(attempt)
        selection = decision.selection
        match selection:
            case Found():
                return (yield from self._try_keys(attempt, selection, doubtful=doubtful))
            case Unfit():
                attempt.error = TokenError(
                    "algorithm_not_allowed", "its alg does not fit the key that its kid names"
                )
            case Unusable():
                attempt.error = TokenError("unknown_key", "the key that its kid names is unusable")
            case Ambiguous():
                attempt.error = TokenError("ambiguous_key", "more keys fit it than are tried")
            case _:
                assert_never(selection)
        return False

    def _try_keys(
        self, attempt: Attempt, found: Found, *, doubtful: bool
    ) -> Generator[Want, object, bool]:
        attempt.tried = found
        for key in found.keys:
            if signature_holds(self._token, key):
                attempt.held, attempt.key = True, key
                return (yield from self._judge_claims(attempt, key))
        attempt.error = TokenError("bad_signature", "its signature does not hold")
        if doubtful and not attempt.source.fixed:
            by_kid = self._need.kid is not None
            attempt.retry = self._doubt_kid if by_kid else self._doubt_keys
        return False

    def _judge_claims(self, attempt: Attempt, key: Key) -> Generator[Want, object, bool]:
        rules = attempt.rules
        try:
            facts = rules.judge(self._token, key, self._shell.clock.time(), self._more)
        except TokenError as error:
            attempt.error = error
            return False
        if rules.checks:
            refusal = yield from run_checks(rules, VerifiedToken(facts))
            if refusal is not None:
                attempt.error = refusal
                return False
        attempt.facts, attempt.error = facts, None
        return True

    def _doubt_kid(self, attempt: Attempt) -> Generator[Want, object, bool]:
        """A known kid's signature failed: perhaps the kid was reused (one fetch an interval)."""
        source, shell = attempt.source, self._shell
        flight = shell.flight_of(source)
        if flight is None or flight.doubts != self._need.kid:
            if not source.cache.may_doubt(shell.clock.monotonic()) or self._is_condemned(attempt):
                return False
            try:
                flight = shell.begin_flight(source, Budget.BAD_SIGNATURE, self._need, attempt.seen)
            except KeysUnavailableError:
                return False  # never 503: the token is at fault until the provider says otherwise
        if flight is not None:
            yield flight
        return (yield from self._try_if_changed(attempt))

    def _doubt_keys(self, attempt: Attempt) -> Generator[Want, object, bool]:
        """No key made the signature of a token without kid: perhaps there is a new one."""
        source, shell = attempt.source, self._shell
        cache = source.cache
        now = shell.clock.monotonic()
        in_air = shell.flight_of(source) is not None
        may = in_air or (cache.has_permit(now) and not cache.in_backoff(now))
        if may and not self._is_condemned(attempt):
            try:
                flight = shell.begin_flight(source, Budget.UNKNOWN_KID, None, attempt.seen)
            except KeysUnavailableError as error:
                attempt.error = error
                return False
            if flight is not None:
                yield flight
            if (yield from self._try_if_changed(attempt)) or attempt.held:
                return attempt.error is None
        if source.cache.failure is not None and not self._is_condemned(attempt):
            attempt.error = source.unavailable()
        return False

    def _is_condemned(self, attempt: Attempt) -> bool:
        try:
            attempt.rules.condemn(self._token, self._shell.clock.time())
        except TokenError:
            return True
        return False

    def _try_if_changed(self, attempt: Attempt) -> Generator[Want, object, bool]:
        key_set, tried = attempt.source.cache.key_set, attempt.tried
        if key_set is None or tried is None:
            return False
        selection = key_set.select(self._need.kid, self._need.algorithm)
        if not isinstance(selection, Found) or selected(selection) == selected(tried):
            return False
        return (yield from self._try_keys(attempt, selection, doubtful=False))

    def _tell_stale(self, attempt: Attempt) -> None:
        cache = attempt.source.cache
        age = self._shell.clock.monotonic() - cache.asked_at
        code = "" if cache.failure is None else cache.failure.code
        self._shell.tell(ServingStale(provider=attempt.rules.name, age=age, code=code))


def run_checks(rules: Rules, token: VerifiedToken) -> Generator[Want, object, JWKSError | None]:
    """Run the application's own checks. Returns the error of the first that refuses, or None.

    None or True accepts; a JWKSError passes as it is; all else is ``rejected_by_check``.
    """
    for check in rules.checks:
        cause: Exception | None = None
        outcome: object = False
        try:
            outcome = check(token)
            if inspect.isawaitable(outcome):
                outcome = yield cast("Awaitable[object]", outcome)
        except Exception as raised:  # noqa: BLE001 (the application's code refuses)
            cause = raised
        if isinstance(cause, JWKSError):
            return cause
        if cause is not None or (outcome is not None and outcome is not True):
            refused = TokenError(
                "rejected_by_check", f"the application's check {_name_of(check)} refused it"
            )
            refused.__cause__ = cause
            return refused
    return None


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


def remembered(accepted: Accepted, now: float) -> Remembered | None:
    """What may be remembered of a verification that ended at ``now`` (monotonic), if anything."""
    attempt = accepted.attempt
    earlier: list[Attempt] = []
    if attempt is not accepted.attempts[0]:
        earlier = accepted.attempts[: accepted.attempts.index(attempt)]
        if any(one.error is None or one.error.code not in _LASTING_REFUSALS for one in earlier):
            return None
    assert attempt.facts is not None and attempt.key is not None  # noqa: S101, PT018 (accepted)
    earliest, latest = attempt.rules.lasting(attempt.facts)
    return Remembered(
        facts=attempt.facts,
        rules=attempt.rules,
        holder=attempt.source,
        key=attempt.key,
        earlier=tuple([(one.source, one.source.cache.key_set) for one in earlier]),
        earliest=earliest,
        latest=latest,
        until=now + LONGEST,
    )


def shown(text: str) -> str:
    """Text of an attacker's for events and logs: printable ASCII, cut to 64 characters."""
    return text[:64].encode("unicode_escape").decode("ascii")[:128]


def _name_of(check: Any) -> str:
    return str(getattr(check, "__qualname__", None) or type(check).__qualname__)
