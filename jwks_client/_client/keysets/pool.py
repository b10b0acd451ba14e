"""Make the key sets of a client's providers, some of which share one.

Must not depend on clients or flights.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..._core.issuers.resolver_answers import same_value
from ..._core.keysets.cache import KeyCache
from ..._core.keysets.fetch import Plan
from ..._core.keysets.jwk import BadKeySet, read_key_set
from ..._core.policy import CachePolicy, FetchPolicy
from ..._core.provider import Provider
from ...errors import ConfigurationError
from .source import KeySource

if TYPE_CHECKING:
    from ...protocols import Clock
    from .shared import SharedKeySet

JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sources:
    """Makes the key sets of a client.

    ``share`` returns how a key set uses the client's store, or None without a store.
    """

    cache: CachePolicy
    fetch: FetchPolicy
    clock: Clock
    chance: random.Random
    share: Callable[[Plan], SharedKeySet | None] = field(repr=False)
    _configured: dict[Hashable, KeySource] = field(
        default_factory=dict[Hashable, KeySource], init=False, repr=False
    )

    def of(self, providers: Iterable[Provider]) -> dict[str, KeySource]:
        """Return each provider's key set by name; providers with an equal source share one."""
        named: dict[str, KeySource] = {}
        for provider in providers:
            place = _place(provider)
            if place not in self._configured:
                self._configured[place] = self._make(provider)
            named[provider.name] = self._configured[place]
        return named

    def of_tenant(self, provider: Provider, former: KeySource | None) -> KeySource:
        """Return the key set of a tenant: the former one, if its keys have the same source.

        Tenants do not share key sets with each other, so that they have separate budgets and
        events. But a tenant shares the fetched key set of a configured provider with an equal URL.

        Arguments:
            provider: the tenant's current provider.
            former: its previous key set, if it was loaded.
        """
        place = _place(provider)
        if former is not None:
            before = former.plan.provider
            if _place(before) == place and same_value(before.jwks, provider.jwks):
                return former
        shared = self._configured.get(place) if provider.jwks is None else None
        return shared or self._make(provider)

    def _make(self, provider: Provider) -> KeySource:
        plan = Plan(provider=provider, cache=self.cache, fetch=self.fetch)
        if provider.jwks is None:
            cache = KeyCache(policy=self.cache, due_share=due_share(self.cache, self.chance))
            return KeySource(plan, cache, self.clock, self.chance.random, self.share(plan))
        try:
            key_set = read_key_set(provider.jwks, max_keys=self.fetch.max_keys)
        except BadKeySet as bad:
            raise ConfigurationError(
                "jwks", f"must be a JWK Set with a usable key: {bad}"
            ) from None
        cache = KeyCache(policy=self.cache, due_share=None, key_set=key_set, lifetime=math.inf)
        return KeySource(plan, cache, self.clock, self.chance.random, None)


def due_share(policy: CachePolicy, chance: random.Random) -> float | None:
    """Return the share of the lifetime after which a set is due in this process; None for never.

    The jitter keeps processes that started together from fetching together. It must not move the
    fetch beyond the lifetime.
    """
    share = policy.refresh_ahead
    if share is None:
        return None
    return min(share * chance.uniform(1 - JITTER, 1 + JITTER), (1 + share) / 2)


def _place(provider: Provider) -> Hashable:
    """Return the URL and fetch settings; providers with equal ones share a key set."""
    if provider.jwks is not None:
        return ("static", provider.name)
    headers = provider.headers
    sent = id(headers) if callable(headers) else tuple(sorted((headers or {}).items()))
    issuer = None if provider.discovery_url is None else repr(provider.issuer)
    fetched_by = (sent, provider.allow_http, provider.store_scope)
    return (provider.jwks_url, provider.discovery_url, issuer, *fetched_by)
