"""Requests for keys without a verification, by provider name.

Like a verification, each request is a generator that yields what to wait for. Must not depend on
what carries a flight or on how a caller waits.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import final

from ..._core.issuers.routes import verdict
from ..._core.keysets.jwk import Key, KeySet
from ..._core.policy import FetchPolicy
from ..._core.provider import SUPPORTED_ALGORITHMS
from ..._core.tokens.claims import Rules
from ..._core.tokens.unverified import MAX_KID, UnverifiedToken, parse, text_of
from ...errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from .. import arguments
from ..issuers.directory import Directory
from ..keysets.flights import Flights
from ..keysets.source import KeySource
from .key_lookup import fetched, is_cached, loaded, signing_key
from .waiting import Want


@final
class KeyRequests:
    """The requests for keys of one client.

    Arguments:
        directory: the client's providers.
        flights: the client's flights.
        limits: the limits of a token's size.
    """

    __slots__ = ("_directory", "_flights", "_limits")

    def __init__(self, directory: Directory, flights: Flights, limits: FetchPolicy) -> None:
        self._directory = directory
        self._flights = flights
        self._limits = limits

    def key_set(self, provider: str | None) -> Generator[Want, object, KeySet]:
        """Return the cached key set of a provider, fetched if there is none."""
        rules, source = yield from self._named(provider)
        return (yield from loaded(self._flights, rules.name, source))

    def refresh(self, provider: str | None) -> Generator[Want, object]:
        """Fetch the key set of one provider, or of all concurrently."""
        sources = self._fetched_sources()
        if provider is not None:
            _, source = yield from self._named(provider)
            sources = [] if source.fixed else [source]
        yield from fetched(self._flights, sources, manual=True)

    def warm_up(self, timeout: object, *, required: bool = False) -> Generator[Want, object]:
        """Fetch the key sets that are not loaded or have expired, concurrently.

        Arguments:
            timeout: maximum wait in seconds.
            required: wait only for the key sets that startup requires, and begin to fetch the
                others.
        """
        until = time.monotonic() + arguments.seconds_of(timeout)
        now = self._flights.clock.monotonic()
        cold = [
            one for one in self._fetched_sources() if one.cache.state(now) not in {"fresh", "due"}
        ]
        if required:
            for one in cold:
                if one not in self._directory.required:
                    self._flights.refresh_behind(one)
            cold = [one for one in cold if one in self._directory.required]
        yield from fetched(self._flights, cold, manual=False, until=until)

    def signing_key(
        self, kid: str | None, alg: str | None, provider: str | None
    ) -> Generator[Want, object, Key]:
        """Return the key with a kid that fits ``alg``, or any of the provider's algorithms.

        Both may come from a token that was not verified, so they may have any type and size.
        """
        rules, source = yield from self._named(provider)
        if kid is not None and not _may_name_a_key(kid):
            raise TokenError("unknown_key", "the provider publishes no such key")
        algorithms = tuple(rules.provider.algorithms)
        if alg is not None:
            # A key set remembers its selections, so one name represents all unsupported algorithms.
            supported = isinstance(alg, str) and alg in SUPPORTED_ALGORITHMS  # pyright: ignore[reportUnnecessaryIsInstance]
            algorithms = (alg if supported else "",)
        return (yield from signing_key(self._flights, rules, source, kid, algorithms))

    def key_of_token(self, token: str | bytes) -> Generator[Want, object, Key]:
        """Return the key that a token names. The token is not verified."""
        parsed: UnverifiedToken | JWKSError
        try:
            parsed = parse(text_of(token, self._limits.max_token), self._limits.max_header)
        except JWKSError as error:
            parsed = error.with_traceback(None)
        del token  # so that no frame of a traceback holds it
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

    def _named(self, provider: str | None) -> Generator[Want, object, tuple[Rules, KeySource]]:
        if provider is not None:
            return (yield from self._directory.named(provider))
        only = self._directory.only
        if only is None:
            raise ConfigurationError(
                "provider", "must be given, because the client has several providers"
            )
        return only.pairs[0]

    def _fetched_sources(self) -> list[KeySource]:
        sources = self._directory.all_sources().values()
        return [one for one in dict.fromkeys(sources) if not one.fixed]


def _may_name_a_key(kid: object) -> bool:
    return isinstance(kid, str) and len(kid) <= MAX_KID
