"""Verify the tokens of one client, and remember verified tokens.

`TokenVerifier.begin` is `verify()` up to the first wait. A step that may have to wait is a
generator: it yields what to wait for, and the client resumes it. Must not depend on what carries a
flight or how a caller waits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, final

from ..._core.policy import FetchPolicy
from ..._core.tokens.claims import Rules
from ..._core.tokens.memo import LONGEST, Memo, Remembered
from ..._core.tokens.unverified import UnverifiedToken, new_tuple, parse, text_of
from ..._core.tokens.verified import TokenFacts, VerifiedToken
from ...errors import JWKSError, KeysUnavailableError, TokenError
from ...events import TokenRefused, TokenUndecided, escaped_kid
from .. import arguments
from ..issuers.directory import Candidates, Directory
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .attempt import Attempt, check_with_cached_keys
from .candidates import Accepted, Verifying, is_lasting, steps
from .case import PLAIN, Options, Verification
from .checks import run_checks
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.keysets.jwk import KeySet
    from ..._core.tokens.explain import Explanation
    from ..issuers.tenants import Tenants


@final
class TokenVerifier:
    """Verifies the tokens of one client.

    Arguments:
        directory: the client's providers.
        tenants: the resolved tenants; None without a resolver.
        flights: the client's flights.
        limits: the limits of a token's size.
        memory: how many verified tokens are remembered.

    Attributes:
        memo: the verified tokens.
        memo_lock: held while the memo changes. It is re-entrant, because a signal handler may
            verify while this thread holds it; the handler then does not change the memo.
    """

    __slots__ = (
        *("_clock", "_directory", "_flights", "_max_header", "_max_token", "_memo_is_busy"),
        *("_tenants", "memo", "memo_lock"),
    )

    def __init__(
        self,
        directory: Directory,
        tenants: Tenants | None,
        flights: Flights,
        *,
        limits: FetchPolicy,
        memory: int,
    ) -> None:
        self._directory = directory
        self._tenants = tenants
        self._flights = flights
        self._clock = flights.clock
        self._max_token, self._max_header = limits.max_token, limits.max_header
        self.memo = Memo(memory)
        self.after_fork()

    def after_fork(self) -> None:
        """Replace the lock in a forked child, because a thread of the parent may hold it."""
        self.memo_lock = threading.RLock()
        self._memo_is_busy = False

    def begin(  # noqa: C901 (hot path: kept inline)
        self, token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> VerifiedToken | Verifying | JWKSError:
        """Verify a token with cached keys: memo, parse, candidates, key, verify, remember.

        Returns the verified token; or the rest of the verification, which may have to wait; or an
        error. The caller raises the error, so that only the frame of `verify` holds the token.
        """
        options = PLAIN
        if provider is not None or claim_values is not None:
            options = self._options(provider, claim_values)
        parsed: UnverifiedToken | None = None
        candidates = self._directory.only
        try:
            if type(token) is str and len(token) <= self._max_token:
                text = token
            else:
                text = text_of(token, self._max_token)
            memo = self.memo
            key = text if options is PLAIN else (text, options.key)
            found = memo.entries.get(key) if memo.keeps_tokens else None
            if found is not None and found.counts(self._clock.time(), self._clock.monotonic()):
                if not found.rules.asks_the_application:
                    return VerifiedToken(found.facts)
                return self._check_again(found, options)
            parsed = parse(text, self._max_header, memo.headers)
            if candidates is None:
                candidates = self._directory.known(parsed, options.pin)
                if candidates is None:
                    return self._resolve_and_verify(parsed, options)
            case = (parsed, options, candidates, self._clock.monotonic())
            attempts: list[Attempt] = []
            for rules, source in candidates.pairs:
                outcome = check_with_cached_keys(self._flights, case, rules, source)
                if type(outcome) is not Attempt:
                    if (
                        memo.keeps_tokens
                        or candidates.tenant is not None
                        or parsed.header_segment not in memo.headers
                    ):
                        self._remember(case, outcome, rules, source, attempts)
                    # The parsed claims now belong to this caller.
                    return VerifiedToken(outcome, parsed.claims)
                attempts = [*attempts, outcome]
                if outcome.facts is not None:
                    break  # the custom checks come next, and may have to wait
            return self._verify(case, attempts)
        except JWKSError as error:
            refusal = error.with_traceback(None)
        # Outside the except block, so that an error caused by a token's bytes has no context.
        return self._reported(refusal, options, parsed, candidates)

    def _options(self, provider: str | None, claim_values: Mapping[str, Any] | None) -> Options:
        pin = None if provider is None else self._directory.pin(provider)
        values = arguments.claim_values(claim_values)
        text = None
        if claim_values is not None:
            text = json.dumps(dict(claim_values), sort_keys=True)
        return Options(pin, values, (provider, text))

    def _verify(self, case: Verification, attempts: list[Attempt]) -> Verifying:
        """Continue after the candidates were tried with cached keys; this may have to wait."""
        parsed, options, candidates, _ = case
        outcome = yield from steps(self._flights, case, attempts)
        if isinstance(outcome, Accepted):
            case = (parsed, options, candidates, self._clock.monotonic())
            self._remember(case, *outcome)
            return VerifiedToken(outcome.facts)
        try:
            raise self._reported(outcome, options, parsed, candidates)
        finally:
            del outcome

    def _resolve_and_verify(self, parsed: UnverifiedToken, options: Options) -> Verifying:
        """Find the candidates, calling the resolver if needed; then verify."""
        try:
            candidates = yield from self._directory.candidates(parsed, options.pin)
        except JWKSError as error:
            refusal = error
        else:
            case = (parsed, options, candidates, self._clock.monotonic())
            return (yield from self._verify(case, []))
        try:
            raise self._reported(refusal, options, parsed, None)
        finally:
            del refusal

    def _check_again(self, found: Remembered, options: Options) -> Verifying:
        """Accept a remembered token if the custom checks still accept it; else verify it again."""
        if (yield from _still_accepted(found)):
            return VerifiedToken(found.facts)
        parsed = parse(found.facts.raw, self._max_header)
        return (yield from self._resolve_and_verify(parsed, options))

    def _remember(
        self,
        case: Verification,
        facts: TokenFacts,
        rules: Rules,
        source: KeySource,
        earlier: list[Attempt],
    ) -> None:
        """Remember a verified token.

        Arguments:
            case: the verification.
            facts: the verified facts.
            rules: the rules of the provider that accepted the token.
            source: its key set.
            earlier: the attempts of earlier candidates, which refused it.
        """
        parsed, options, candidates, now = case
        memo, tenant = self.memo, candidates.tenant
        entry: Remembered | None = None
        holder = source if tenant is None else tenant
        # Not if another provider might accept it next time: if the candidates depend on more than
        # the token, or a tenant among them refused it.
        if (
            memo.keeps_tokens
            and candidates.settled
            and (tenant is None or rules is tenant.rules)
            and now < holder.due_at
            and (not earlier or all(map(is_lasting, earlier)))
        ):
            before: tuple[tuple[KeySource, KeySet | None], ...] = ()
            if earlier:
                before = tuple([(one.source, one.source.cache.key_set) for one in earlier])
            earliest, latest = rules.lasting(facts)
            until = now + LONGEST
            if until > holder.due_at:  # noqa: PLR1730 (no call)
                until = holder.due_at
            entry = new_tuple(Remembered, (facts, rules, holder, before, earliest, latest, until))
        if self._tenants is not None and tenant is not None and rules is tenant.rules:
            self._tenants.verified(tenant)
        if entry is None and parsed.header_segment in memo.headers:
            return
        with self.memo_lock:
            if self._memo_is_busy:  # a signal handler interrupted this block
                return
            self._memo_is_busy = True
            try:
                if entry is not None:
                    raw = parsed.raw
                    memo.remember(raw if options is PLAIN else (raw, options.key), entry)
                if parsed.header_segment not in memo.headers:  # saves a call for almost every token
                    memo.remember_header(parsed)
            finally:
                self._memo_is_busy = False

    def drop_void(self) -> None:
        """Drop the remembered tokens of dropped tenants, to free memory; they no longer count."""
        with self.memo_lock:
            if self._memo_is_busy:
                return
            self._memo_is_busy = True
            try:
                self.memo.drop(_is_void)
            finally:
                self._memo_is_busy = False

    def _reported(
        self,
        error: JWKSError,
        options: Options,
        parsed: UnverifiedToken | None,
        candidates: Candidates | None,
    ) -> JWKSError:
        """Emit the event of a refusal. Return its error, which names the provider and the kid."""
        error.kid = None if parsed is None or parsed.kid is None else escaped_kid(parsed.kid)
        if isinstance(options.pin, Rules):
            error.provider = options.pin.name
        elif candidates is not None and len(candidates.pairs) == 1:
            error.provider = candidates.pairs[0][0].name
        if isinstance(error, KeysUnavailableError):
            self._flights.emit(
                TokenUndecided(provider=error.provider, code=error.code, kid=error.kid)
            )
        else:
            claim = error.claim if isinstance(error, TokenError) else None
            self._flights.emit(
                TokenRefused(provider=error.provider, code=error.code, claim=claim, kid=error.kid)
            )
        return error

    def explained(self, token: object) -> Generator[Want, object, Explanation]:
        """Verify a token without the memo, and explain the verdict instead of raising it."""
        from ..._core.tokens.explain import explain, refused_before_routing

        try:
            parsed = parse(text_of(token, self._max_token), self._max_header)
            candidates = yield from self._directory.candidates(parsed, None)
        except JWKSError as error:
            return refused_before_routing(error, token)
        attempts: list[Attempt] = []
        case = (parsed, PLAIN, candidates, self._clock.monotonic())
        outcome = yield from steps(self._flights, case, attempts)
        asked = {one.rules.name: one.asked for one in attempts}
        return explain(
            parsed,
            [
                (rules, source.cache, asked.get(rules.name, ()))
                for rules, source in candidates.pairs
            ],
            None if isinstance(outcome, Accepted) else outcome,
            outcome.rules.name if isinstance(outcome, Accepted) else None,
            (self._clock.time(), self._clock.monotonic()),
        )


def _still_accepted(found: Remembered) -> Generator[Want, object, bool]:
    rules, issuer = found.rules, found.facts.issuer
    if rules.checks_issuer and not rules.names(issuer or ""):
        return False  # the application no longer allows the tenant
    return (yield from run_checks(found.rules, VerifiedToken(found.facts))) is None


def _is_void(entry: Remembered) -> bool:
    return not entry.holder.held
