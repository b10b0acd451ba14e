"""One candidate provider's side of a verification.

Owns: how a token is judged with one provider's rules and keys, and what may be tried again after a
fetch. May not know: the other candidates, threads, tasks, how a flight flies. What has to wait is a
generator: it yields what must be waited for and reads from the facts what the wait brought.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, assert_never, final

from ..._core.keysets.cache import Budget, Fetch, Need, Refuse, Use, selected
from ..._core.keysets.jwk import Ambiguous, Found, Unfit, Unusable
from ..._core.tokens.unverified import UnverifiedToken
from ..._core.tokens.verified import find_signing_key
from ...errors import JWKSError, KeysUnavailableError, TokenError
from ...events import UnknownKid, shown_kid
from ..keysets.flight import MOST_ROUNDS
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .waiting import Want, attend

if TYPE_CHECKING:
    from ..._core.tokens.claim_values import Wanted
    from ..._core.tokens.claims import Rules
    from ..._core.tokens.verified import TokenFacts


@final
class Attempt:
    """One candidate provider's side of a verification.

    Arguments:
        flights: the client's.
        token: as it was parsed.
        rules: the candidate's.
        source: its key set.
        more: claim values that this call asks for.

    Attributes:
        facts: what was proved, where signature and claims held. The application's own ``checks``
            are asked after that (`steps`).
        error: why the candidate refuses the token; None where it does not.
        asked: the application's own checks that were, by name, and the error of who refused.
        held: a key of this candidate made the signature.
        retry: what may be tried once something was waited for, where anything may.
    """

    __slots__ = (
        *("_more", "_flights", "_token", "_tried"),
        *("asked", "error", "facts", "held", "retry", "rules", "seen", "source"),
    )

    def __init__(
        self,
        flights: Flights,
        token: UnverifiedToken,
        rules: Rules,
        source: KeySource,
        more: Wanted,
    ) -> None:
        self._flights = flights
        self._token = token
        self._more = more
        self.rules = rules
        self.source = source
        self.seen = source.begun
        self.error: JWKSError | None = None
        self.facts: TokenFacts | None = None
        self.asked: list[tuple[str, JWKSError | None]] = []
        self.held = False
        self.retry: Callable[[], Generator[Want, object]] | None = None
        self._tried: Found | None = None

    def look_up(self) -> None:
        """Judge the token with the keys at hand. Waits for nothing."""
        try:
            self.rules.check_header(self._token)
        except TokenError as error:
            self.refuse(error)
            return
        source = self.source
        in_flight = source.last_flight.in_progress
        decision = source.look_up(self._need, in_flight=in_flight, seen=self.seen)
        match decision:
            case Use():
                self._use(decision, doubtful=True)
            case Fetch():
                self.error = self._precheck_failure() or source.unavailable()
                if isinstance(self.error, KeysUnavailableError):  # until the fetch says otherwise
                    self.retry = self._fetch_and_check
            case Refuse():
                self.error = self._precheck_failure()
                if self.error is None:
                    self._lacks_key(decision)
            case _:
                assert_never(decision)

    @property
    def _need(self) -> Need:
        return Need(self._token.kid, self._token.algorithm)

    def _precheck_failure(self) -> TokenError | None:
        """The verdict, where issuer or expiry make a fetch pointless."""
        try:
            self.rules.precheck(self._token, self._flights.clock.time())
        except TokenError as error:
            return error.with_traceback(None)
        return None

    def refuse(self, error: TokenError) -> None:
        """Note why the candidate refuses the token."""
        # Without the frames, one of which holds this attempt: no cycle is left behind a refusal.
        self.error = error.with_traceback(None)

    def _lacks_key(self, decision: Refuse) -> None:
        source, kid = self.source, self._token.kid
        if not decision.known:
            self.error = source.unavailable()
            return
        self.error = TokenError("unknown_key", "the provider publishes no such key")
        if kid is not None and source.note_absent(kid, self.seen):
            self._flights.emit(UnknownKid(provider=self.rules.name, kid=shown_kid(kid)))

    def _use(self, decision: Use, *, doubtful: bool) -> None:
        attend(self._flights, self.rules.name, self.source, decision)
        self._choose(decision.selection, doubtful=doubtful)

    def _choose(self, selection: Found | Unfit | Unusable | Ambiguous, *, doubtful: bool) -> None:
        """Judge the token with what the key set holds for it.

        Arguments:
            selection: that.
            doubtful: a failing signature may be the provider's doing: a fetch may mend it.
        """
        match selection:
            case Found():
                self._try_keys(selection, doubtful=doubtful)
            case Unfit():
                self.error = TokenError(
                    "algorithm_not_allowed", "its alg does not fit the key that its kid names"
                )
            case Unusable():
                self.error = TokenError("unknown_key", "the key that its kid names is unusable")
            case Ambiguous():
                self.error = TokenError("ambiguous_key", "more keys fit it than are tried")
            case _:
                assert_never(selection)

    def _try_keys(self, found: Found, *, doubtful: bool) -> None:
        keys = self.rules.likeliest_first(found.keys, self._token.claims)
        key = find_signing_key(self._token, keys)
        if key is None:
            self.not_signed(found, doubtful=doubtful)
            return
        self.held = True
        try:
            now = self._flights.clock.time()
            self.facts = self.rules.check_claims(self._token, key, now, self._more)
            self.error = None
        except TokenError as error:
            self.refuse(error)

    def not_signed(self, found: Found, *, doubtful: bool) -> None:
        """Note that none of these keys made the signature."""
        self._tried = found
        self.error = TokenError("bad_signature", "its signature does not hold")
        if doubtful and not self.source.fixed:
            self.retry = self._doubt_keys if self._token.kid is None else self._doubt_kid

    def _fetch_and_check(self) -> Generator[Want, object]:
        source, flights, need = self.source, self._flights, self._need
        vanished = False
        for _ in range(MOST_ROUNDS):
            last = source.last_flight
            decision = source.look_up(need, in_flight=last.in_progress, seen=self.seen)
            if isinstance(decision, Use):
                self._use(decision, doubtful=False)
                return
            if isinstance(decision, Refuse):
                self._lacks_key(decision)
                return
            try:
                boarding = flights.board(
                    source, last, decision.budget, seeks=need.kid, alone=vanished
                )
            except KeysUnavailableError as error:
                self.error = error
                return
            if not (yield from flights.waiting(self.rules.name, source, boarding)):
                self.error = source.not_waited_for(boarding.flight)
                return
            vanished = not boarding.flight.recorded
        decision = source.look_up(need, in_flight=False, seen=self.seen)
        if isinstance(decision, Use):
            self._use(decision, doubtful=False)
        else:
            self.error = source.unavailable()

    def _doubt_kid(self) -> Generator[Want, object]:
        """A known kid's signature failed: fetch in case the kid was reused."""
        source, flights, kid = self.source, self._flights, self._token.kid
        vanished = False
        for _ in range(MOST_ROUNDS):
            last = source.last_flight
            if not (last.in_progress and last.doubts == kid) and (
                not source.cache.may_doubt(flights.clock.monotonic()) or self._precheck_failure()
            ):
                return
            try:
                boarding = flights.board(
                    source, last, Budget.BAD_SIGNATURE, doubts=kid, alone=vanished
                )
            except KeysUnavailableError:
                return  # never 503: the token is at fault until the provider says otherwise
            if not (yield from flights.waiting(self.rules.name, source, boarding)):
                return
            self._try_if_changed()
            vanished = not boarding.flight.recorded
            if not vanished:
                return

    def _doubt_keys(self) -> Generator[Want, object]:
        """No key verifies a token without kid: fetch in case there is a new key."""
        source, flights = self.source, self._flights
        vanished = False
        for _ in range(MOST_ROUNDS):
            last, cache, now = source.last_flight, source.cache, flights.clock.monotonic()
            may = last.in_progress or (
                cache.has_permit(now) and not cache.in_backoff(now) and not source.is_postponed(now)
            )
            if not may or self._precheck_failure() is not None:
                break
            try:
                boarding = flights.board(source, last, Budget.UNKNOWN_KID, alone=vanished)
            except KeysUnavailableError as error:
                self.error = error
                return
            if not (yield from flights.waiting(self.rules.name, source, boarding)):
                self.error = source.not_waited_for(boarding.flight)
                return
            self._try_if_changed()
            vanished = not boarding.flight.recorded
            if not vanished:
                break
        unknown = source.cache.failure is not None or source.is_postponed(flights.clock.monotonic())
        if not self.held and unknown and self._precheck_failure() is None:
            self.error = source.unavailable()

    def _try_if_changed(self) -> None:
        key_set, tried = self.source.cache.key_set, self._tried
        if key_set is None or tried is None:
            return
        selection = key_set.select(self._token.kid, self._token.algorithm)
        if isinstance(selection, Found) and selected(selection) != selected(tried):
            self._try_keys(selection, doubtful=False)


def check_with_cached_keys(
    flights: Flights, token: UnverifiedToken, rules: Rules, source: KeySource, more: Wanted
) -> TokenFacts | Attempt:
    """Judge a token for one candidate with the keys at hand. Waits for nothing.

    Returns what was proved, where the candidate accepts the token and has no checks of its own;
    else the attempt, which tells why not, or what may yet be done. The arguments are an attempt's.
    """
    cache, header = source.cache, token.header
    key_set = cache.key_set
    # The short way of nearly every token: what a fresh set chose before for its kid and algorithm
    # is what `KeyCache.look_up` would say. Whatever is not so goes the long way.
    if (
        key_set is not None
        and header.wanted in key_set.chosen
        and type(found := key_set.chosen[header.wanted]) is Found
        and flights.clock.monotonic() < cache.fresh_until
        and header.algorithm in rules.algorithms
        and header.token_type in rules.types
        and not rules.checks
    ):
        key = find_signing_key(token, found.keys)
        if key is not None:
            try:
                return rules.check_claims(token, key, flights.clock.time(), more)
            except TokenError as error:
                attempt = Attempt(flights, token, rules, source, more)
                attempt.held = True
                attempt.refuse(error)
            if len(found.keys) > 1:  # another entry of the key may be the one of this issuer
                attempt.look_up()
            return attempt
        attempt = Attempt(flights, token, rules, source, more)
        attempt.not_signed(found, doubtful=True)
        return attempt
    attempt = Attempt(flights, token, rules, source, more)
    attempt.look_up()
    return attempt
