"""What both clients share: settings, the way of a token up to the wait, health, events.

Owns: everything of a client that needs neither thread nor task. May not know: how a flight flies or
how a caller waits; the two shells add that (`_sync.JWKSClient`, `_async.AsyncJWKSClient`).
"""

from __future__ import annotations

import json
import logging
import os
import random
import ssl
import threading
import time
import weakref
from collections.abc import Generator, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from . import _arguments as arguments
from ._by_hand import signing_key
from ._clock import SystemClock
from ._core import settings
from ._core.cache import Budget, Fetch, Need
from ._core.claims import Rules
from ._core.explain import Explanation, explain, refused_at_sight
from ._core.jwk import Key
from ._core.memo import Memo, Remembered
from ._core.policy import CachePolicy, FetchPolicy
from ._core.provider import Provider
from ._core.route import Routes
from ._core.token import UnverifiedToken, VerifiedToken, parse, text_of
from ._health import Health, health_of
from ._source import Flight, KeySource
from ._sources import Sources, due_share
from ._verification import Accepted, Verification, Want, remembered, run_checks
from .errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from .events import Event, TokenRefused, TokenUndecided

if TYPE_CHECKING:
    from .protocols import Clock, Listener

_log = logging.getLogger("jwks_client")
JITTER: Final = 0.1


class BaseClient:
    """Settings and rules of a client; see the two clients for the arguments."""

    _asynchronous = False

    def __init__(
        self,
        *providers: Provider,
        cache: CachePolicy,
        fetch: FetchPolicy,
        token_cache_size: int,
        http: object,
        listeners: Iterable[Listener],
        clock: Clock | None,
    ) -> None:
        # Heavy imports are paid here, at start-up, and neither by the import nor by a request.
        from ._core import algorithms as _algorithms  # noqa: F401

        if not isinstance(cache, CachePolicy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("cache", "takes a CachePolicy")
        if not isinstance(fetch, FetchPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("fetch", "takes a FetchPolicy")
        arguments.check_http(http, fetch, asynchronous=self._asynchronous)
        self._cache_policy = cache
        self._fetch_policy = fetch
        self._memo = Memo(settings.whole("token_cache_size", token_cache_size))
        self._memo_lock = threading.Lock()
        self._listeners = arguments.listeners(listeners)
        self.clock: Clock = SystemClock() if clock is None else arguments.clock(clock)
        self._closed = False
        self._random = random.SystemRandom()
        self._routes = Routes(providers)
        arguments.check_checks(providers, asynchronous=self._asynchronous)
        make = Sources(cache, fetch, self.clock, self.tell, self._random)
        self._sources = make.of(providers)
        self._tls: ssl.SSLContext | None = None
        if fetch.ca_file is not None:
            self._tls = self._make_tls()
        _living.add(self)

    # --- what the shells add

    def flight_of(self, source: KeySource) -> Flight | None:
        """The flight in the air, where this caller could wait for it."""
        raise NotImplementedError

    def _new_flight(self, source: KeySource, number: int, doubts: str | None) -> Flight:
        """Make a flight and put it in the air; the lock is held, so it does not start yet."""
        raise NotImplementedError

    def _start(self, source: KeySource, flight: Flight) -> None:
        """Start a flight that was put in the air."""
        raise NotImplementedError

    def _public_trust(self) -> ssl.SSLContext:
        """A context that trusts the public authorities, as httpx makes it."""
        raise NotImplementedError

    # --- making a client

    def _make_tls(self) -> ssl.SSLContext:
        context = self._public_trust()
        if self._fetch_policy.ca_file is not None:
            try:
                context.load_verify_locations(cafile=self._fetch_policy.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationError(
                    "ca_file", "takes a readable PEM file of certificate authorities"
                ) from error
        return context

    def _tls_context(self) -> ssl.SSLContext:
        """The one SSL context of this client; made at the first fetch (tens of milliseconds)."""
        if self._tls is None:
            self._tls = self._make_tls()
        return self._tls

    # --- the way of a token

    def _recall(
        self, token: object, provider: str | None, claim_values: Mapping[str, Any] | None
    ) -> Remembered | None:
        """What is remembered of these very bytes and still counts, for a call that asks no more."""
        if provider is not None or claim_values is not None:
            return None
        key = token if type(token) is str else _as_text(token)
        if key is None or len(key) > self._fetch_policy.max_token:
            return None
        return self._memo.recall(key, self.clock.time(), self.clock.monotonic())

    def _verification(
        self,
        token: object,
        provider: str | None,
        claim_values: Mapping[str, Any] | None,
        found: Remembered | None,
    ) -> Generator[Want, object, VerifiedToken]:
        """The whole way, as a generator that yields what must be waited for.

        ``found`` is what `_recall` found, whose rules ask the application again.
        """
        pinned = None if provider is None else self._routes.named(provider)
        more = arguments.claim_values(claim_values)
        try:
            text = text_of(token, self._fetch_policy.max_token)
            key = _memo_key(text, provider, claim_values)
            if key is not text:  # a call that asks for more is remembered under that, too
                found = self._memo.recall(key, self.clock.time(), self.clock.monotonic())
            if found is not None and (yield from _still_accepted(found)):
                return VerifiedToken(found.facts)
            parsed = parse(text, self._fetch_policy.max_header, self._memo.headers)
            pairs = self._candidates(parsed, pinned)
            outcome = yield from Verification(self, parsed, pairs, more).steps()
            if isinstance(outcome, Accepted):
                self._remember(key, outcome, parsed)
                return outcome.token
        except JWKSError as error:
            outcome = error
        self._tell_refusal(outcome, pinned.name if pinned else None)
        try:
            # Raised outside the except block: what arose from a token's bytes has no cause or
            # context.
            raise outcome
        finally:
            del outcome  # or the error's traceback would hold the frame that holds the error

    def _candidates(
        self, parsed: UnverifiedToken, pinned: Rules | None
    ) -> list[tuple[Rules, KeySource]]:
        some = self._routes.candidates(parsed) if pinned is None else (pinned,)
        return [(rules, self._sources[rules.name]) for rules in some]

    def _explained(self, token: object) -> Generator[Want, object, Explanation]:
        """Go the whole way, and tell of it instead of raising."""
        try:
            text = text_of(token, self._fetch_policy.max_token)
            parsed = parse(text, self._fetch_policy.max_header)
            pairs = self._candidates(parsed, None)
        except TokenError as error:
            return refused_at_sight(error)
        outcome = yield from Verification(self, parsed, pairs, ()).steps()
        return explain(
            parsed,
            [(rules, source.cache) for rules, source in pairs],
            None if isinstance(outcome, Accepted) else outcome,
            outcome.token.provider if isinstance(outcome, Accepted) else None,
            (self.clock.time(), self.clock.monotonic()),
        )

    def _remember(self, key: Hashable, accepted: Accepted, parsed: UnverifiedToken) -> None:
        # Where it depends on more than the token who names its issuer, another provider might come
        # first tomorrow.
        keep = self._memo.keeps_tokens and self._routes.settled
        entry = remembered(accepted, self.clock.monotonic()) if keep else None
        with self._memo_lock:
            self._memo.remember_header(parsed)
            if entry is not None:
                self._memo.remember(key, entry)

    # --- flights

    def begin_flight(
        self, source: KeySource, budget: Budget, need: Need | None, seen: int
    ) -> Flight | None:
        """Join the flight in the air or begin one; None if the facts no longer ask for it.

        Arguments:
            source: the key set.
            budget: what pays for it.
            need: what the token asks for; None to fetch whatever the facts say (a refresh by hand),
                but for an unknown-kid fetch, which always takes a permit.
            seen: how many flights had begun when the caller first looked.
        """
        with source.lock:
            flight = self.flight_of(source)
            if flight is not None:
                return flight
            if self._closed:
                raise KeysUnavailableError("fetch_failed", "the client is closed")
            if not self._still_wanted(source, budget, need, seen):
                return None
            doubts = need.kid if need is not None and budget is Budget.BAD_SIGNATURE else None
            flight = self._claim(source, budget, doubts)
        self._start(source, flight)
        return flight

    def _still_wanted(
        self, source: KeySource, budget: Budget, need: Need | None, seen: int
    ) -> bool:
        """Under the lock: whether nobody has answered, or spent the permit, in the meantime."""
        now = self.clock.monotonic()
        cache = source.cache
        if budget is Budget.BAD_SIGNATURE:
            return cache.may_doubt(now)
        if need is not None:
            return isinstance(cache.look_up(need, now, just_came=source.came_since(seen)), Fetch)
        return budget is Budget.ROUTINE or (cache.has_permit(now) and not cache.in_backoff(now))

    def _claim(self, source: KeySource, budget: Budget, doubts: str | None) -> Flight:
        source.pay(budget)
        source.begun += 1
        return self._new_flight(source, source.begun, doubts)

    def refresh_behind(self, source: KeySource) -> None:
        """Begin a flight that nobody waits for, if none is in the air."""
        with source.lock:
            if self._closed or self.flight_of(source) is not None:
                return
            now = self.clock.monotonic()
            # Another's flight may have landed, well or badly, since this caller looked.
            if source.cache.in_backoff(now) or source.cache.state(now) == "fresh":
                return
            flight = self._claim(source, Budget.ROUTINE, None)
        self._start(source, flight)

    def _overdue_at(self) -> float:
        return time.monotonic() + self._fetch_policy.deadline

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
        parsed = parse(text_of(token, self._fetch_policy.max_token), self._fetch_policy.max_header)
        rules = self._routes.candidates(parsed)[0]
        rules.admit(parsed)
        return signing_key(self, self._sources[rules.name], parsed.kid, (parsed.algorithm,))

    # --- state and events

    def health(self) -> Mapping[str, Health]:
        """How each provider's key set is doing, by provider name. Never does I/O."""
        now, wall = self.clock.monotonic(), self.clock.time()
        return {name: health_of(source.cache, now, wall) for name, source in self._sources.items()}

    def tell(self, event: Event) -> None:
        """Give an event to every listener; what one raises harms nobody."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 (the application's code)
                _log.debug("a listener raised over %s", type(event).__name__, exc_info=True)

    def _tell_refusal(self, error: JWKSError, provider: str | None) -> None:
        only = next(iter(self._sources)) if len(self._sources) == 1 else provider
        if isinstance(error, KeysUnavailableError):
            self.tell(TokenUndecided(provider=only, code=error.code))
        else:
            claim = error.claim if isinstance(error, TokenError) else None
            self.tell(TokenRefused(provider=only, code=error.code, claim=claim))

    def after_fork(self) -> None:
        """In the child: new locks (a lost thread may hold the old), no flights, own jitter."""
        self._memo_lock = threading.Lock()
        for source in self._sources.values():
            source.after_fork(due_share(self._cache_policy, self._random))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self._routes.names)}>"


def _as_text(token: object) -> str | None:
    if isinstance(token, bytes):
        return token.decode("ascii") if token.isascii() else None
    return token if isinstance(token, str) else None


def _memo_key(text: str, provider: str | None, claim_values: Mapping[str, Any] | None) -> Hashable:
    if provider is None and claim_values is None:
        return text
    return (
        text,
        provider,
        None if claim_values is None else json.dumps(dict(claim_values), sort_keys=True),
    )


def _still_accepted(found: Remembered) -> Generator[Want, object, bool]:
    rules, issuer = found.rules, found.facts.issuer
    if rules.checks_issuer and not rules.names(issuer or ""):
        return False  # a tenant that the application no longer allows
    return (yield from run_checks(found.rules, VerifiedToken(found.facts))) is None


_living: weakref.WeakSet[BaseClient] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for client in list(_living):
        client.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(after_in_child=_after_fork_in_child)
