"""The way of a token in both clients, up to the wait.

Owns: from a token to its verdict, by way of the memory, and keys asked for by hand. May not know:
how a flight flies or how a caller waits; the two shells add that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from ..._core.issuers.routes import verdict
from ..._core.keysets.jwk import Key, KeySet
from ..._core.provider import SUPPORTED_ALGORITHMS
from ..._core.tokens.claim_values import Wanted
from ..._core.tokens.claims import Rules
from ..._core.tokens.memo import LONGEST, Remembered
from ..._core.tokens.unverified import UnverifiedToken, new_tuple, parse, text_of
from ..._core.tokens.verified import TokenFacts, VerifiedToken
from ...errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from ...events import TokenRefused, TokenUndecided, shown_kid
from .. import arguments
from ..base import BaseClient
from ..issuers.directory import Candidates, Pin
from ..keysets.source import KeySource
from .attempt import Attempt, check_with_cached_keys
from .candidates import Accepted, Way, is_lasting, steps
from .checks import run_checks
from .key_lookup import fetched, is_cached, loaded, signing_key
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.tokens.explain import Explanation


class VerifyingClient(BaseClient):
    """A client that can verify tokens, but for the waiting."""

    def _begin(  # noqa: C901, PLR0912 (each token comes this way, so it is told in one piece)
        self, token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> VerifiedToken | Way:
        """Verify a token with what is at hand.

        Returns the verified token, or the rest of its way, which may have to wait. Raises as
        `JWKSClient.verify` does.
        """
        pin: Pin | None = None
        more: Wanted = ()
        by_the_call: Hashable = None
        if provider is not None or claim_values is not None:
            pin = None if provider is None else self._directory.pin(provider)
            more = arguments.claim_values(claim_values)
            by_the_call = (provider, _as_key(claim_values))
        parsed: UnverifiedToken | None = None
        candidates = self._directory.only
        try:
            if type(token) is str and len(token) <= self._max_token:
                text = token
            else:
                text = text_of(token, self._max_token)
            key = text if by_the_call is None else (text, by_the_call)
            memo = self._memo
            found = memo.entries.get(key) if memo.keeps_tokens else None
            if found is not None and found.counts(self._clock.time(), self._clock.monotonic()):
                if not found.rules.asks_the_application:
                    return VerifiedToken(found.facts)
                return self._ask_again(found, text, key, pin, more)
            parsed = parse(text, self._max_header, memo.headers)
            if candidates is None:
                candidates = self._directory.at_hand(parsed, pin)
                if candidates is None:
                    return self._ask_whose(parsed, key, pin, more)
            attempts: list[Attempt] = []
            for rules, source in candidates.pairs:
                judged = check_with_cached_keys(self._flights, parsed, rules, source, more)
                if type(judged) is not Attempt:
                    if (
                        memo.keeps_tokens
                        or candidates.tenant is not None
                        or parsed.header_segment not in memo.headers
                    ):
                        self._remember(key, parsed, judged, rules, source, attempts, candidates)
                    # The claims that were parsed become this caller's own.
                    return VerifiedToken(judged, parsed.claims)
                attempts = [*attempts, judged]
                if judged.facts is not None:
                    break  # its own checks come next, and may have to wait
            return self._rest(parsed, key, pin, more, candidates, attempts)
        except JWKSError as error:
            refusal = error
        try:
            # Outside the except block: what arose from a token's bytes has no cause or context.
            raise self._told(refusal, pin, parsed, candidates)
        finally:
            del refusal  # or the error's traceback would hold the frame that holds the error

    def _rest(  # noqa: PLR0917 (as _remember)
        self,
        parsed: UnverifiedToken,
        key: Hashable,
        pin: Pin | None,
        more: Wanted,
        candidates: Candidates,
        attempts: list[Attempt],
    ) -> Way:
        """The part of a verification that may have to wait."""
        outcome = yield from steps(self._flights, parsed, candidates, more, attempts)
        if isinstance(outcome, Accepted):
            self._remember(key, parsed, *outcome, candidates)
            return VerifiedToken(outcome.facts)
        try:
            raise self._told(outcome, pin, parsed, candidates)
        finally:
            del outcome

    def _ask_whose(
        self, parsed: UnverifiedToken, key: Hashable, pin: Pin | None, more: Wanted
    ) -> Way:
        """Find out whose the token may be, for which the application may have to be asked."""
        try:
            candidates = yield from self._directory.asked(parsed, pin)
        except JWKSError as error:
            refusal = error
        else:
            return (yield from self._rest(parsed, key, pin, more, candidates, []))
        try:
            raise self._told(refusal, pin, parsed, None)
        finally:
            del refusal

    def _ask_again(
        self, found: Remembered, text: str, key: Hashable, pin: Pin | None, more: Wanted
    ) -> Way:
        """What is remembered counts if the application still says yes; else the whole way."""
        if (yield from _still_accepted(found)):
            return VerifiedToken(found.facts)
        parsed = parse(text, self._max_header)
        return (yield from self._ask_whose(parsed, key, pin, more))

    def _remember(  # noqa: PLR0917 (called for each token, and keywords cost)
        self,
        key: Hashable,
        parsed: UnverifiedToken,
        facts: TokenFacts,
        rules: Rules,
        source: KeySource,
        earlier: list[Attempt],
        candidates: Candidates,
    ) -> None:
        memo, tenant = self._memo, candidates.tenant
        entry: Remembered | None = None
        holder = source if tenant is None else tenant
        now = self._clock.monotonic()
        # Where it depends on more than the token who names its issuer, or on a tenant that refused
        # it, another provider might come first tomorrow.
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
                    memo.remember(key, entry)
                if parsed.header_segment not in memo.headers:  # saves a call for nearly every token
                    memo.remember_header(parsed)
            finally:
                self._memo_is_busy = False

    def _told(
        self,
        error: JWKSError,
        pin: Pin | None,
        parsed: UnverifiedToken | None,
        candidates: Candidates | None,
    ) -> JWKSError:
        """The error of a refusal, once listeners were told of it."""
        error.kid = None if parsed is None or parsed.kid is None else shown_kid(parsed.kid)
        if isinstance(pin, Rules):
            error.provider = pin.name
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
        """Go the whole way, and tell of it instead of raising."""
        from ..._core.tokens.explain import explain, refused_before_routing

        try:
            parsed = parse(text_of(token, self._max_token), self._max_header)
            candidates = yield from self._directory.asked(parsed, None)
        except JWKSError as error:
            return refused_before_routing(error, token)
        attempts: list[Attempt] = []
        outcome = yield from steps(self._flights, parsed, candidates, (), attempts)
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

    # --- keys by hand

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
        parsed = parse(text_of(token, self._max_token), self._max_header)
        candidates = yield from self._directory.asked(parsed, None)
        errors: list[JWKSError] = [] if candidates.refusal is None else [candidates.refusal]
        admitted: list[tuple[Rules, KeySource]] = []
        for rules, source in candidates.pairs:
            try:
                rules.check_header(parsed)
            except TokenError as error:
                errors.append(error)
            else:
                admitted.append((rules, source))
        # As for a verification: keys at hand come before any fetch, else the order given.
        admitted.sort(key=lambda pair: not is_cached(pair[1], parsed.kid, parsed.algorithm))
        for rules, source in admitted:
            wanted = (parsed.algorithm,)
            try:
                return (yield from signing_key(self._flights, rules, source, parsed.kid, wanted))
            except (TokenError, KeysUnavailableError) as error:
                errors.append(error)
        raise verdict((), errors)


def _as_key(claim_values: Mapping[str, Any] | None) -> str | None:
    return None if claim_values is None else json.dumps(dict(claim_values), sort_keys=True)


def _still_accepted(found: Remembered) -> Generator[Want, object, bool]:
    rules, issuer = found.rules, found.facts.issuer
    if rules.checks_issuer and not rules.names(issuer or ""):
        return False  # a tenant that the application no longer allows
    return (yield from run_checks(found.rules, VerifiedToken(found.facts))) is None
