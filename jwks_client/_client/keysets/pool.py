"""How a client's providers become its key sets.

Owns: which providers share a key set, and what each begins with. May not know: clients, flights.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..._core.keysets.cache import KeyCache
from ..._core.keysets.fetch import Plan
from ..._core.keysets.jwk import BadKeySet, read_key_set
from ..._core.policy import CachePolicy, FetchPolicy
from ..._core.provider import Provider
from ..._version import __version__
from ...errors import ConfigurationError
from .source import KeySource

if TYPE_CHECKING:
    from ...events import Event
    from ...protocols import Clock

JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sources:
    """What every key set of a client is made with."""

    cache: CachePolicy
    fetch: FetchPolicy
    clock: Clock
    tell: Callable[[Event], None]
    chance: random.Random
    _configured: dict[Hashable, KeySource] = field(
        default_factory=dict[Hashable, KeySource], init=False, repr=False
    )

    def of(self, providers: Iterable[Provider]) -> dict[str, KeySource]:
        """The key set of each provider by the provider's name; an equal place is one key set."""
        named: dict[str, KeySource] = {}
        for provider in providers:
            place = _place(provider)
            if place not in self._configured:
                self._configured[place] = self._make(provider)
            named[provider.name] = self._configured[place]
        return named

    def of_tenant(self, provider: Provider, former: KeySource | None) -> KeySource:
        """The key set of a tenant: its former one, if the keys come from the same place still.

        Tenants never share one, so that what the tokens of one cause, from budgets to events, is
        its own; but a tenant whose keys a configured provider has already has those.

        Arguments:
            provider: as the application describes the tenant now.
            former: what it had until now, if it was there.
        """
        place = _place(provider)
        if former is not None:
            before = former.plan.provider
            if _place(before) == place and before.jwks == provider.jwks:
                return former
        return self._configured.get(place) or self._make(provider)

    def _make(self, provider: Provider) -> KeySource:
        plan = Plan(
            provider=provider,
            cache=self.cache,
            fetch=self.fetch,
            user_agent=f"jwks-client-sdk/{__version__}",
        )
        if provider.jwks is None:
            cache = KeyCache(policy=self.cache, due_share=due_share(self.cache, self.chance))
            return KeySource(plan, cache, self.clock, self.tell, self.chance.random)
        try:
            key_set = read_key_set(provider.jwks, max_keys=self.fetch.max_keys)
        except BadKeySet as bad:
            raise ConfigurationError("jwks", f"takes a JWK Set with a usable key: {bad}") from None
        return KeySource.holding(plan, key_set, self.clock, self.tell)


def due_share(policy: CachePolicy, chance: random.Random) -> float | None:
    """The share of the life after which a set is due in this process, or None for never.

    A fleet that started together must not fetch in step; nor may jitter push the fetch past the
    life.
    """
    share = policy.refresh_ahead
    if share is None:
        return None
    return min(share * chance.uniform(1 - JITTER, 1 + JITTER), (1 + share) / 2)


def _place(provider: Provider) -> Hashable:
    """What makes two providers' key sets one: an equal URL and equal ways to fetch it."""
    if provider.jwks is not None:
        return ("in hand", provider.name)
    headers = provider.headers
    sent = id(headers) if callable(headers) else tuple(sorted((headers or {}).items()))
    issuer = None if provider.discovery_url is None else repr(provider.issuer)
    return (provider.jwks_url, provider.discovery_url, issuer, sent, provider.allow_http)
