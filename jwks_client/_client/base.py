"""The parts that both clients share, and how they are put together.

Must not depend on how a caller waits; the two clients add that.
"""

from __future__ import annotations

import codecs
import os
import random
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core import settings
from .._core.locations import Location
from .._core.policy import CachePolicy, FetchPolicy, TenantPolicy
from .._core.provider import Provider
from ..events import Event, TenantDropped
from . import arguments
from .clock import SystemClock
from .fork_gate import no_fork
from .health import Health, health_of
from .issuers.directory import Directory
from .keeper import Keeper
from .keysets.flights import Crew, Flights
from .keysets.pool import Sources, due_share
from .keysets.shared import SharedKeySet
from .keysets.source import KeySource
from .keysets.store_calls import calls_of
from .keysets.thread_flights import ThreadCrew
from .usage import Begin, Counter, KeyUse, KeyUses, counted
from .verify.key_requests import KeyRequests
from .verify.token_verifier import TokenVerifier

if TYPE_CHECKING:
    from .._core.keysets.fetch import Plan
    from .._core.keysets.jwk import KeySet
    from ..protocols import Clock, Listener, Store
    from .issuers.resolver import Resolve
    from .issuers.tenants import Tenants
    from .network import Network

AnyResolver = TypeVar("AnyResolver", bound="Resolve")
AnyHTTPClient = TypeVar("AnyHTTPClient")


class BaseClient(Generic[AnyResolver, AnyHTTPClient]):
    """Settings and rules of a client; see the two clients for the arguments."""

    _asynchronous = False

    def __init__(
        self,
        *providers: Provider,
        resolve: AnyResolver | None = None,
        max_resolved: int = 256,
        resolve_ttl: float = 300,
        cache: CachePolicy = CachePolicy(),
        fetch: FetchPolicy = FetchPolicy(),
        token_cache_size: int = 1024,
        http: AnyHTTPClient | None = None,
        store: Store | None = None,
        count_keys: bool = False,
        listeners: Iterable[Listener] = (),
        clock: Clock | None = None,
    ) -> None:
        self._process = os.getpid()
        with no_fork:  # imports hold locks
            _import_heavy_modules()
            self._cache_policy = arguments.policy("cache", cache, CachePolicy)
            self._fetch_policy = arguments.policy("fetch", fetch, FetchPolicy)
            arguments.check_http(http, fetch, asynchronous=self._asynchronous)
            self._http = http
            memory = settings.whole("token_cache_size", token_cache_size)
            self._listeners = arguments.listeners(listeners)
            self._clock: Clock = SystemClock() if clock is None else arguments.clock(clock)
            self._random = random.SystemRandom()
            checked = None if store is None else arguments.store(store)
            self._store = None if checked is None else calls_of(checked, self._random.random)
            make = Sources(cache, fetch, self._clock, self._random, self._share)
            self._tenants = self._make_tenants(make, resolve, max_resolved, resolve_ttl)
            self._directory = Directory(providers, make, self._tenants, self._clock)
            arguments.check_checks(providers, asynchronous=self._asynchronous)
            self._network = None if http is not None else self._make_network(providers, resolve)
            self._flights = self._make_flights()
            self._keeper = self._make_keeper()
            self._requests = KeyRequests(self._directory, self._flights, fetch)
            self._verifier = TokenVerifier(
                self._directory, self._tenants, self._flights, limits=fetch, memory=memory
            )
            counts = settings.flag("count_keys", count_keys)
            self._uses = KeyUses(self._clock, self._key_sets) if counts else None
            self._count_with(*([] if self._uses is None else [self._uses.count]))
            _living.add(self)

    # --- making a client

    def _make_network(self, providers: Iterable[Provider], resolve: Resolve | None) -> Network:
        from .network import Network

        urls = [one.jwks_url or one.discovery_url for one in providers]
        return Network(
            self._fetch_policy, [url for url in urls if url], resolves=resolve is not None
        )

    def _share(self, plan: Plan) -> SharedKeySet | None:
        if self._store is None:
            return None
        return SharedKeySet(
            self._store,
            plan,
            own_http=self._http is not None,
            clock=self._clock,
            emit=self._emit,
            draw=self._random.random,
        )

    def _make_flights(self) -> Flights:
        wait = self._cache_policy.unknown_kid_wait
        if wait is None:
            wait = self._fetch_policy.deadline if self._asynchronous else 1.0
        return Flights(
            self._make_crew(),
            deadline=self._fetch_policy.deadline,
            unknown_kid_wait=wait,
            clock=self._clock,
            emit=self._emit,
            check_fork=self._check_fork,
        )

    def _make_crew(self) -> Crew:
        http: Any = self._http
        if http is not None and self._asynchronous:
            from .keysets.task_flights import TaskCrew

            return TaskCrew(http, self._fetch_policy)
        opens: Any = partial(nullcontext, http) if self._network is None else self._network.open
        return ThreadCrew(opens, self._fetch_policy)

    def _make_keeper(self) -> Keeper:
        as_task = self._http is not None and self._asynchronous
        return Keeper(
            self._flights, self._sources.values(), as_task=as_task, check_fork=self._check_fork
        )

    def _make_tenants(
        self, make: Sources, resolve: Resolve | None, max_resolved: int, resolve_ttl: float
    ) -> Tenants | None:
        cache = self._cache_policy
        policy = TenantPolicy(
            max_resolved=max_resolved,
            resolve_ttl=resolve_ttl,
            stale_if_error=cache.stale_if_error,
            backoff=cache.failure_backoff,
            ask_ahead=cache.refresh_ahead is not None,
        )
        if resolve is None:
            return None
        from .issuers.tenants import Tenants

        return Tenants(
            resolve,
            policy,
            asynchronous=self._asynchronous,
            clock=self._clock,
            make_source=make.of_tenant,
            emit=self._emit_for_tenant,
            check_fork=self._check_fork,
            draw=self._random.random,
        )

    # --- state and events

    @property
    def _sources(self) -> Mapping[str, KeySource]:
        return self._directory.sources

    @property
    def _locations(self) -> tuple[Location, ...]:
        """Return where a request may carry the providers' tokens, in order, without duplicates."""
        return self._directory.locations

    @property
    def ready(self) -> bool:
        """Return whether the key set of every configured provider has been loaded. Never does I/O.

        Once true it stays true. Providers with ``required_at_start=False`` do not count.
        """
        return all(source.cache.key_set is not None for source in self._directory.required)

    def health(self) -> Mapping[str, Health]:
        """Return the health of each provider's key set, by provider name. Never does I/O.

        Loaded tenants are included, by issuer.
        """
        now, wall = self._clock.monotonic(), self._clock.time()
        sources = self._directory.all_sources()
        return {
            name: health_of(
                source.cache, now, wall, None if source.shared is None else source.shared.state
            )
            for name, source in sources.items()
        }

    def usage(self) -> Mapping[str, tuple[KeyUse, ...]]:
        """Return how many tokens each key has verified in this process, by provider name.

        Never does I/O. Empty unless the client was made with ``count_keys=True``.
        """
        return {} if self._uses is None else self._uses.usage()

    def _watch(self, listener: Listener, count: Counter) -> Callable[[], None]:
        """Add a listener and a counter of accepted tokens. Return a function that removes both."""
        self._listeners = (*self._listeners, listener)
        self._count_with(*self._counters, count)

        def stop() -> None:
            self._listeners = tuple([one for one in self._listeners if one != listener])
            self._count_with(*[one for one in self._counters if one != count])

        return stop

    def _count_with(self, *counters: Counter) -> None:
        self._counters = counters
        begin: Begin = self._verifier.begin
        for counter in counters:
            begin = counted(begin, counter)
        self._begin = begin

    def _key_sets(self) -> dict[str, KeySet | None]:
        return {name: one.cache.key_set for name, one in self._directory.all_sources().items()}

    def forget(self, issuer: str) -> None:
        """Drop a resolved tenant: its keys and remembered tokens, or its remembered refusal.

        The next token of the issuer causes another call of ``resolve``. Never waits, so that a
        webhook can call it.

        Arguments:
            issuer: the tenant's issuer. A tenant that is not loaded is not an error.
        """
        if self._tenants is not None:
            self._tenants.forget(issuer)

    def _emit_for_tenant(self, event: Event) -> None:
        # An evicted tenant has not verified a token recently, so a search for its remembered tokens
        # is not worthwhile.
        if isinstance(event, TenantDropped) and event.reason != "evicted":
            self._verifier.drop_void()
        self._emit(event)

    def _emit(self, event: Event) -> None:
        """Pass an event to every listener. If a listener raises, the exception is only logged."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # the application's code
                import logging

                log = logging.getLogger("jwks_client")
                log.debug(
                    "a listener raised an exception for %s", type(event).__name__, exc_info=True
                )

    def _check_fork(self) -> bool:
        """Reset the client in a forked child, once. Return whether it was reset.

        The parts of the client call it too, because uWSGI may fork without the hooks of `os`.
        """
        if self._process == os.getpid():
            return False
        self._after_fork()
        self._process = os.getpid()
        return True

    def _after_fork(self) -> None:
        """Reset the client in a forked child: no flights, new locks, and a new jitter."""
        self._verifier.after_fork()
        if self._flights.after_fork() and self._network is not None:
            self._network.after_fork()
        if self._tenants is not None:
            self._tenants.after_fork()
        self._keeper.after_fork()
        for source in self._directory.all_sources().values():
            source.after_fork(due_share(self._cache_policy, self._random))

    def __repr__(self) -> str:
        resolved = () if self._tenants is None else ("resolved tenants",)
        return f"<{type(self).__name__} of {', '.join((*self._directory.names, *resolved))}>"


def _import_heavy_modules() -> None:
    """Import modules that neither ``import jwks_client`` nor a request should have to import."""
    from .._core.keysets import algorithms as _algorithms  # noqa: F401 (for later)

    codecs.lookup("unicode_escape")  # imports a module that events need


_living: weakref.WeakSet[BaseClient[Any, Any]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for client in list(_living):
        client._check_fork()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (our own class)


if hasattr(os, "register_at_fork"):  # pragma: no branch (not on Windows)
    os.register_at_fork(after_in_child=_after_fork_in_child)
