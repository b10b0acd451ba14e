"""Verify a token for one candidate provider.

Checks a token with one provider's rules and keys, and decides what to try again after a fetch. A
method that has to wait is a generator: it yields what to wait for, and then reads the new facts.
Must not depend on the other candidates, threads or tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, assert_never, final

from ..._core.keysets.cache import Budget, Fetch, Need, Refuse, Use, selected
from ..._core.keysets.jwk import Ambiguous, Found, Unfit, Unusable
from ..._core.tokens.verified import find_signing_key
from ...errors import JWKSError, KeysUnavailableError, TokenError
from ...events import UnknownKid, escaped_kid
from ..keysets.flight import MOST_ROUNDS
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .waiting import Want, attend

if TYPE_CHECKING:
    from ..._core.tokens.claims import Rules
    from ..._core.tokens.verified import TokenFacts
    from .case import Verification


@final
class Attempt:
    """The verification of a token for one candidate provider.

    Arguments:
        flights: the client's flights.
        case: the verification.
        rules: the candidate's rules.
        source: its key set.

    Attributes:
        facts: the verified facts, if signature and claims are valid. Custom ``checks`` run after
            that (`steps`).
        error: why the candidate refuses the token; None if it does not, or before a fetch.
        asked: the custom checks that ran, by name, each with its error.
        is_signed: whether a key of this candidate verifies the signature.
        retry: what to try after a wait; None for nothing.
    """

    __slots__ = (
        *("_claim_values", "_flights", "_seen", "_token"),
        *("asked", "error", "facts", "is_signed", "retry", "rules", "source"),
    )

    def __init__(
        self, flights: Flights, case: Verification, rules: Rules, source: KeySource
    ) -> None:
        self._flights = flights
        self._token, options, _, _ = case
        self._claim_values = options.claim_values
        self.rules = rules
        self.source = source
        self._seen = source.begun
        self.error: JWKSError | None = None
        self.facts: TokenFacts | None = None
        self.asked: list[tuple[str, JWKSError | None]] = []
        self.is_signed = False
        self.retry: Callable[[], Generator[Want, object]] | None = None

    def look_up(self) -> None:
        """Check the token with the cached keys. Never waits."""
        try:
            self.rules.check_header(self._token)
        except TokenError as error:
            self.refuse(error)
            return
        source = self.source
        in_flight = source.last_flight.in_progress
        decision = source.look_up(self._need, in_flight=in_flight, seen=self._seen)
        match decision:
            case Use():
                self._use(decision, may_recheck=True)
            case Fetch():
                self.error = self._precheck_failure()
                if self.error is None:
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
        """Return the error if the issuer or expiry make a fetch pointless."""
        try:
            self.rules.precheck(self._token, self._flights.clock.time())
        except TokenError as error:
            return error.with_traceback(None)
        return None

    def refuse(self, error: TokenError) -> None:
        """Record why the candidate refuses the token."""
        # Without its frames, one of which refers to this attempt, to avoid a cycle.
        self.error = error.with_traceback(None)

    def _lacks_key(self, decision: Refuse) -> None:
        source, kid = self.source, self._token.kid
        if not decision.known:
            self.error = source.unavailable()
            return
        self.error = TokenError("unknown_key", "the provider publishes no such key")
        if kid is not None and source.note_absent(kid, self._seen):
            self._flights.emit(UnknownKid(provider=self.rules.name, kid=escaped_kid(kid)))

    def _use(self, decision: Use, *, may_recheck: bool) -> None:
        """Check the token with the keys that were selected for it.

        Arguments:
            decision: the keys, or why there is none.
            may_recheck: whether the provider may have reused a kid, so that a fetch may help.
        """
        attend(self._flights, self.rules.name, self.source, decision)
        selection = decision.selection
        match selection:
            case Found():
                self._try_keys(selection, may_recheck=may_recheck)
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

    def _try_keys(self, found: Found, *, may_recheck: bool) -> None:
        keys = self.rules.likeliest_first(found.keys, self._token.claims)
        key = find_signing_key(self._token, keys)
        if key is None:
            self.not_signed(found, may_recheck=may_recheck)
            return
        self.is_signed = True
        try:
            now = self._flights.clock.time()
            self.facts = self.rules.check_claims(self._token, key, now, self._claim_values)
            self.error = None
        except TokenError as error:
            self.refuse(error)

    def not_signed(self, found: Found, *, may_recheck: bool) -> None:
        """Record that no key verifies the signature."""
        self.error = TokenError("bad_signature", "its signature is not valid")
        if may_recheck and not self.source.fixed:
            kid = self._token.kid
            recheck = self._recheck_without_kid if kid is None else self._recheck_kid
            self.retry = partial(recheck, found)

    def _fetch_and_check(self) -> Generator[Want, object]:
        source, flights, need = self.source, self._flights, self._need
        vanished = False
        for _ in range(MOST_ROUNDS):
            last = source.last_flight
            decision = source.look_up(need, in_flight=last.in_progress, seen=self._seen)
            if isinstance(decision, Use):
                self._use(decision, may_recheck=False)
                return
            if isinstance(decision, Refuse):
                self._lacks_key(decision)
                return
            name, budget = self.rules.name, decision.budget
            try:
                recorded = yield from flights.flown(
                    name, source, last, budget, kid=need.kid, need=need, alone=vanished
                )
            except KeysUnavailableError as error:
                self.error = error.with_traceback(None)
                return
            vanished = not recorded
        decision = source.look_up(need, in_flight=False, seen=self._seen)
        if isinstance(decision, Use):
            self._use(decision, may_recheck=False)
        else:
            self.error = source.unavailable()

    def _recheck_kid(self, tried: Found) -> Generator[Want, object]:
        """Fetch after the signature of a known kid failed, in case the kid was reused."""
        source, flights, kid = self.source, self._flights, self._token.kid
        vanished = False
        for _ in range(MOST_ROUNDS):
            last = source.last_flight
            is_for_kid = last.budget is Budget.BAD_SIGNATURE and last.kid == kid
            if not (last.in_progress and is_for_kid) and (
                not source.cache.may_recheck_kid(flights.clock.monotonic())
                or self._precheck_failure()
            ):
                return
            try:
                recorded = yield from flights.flown(
                    self.rules.name, source, last, Budget.BAD_SIGNATURE, kid=kid, alone=vanished
                )
            except KeysUnavailableError:
                return  # never a 503, because the token is probably forged
            self._try_if_changed(tried)
            if recorded:
                return
            vanished = True

    def _recheck_without_kid(self, tried: Found) -> Generator[Want, object]:
        """Fetch after no key verified a token without kid, in case there is a new key."""
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
                recorded = yield from flights.flown(
                    self.rules.name, source, last, Budget.UNKNOWN_KID, alone=vanished
                )
            except KeysUnavailableError as error:
                self.error = error.with_traceback(None)
                return
            self._try_if_changed(tried)
            if recorded:
                break
            vanished = True
        unknown = source.cache.failure is not None or source.is_postponed(flights.clock.monotonic())
        if not self.is_signed and unknown and self._precheck_failure() is None:
            self.error = source.unavailable()

    def _try_if_changed(self, tried: Found) -> None:
        key_set = self.source.cache.key_set
        assert key_set is not None  # noqa: S101 (it was tried, and a set is never removed)
        selection = key_set.select(self._token.kid, self._token.algorithm)
        if isinstance(selection, Found) and selected(selection) != selected(tried):
            self._try_keys(selection, may_recheck=False)


def check_with_cached_keys(
    flights: Flights, case: Verification, rules: Rules, source: KeySource
) -> TokenFacts | Attempt:
    """Check a token for one candidate with the cached keys. Never waits.

    Returns the verified facts if the candidate accepts the token and has no custom checks; else the
    attempt, with its error or what to try next. The arguments are those of `Attempt`.
    """
    token, options, _, now = case
    cache, header = source.cache, token.header
    key_set = cache.key_set
    # Hot path: if a fresh set has selected keys for this kid and algorithm before,
    # `KeyCache.look_up` would return the same. In all other cases, the attempt looks the key up.
    if (
        key_set is not None
        and header.wanted in key_set.chosen
        and type(found := key_set.chosen[header.wanted]) is Found
        and now < cache.fresh_until
        and header.algorithm in rules.algorithms
        and header.token_type in rules.types
        and not rules.checks
    ):
        key = find_signing_key(token, found.keys)
        if key is not None:
            try:
                return rules.check_claims(token, key, flights.clock.time(), options.claim_values)
            except TokenError as error:
                attempt = Attempt(flights, case, rules, source)
                attempt.is_signed = True
                attempt.refuse(error)
            if len(found.keys) > 1:  # another entry of the same key may be for this issuer
                attempt.look_up()
            return attempt
        attempt = Attempt(flights, case, rules, source)
        attempt.not_signed(found, may_recheck=True)
        return attempt
    attempt = Attempt(flights, case, rules, source)
    attempt.look_up()
    return attempt
