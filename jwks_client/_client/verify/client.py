"""`verify()` up to the first wait, shared by both clients, and the key lookups.

Must not depend on what carries a flight or on how a caller waits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from ..._core.issuers.routes import verdict
from ..._core.keysets.jwk import Key, KeySet
from ..._core.provider import SUPPORTED_ALGORITHMS
from ..._core.tokens.claims import Rules
from ..._core.tokens.memo import LONGEST, Remembered
from ..._core.tokens.unverified import UnverifiedToken, new_tuple, parse, text_of
from ..._core.tokens.verified import TokenFacts, VerifiedToken
from ...errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from ...events import TokenRefused, TokenUndecided, shown_kid
from .. import arguments
from ..base import BaseClient
from ..issuers.directory import Candidates
from ..keysets.source import KeySource
from .attempt import Attempt, check_with_cached_keys
from .candidates import Accepted, Verifying, is_lasting, steps
from .case import PLAIN, Options, Verification
from .checks import run_checks
from .key_lookup import fetched, is_cached, loaded, signing_key
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.tokens.explain import Explanation


class VerifyingClient(BaseClient):
    """A client that verifies tokens; the two clients add how a caller waits."""

    def _begin(  # noqa: C901 (hot path: kept inline)
        self, token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> VerifiedToken | Verifying | JWKSError:
        """Verify a token with cached keys: memory, parse, candidates, key, verify, remember.

        Returns the verified token, the rest of the verification, which may have to wait, or the
        error of a refusal. The caller raises the error, so that no frame of its traceback holds the
        token but that of `verify`.
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
            memo = self._memo
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
                    # The claims that were parsed become this caller's own.
                    return VerifiedToken(outcome, parsed.claims)
                attempts = [*attempts, outcome]
                if outcome.facts is not None:
                    break  # its own checks come next, and may have to wait
            return self._verify(case, attempts)
        except JWKSError as error:
            refusal = error.with_traceback(None)
        # Outside the except block: what arose from a token's bytes has no cause or context.
        return self._reported(refusal, options, parsed, candidates)

    def _options(self, provider: str | None, claim_values: Mapping[str, Any] | None) -> Options:
        pin = None if provider is None else self._directory.pin(provider)
        values = arguments.claim_values(claim_values)
        text = None
        if claim_values is not None:
            text = json.dumps(dict(claim_values), sort_keys=True)
        return Options(pin, values, (provider, text))

    def _verify(self, case: Verification, attempts: list[Attempt]) -> Verifying:
        """Go on after the candidates were tried with cached keys; this may have to wait."""
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
        """Find the candidates, for which the resolver may have to be called; then verify."""
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
        """Accept a remembered token if the application's own checks still do; else verify anew."""
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
            facts: what was proved.
            rules: the rules of the provider that accepted the token.
            source: its key set.
            earlier: the attempts of the candidates before, which refused it.
        """
        parsed, options, candidates, now = case
        memo, tenant = self._memo, candidates.tenant
        entry: Remembered | None = None
        holder = source if tenant is None else tenant
        # Not where another provider might come first tomorrow: where the candidates depend on more
        # than the token, or a tenant among them refused it.
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
        with self._memo_lock:
            if self._memo_is_busy:  # a signal handler interrupted this very block
                return
            self._memo_is_busy = True
            try:
                if entry is not None:
                    raw = parsed.raw
                    memo.remember(raw if options is PLAIN else (raw, options.key), entry)
                if parsed.header_segment not in memo.headers:  # saves a call for nearly every token
                    memo.remember_header(parsed)
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
        error.kid = None if parsed is None or parsed.kid is None else shown_kid(parsed.kid)
        if isinstance(options.pin, Rules):
            error.provider = options.pin.name
        elif candidates is not None and len(candidates.pairs) == 1:
            error.provider = candidates.pairs[0][0].name
        if isinstance(error, KeysUnavailableError):
            self._emit(TokenUndecided(provider=error.provider, code=error.code, kid=error.kid))
        else:
            claim = error.claim if isinstance(error, TokenError) else None
            self._emit(
                TokenRefused(provider=error.provider, code=error.code, claim=claim, kid=error.kid)
            )
        return error

    def _explained(self, token: object) -> Generator[Want, object, Explanation]:
        """Verify a token past the memory, and explain the verdict instead of raising it."""
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

    # --- key lookups

    def _named(self, provider: str | None) -> Generator[Want, object, tuple[Rules, KeySource]]:
        if provider is not None:
            return (yield from self._directory.named(provider))
        only = self._directory.only
        if only is None:
            raise ConfigurationError("provider", "must be named, since the client has several")
        return only.pairs[0]

    def _loaded(self, provider: str | None) -> Generator[Want, object, KeySet]:
        rules, source = yield from self._named(provider)
        return (yield from loaded(self._flights, rules.name, source))

    def _refreshed(self, provider: str | None) -> Generator[Want, object]:
        sources = self._fetched_sources()
        if provider is not None:
            _, source = yield from self._named(provider)
            sources = [] if source.fixed else [source]
        yield from fetched(self._flights, sources, manual=True)

    def _fetched_sources(self) -> list[KeySource]:
        everyone = self._directory.everyone().values()
        return list({id(one): one for one in everyone if not one.fixed}.values())

    def _warmed_up(self, timeout: object, *, required: bool = False) -> Generator[Want, object]:
        until = time.monotonic() + arguments.patience(timeout)
        now = self._clock.monotonic()
        cold = [
            one for one in self._fetched_sources() if one.cache.state(now) not in {"fresh", "due"}
        ]
        if required:
            for one in cold:
                if one not in self._required:
                    self._flights.refresh_behind(one)
            cold = [one for one in cold if one in self._required]
        yield from fetched(self._flights, cold, manual=False, until=until)

    def _signing_key(
        self, kid: str | None, alg: str | None, provider: str | None
    ) -> Generator[Want, object, Key]:
        rules, source = yield from self._named(provider)
        algorithms = tuple(rules.provider.algorithms)
        if alg is not None:
            # A key set remembers what it was asked: one name stands for all that no key can have.
            algorithms = (alg if alg in SUPPORTED_ALGORITHMS else "",)
        return (yield from signing_key(self._flights, rules, source, kid, algorithms))

    def _key_of_token(self, token: str | bytes) -> Generator[Want, object, Key]:
        parsed: UnverifiedToken | JWKSError
        try:
            parsed = parse(text_of(token, self._max_token), self._max_header)
        except JWKSError as error:
            parsed = error.with_traceback(None)
        del token  # no frame of an error's traceback holds it
        if isinstance(parsed, JWKSError):
            try:
                raise parsed
            finally:
                del parsed
        candidates = yield from self._directory.candidates(parsed, None)
        errors: list[JWKSError] = [] if candidates.refusal is None else [candidates.refusal]
        admitted: list[tuple[Rules, KeySource]] = []
        for rules, source in candidates.pairs:
            try:
                rules.check_header(parsed)
            except TokenError as error:
                errors.append(error)
            else:
                admitted.append((rules, source))
        # As in a verification: cached keys come before any fetch, else the order given.
        admitted.sort(key=lambda pair: not is_cached(pair[1], parsed.kid, parsed.algorithm))
        for rules, source in admitted:
            wanted = (parsed.algorithm,)
            try:
                return (yield from signing_key(self._flights, rules, source, parsed.kid, wanted))
            except (TokenError, KeysUnavailableError) as error:
                errors.append(error)
        raise verdict((), errors)


def _still_accepted(found: Remembered) -> Generator[Want, object, bool]:
    rules, issuer = found.rules, found.facts.issuer
    if rules.checks_issuer and not rules.names(issuer or ""):
        return False  # the application no longer allows the tenant
    return (yield from run_checks(found.rules, VerifiedToken(found.facts))) is None
