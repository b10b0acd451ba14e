"""The way of a token in both clients, up to the wait.

Owns: from a token to its verdict, by way of the memory, and keys asked for by hand. May not know:
how a flight flies or how a caller waits; the two shells add that.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Hashable, Mapping
from typing import Any

from . import _arguments as arguments
from ._attempt import Attempt, Want, judge_at_hand, shown
from ._base import BaseClient
from ._by_hand import signing_key
from ._core.claim_values import Wanted
from ._core.claims import Rules
from ._core.explain import Explanation, explain, refused_at_sight
from ._core.jwk import Key
from ._core.memo import Remembered
from ._core.token import TokenFacts, UnverifiedToken, VerifiedToken, parse, text_of
from ._source import KeySource
from ._verification import Accepted, Candidates, remembered, run_checks, steps
from .errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from .events import TokenRefused, TokenUndecided


class VerifyingClient(BaseClient):
    """A client that can verify tokens, but for the waiting."""

    def _begin(
        self, token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> VerifiedToken | Generator[Want, object, VerifiedToken]:
        """Verify a token with what is at hand.

        Returns the verified token, or the rest of its way, which may have to wait. Raises as
        `JWKSClient.verify` does.
        """
        pinned: Rules | None = None
        more: Wanted = ()
        by_the_call: Hashable = None
        if provider is not None or claim_values is not None:
            pinned = None if provider is None else self._routes.named(provider)
            more = arguments.claim_values(claim_values)
            by_the_call = (provider, _as_key(claim_values))
        kid: str | None = None
        try:
            if type(token) is str and len(token) <= self._max_token:
                text = token
            else:
                text = text_of(token, self._max_token)
            key = text if by_the_call is None else (text, by_the_call)
            found = self._memo.entries.get(key)
            if found is not None and found.counts(self.clock.time(), self.clock.monotonic()):
                if not found.rules.asks_the_application:
                    return VerifiedToken(found.facts)
                return self._ask_again(found, text, key, pinned, more)
            parsed = parse(text, self._max_header, self._memo.headers)
            kid = parsed.kid
            candidates = self._only or self._candidates(parsed, pinned)
            attempts: list[Attempt] = []
            for rules, source in candidates:
                judged = judge_at_hand(self, parsed, rules, source, more)
                if type(judged) is not Attempt:
                    self._remember(key, parsed, judged, rules, source, attempts)
                    # The claims that were parsed become this caller's own.
                    return VerifiedToken(judged, parsed.claims)
                attempts = [*attempts, judged]
                if judged.facts is not None:
                    break  # its own checks come next, and may have to wait
            way = steps(self, parsed, candidates, more, attempts)
            return self._rest(parsed, key, pinned, way)
        except JWKSError as error:
            refusal = error
        try:
            # Outside the except block: what arose from a token's bytes has no cause or context.
            raise self._told(refusal, pinned, kid)
        finally:
            del refusal  # or the error's traceback would hold the frame that holds the error

    def _rest(
        self,
        parsed: UnverifiedToken,
        key: Hashable,
        pinned: Rules | None,
        way: Generator[Want, object, Accepted | JWKSError],
    ) -> Generator[Want, object, VerifiedToken]:
        outcome = yield from way
        if isinstance(outcome, Accepted):
            self._remember(key, parsed, *outcome)
            return VerifiedToken(outcome.facts)
        try:
            raise self._told(outcome, pinned, parsed.kid)
        finally:
            del outcome

    def _ask_again(
        self,
        found: Remembered,
        text: str,
        key: Hashable,
        pinned: Rules | None,
        more: Wanted,
    ) -> Generator[Want, object, VerifiedToken]:
        """What is remembered counts if the application still says yes; else the whole way."""
        if (yield from _still_accepted(found)):
            return VerifiedToken(found.facts)
        parsed = parse(text, self._max_header)
        return (yield from self._rest(parsed, key, pinned, self._way(parsed, pinned, more)))

    def _way(
        self, parsed: UnverifiedToken, pinned: Rules | None, more: Wanted
    ) -> Generator[Want, object, Accepted | JWKSError]:
        try:
            candidates = self._candidates(parsed, pinned)
        except TokenError as error:
            return error
        return (yield from steps(self, parsed, candidates, more, []))

    def _candidates(self, parsed: UnverifiedToken, pinned: Rules | None) -> Candidates:
        some = self._routes.candidates(parsed) if pinned is None else (pinned,)
        return [(rules, self._sources[rules.name]) for rules in some]

    def _remember(  # noqa: PLR0917 (called for each token, and keywords cost)
        self,
        key: Hashable,
        parsed: UnverifiedToken,
        facts: TokenFacts,
        rules: Rules,
        source: KeySource,
        earlier: list[Attempt],
    ) -> None:
        memo = self._memo
        # Where it depends on more than the token who names its issuer, another provider might come
        # first tomorrow.
        entry: Remembered | None = None
        if self._keeps_tokens and self._routes.settled:
            entry = remembered(facts, rules, source, earlier, self.clock.monotonic())
        if entry is None and parsed.header_segment in memo.headers:
            return
        with self._memo_lock:
            if entry is not None:
                memo.remember(key, entry)
            if parsed.header_segment not in memo.headers:  # one call less for nearly every token
                memo.remember_header(parsed)

    def _told(self, error: JWKSError, pinned: Rules | None, kid: str | None) -> JWKSError:
        """The error of a refusal, once listeners were told of it."""
        only = next(iter(self._sources)) if len(self._sources) == 1 else None
        error.provider = only if pinned is None else pinned.name
        error.kid = None if kid is None else shown(kid)
        if isinstance(error, KeysUnavailableError):
            self.tell(TokenUndecided(provider=error.provider, code=error.code, kid=error.kid))
        else:
            claim = error.claim if isinstance(error, TokenError) else None
            self.tell(
                TokenRefused(provider=error.provider, code=error.code, claim=claim, kid=error.kid)
            )
        return error

    def _explained(self, token: object) -> Generator[Want, object, Explanation]:
        """Go the whole way, and tell of it instead of raising."""
        try:
            parsed = parse(text_of(token, self._max_token), self._max_header)
            candidates = self._candidates(parsed, None)
        except TokenError as error:
            return refused_at_sight(error)
        outcome = yield from steps(self, parsed, candidates, (), [])
        return explain(
            parsed,
            [(rules, source.cache) for rules, source in candidates],
            None if isinstance(outcome, Accepted) else outcome,
            outcome.rules.name if isinstance(outcome, Accepted) else None,
            (self.clock.time(), self.clock.monotonic()),
        )

    # --- keys by hand

    def _one_source(self, provider: str | None) -> KeySource:
        if provider is None:
            if len(self._sources) > 1:
                raise ConfigurationError("provider", "must be named, since the client has several")
            return next(iter(self._sources.values()))
        return self._sources[self._routes.named(provider).name]

    def _sources_of(self, provider: str | None) -> list[KeySource]:
        some = self._sources.values() if provider is None else (self._one_source(provider),)
        return list({id(one): one for one in some if not one.fixed}.values())

    def _cold_sources(self) -> list[KeySource]:
        now = self.clock.monotonic()
        return [
            one for one in self._sources_of(None) if one.cache.state(now) not in ("fresh", "due")
        ]

    def _signing_key(
        self, kid: str | None, alg: str | None, provider: str | None
    ) -> Generator[Want, object, Key]:
        source = self._one_source(provider)
        algorithms = tuple(source.plan.provider.algorithms) if alg is None else (alg,)
        return signing_key(self, source, kid, algorithms)

    def _key_of_token(self, token: str | bytes) -> Generator[Want, object, Key]:
        parsed = parse(text_of(token, self._max_token), self._max_header)
        rules = self._routes.candidates(parsed)[0]
        rules.admit(parsed)
        return signing_key(self, self._sources[rules.name], parsed.kid, (parsed.algorithm,))


def _as_key(claim_values: Mapping[str, Any] | None) -> str | None:
    return None if claim_values is None else json.dumps(dict(claim_values), sort_keys=True)


def _still_accepted(found: Remembered) -> Generator[Want, object, bool]:
    rules, issuer = found.rules, found.facts.issuer
    if rules.checks_issuer and not rules.names(issuer or ""):
        return False  # a tenant that the application no longer allows
    return (yield from run_checks(found.rules, VerifiedToken(found.facts))) is None
