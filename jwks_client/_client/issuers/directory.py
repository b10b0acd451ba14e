"""The providers of one client, configured and resolved, with their key sets.

Finds the candidates for a token, and providers by name. A generator yields the resolver's calls to
wait for. Must not depend on how a token is verified or how callers wait.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..._core.issuers.resolver_answers import askable, precheck_expiry
from ..._core.issuers.routes import Routes
from ..._core.locations import Location
from ..._core.provider import Provider
from ..._core.tokens.claims import Rules
from ..._core.tokens.unverified import UnverifiedToken
from ..._core.unchecked import UNCHECKED
from ...errors import JWKSError, KeysUnavailableError, TokenError
from ..keysets.pool import Sources
from ..keysets.source import KeySource
from .resolver_call import Resolution

if TYPE_CHECKING:
    from ...protocols import Clock
    from .tenants import Loaded, Tenants

Pairs: TypeAlias = Sequence[tuple[Rules, KeySource]]
Pin: TypeAlias = Rules | str  # a configured provider, or the issuer of a resolved one


class Candidates(NamedTuple):
    """The providers that may accept a token, in order, each with its key set.

    Arguments:
        pairs: the providers' rules and key sets.
        tenant: the resolved provider, which is the first candidate; None without one.
        refusal: the resolver's error, which is raised if no other provider accepts the token.
        settled: whether the candidates depend on nothing but the token and ``tenant``.
    """

    pairs: Pairs
    tenant: Loaded | None = None
    refusal: JWKSError | None = None
    settled: bool = True


class Directory:
    """The providers of one client.

    Arguments:
        providers: the configured providers.
        make: makes their key sets.
        tenants: the tenants that the application resolves; None without a resolver.
        clock: the client's clock.

    Raises `ConfigurationError`.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        make: Sources,
        tenants: Tenants | None,
        clock: Clock,
    ) -> None:
        self._routes = Routes(providers, resolved=tenants is not None)
        self.sources: Mapping[str, KeySource] = make.of(providers)
        self._tenants = tenants
        self._clock = clock
        self._unchecked = self._pairs(self._routes.unchecked)
        needed = [self.sources[one.name] for one in providers if one.required_at_start]
        #: The key sets that startup waits for; a shared one if any of its providers requires it.
        self.required: tuple[KeySource, ...] = tuple(dict.fromkeys(needed))
        self.requires_all = len(needed) == len(providers)
        only = self._routes.only
        #: The candidates for every token, if there is one provider and no resolver.
        self.only = None if only is None else Candidates(self._pairs(only))

    def _pairs(self, some: Sequence[Rules]) -> Pairs:
        return tuple([(rules, self.sources[rules.name]) for rules in some])

    @property
    def checks_every_audience(self) -> bool:
        """Return whether every configured provider checks the audience."""
        named = map(self._routes.named, self.names)
        return all(rules.provider.audience is not UNCHECKED for rules in named)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the configured providers, in the order given."""
        return self._routes.names

    @property
    def locations(self) -> tuple[Location, ...]:
        """Return where a request may carry the configured providers' tokens."""
        return self._routes.locations

    def all_sources(self) -> dict[str, KeySource]:
        """Return the key sets of configured providers and of loaded tenants, by name."""
        tenants = () if self._tenants is None else self._tenants.loaded
        return {**self.sources, **{one.issuer: one.source for one in tenants}}

    def pin(self, name: str) -> Pin:
        """Return the provider with a name, or an issuer to resolve. Raises ValueError otherwise."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("provider must be the name of a provider")  # noqa: TRY004 (the contract)
        if self._tenants is not None and name not in self.sources:
            if askable(name):
                return name
            raise ValueError("provider must be the name of a provider or an issuer")
        return self._routes.named(name)

    # --- the candidates for a token

    def known(self, token: UnverifiedToken, pin: Pin | None) -> Candidates | None:
        """Return the candidates for a token, or None if the resolver must be called.

        Raises TokenError if there are none.
        """
        if isinstance(pin, Rules):
            return Candidates(self._pairs((pin,)))
        issuer = None if self._tenants is None else self._asked_about(token, pin)
        if self._tenants is None or issuer is None:
            return Candidates(
                self._pairs(self._routes.candidates(token)), settled=self._routes.settled
            )
        tenant = self._tenants.get_fresh(issuer)
        return None if tenant is None else self._with_tenant(tenant, pin)

    def candidates(
        self, token: UnverifiedToken, pin: Pin | None
    ) -> Generator[Resolution, object, Candidates]:
        """Return the candidates for a token. Call the resolver if needed.

        Raises TokenError, or KeysUnavailableError ``resolver_failed``, if there are none.
        """
        found = self.known(token, pin)
        if found is not None:
            return found
        tenants, issuer = self._tenants, self._asked_about(token, pin)
        assert tenants is not None and issuer is not None  # noqa: S101, PT018 (else it is known)
        try:
            precheck_expiry(token.claims, self._clock.time(), tenants.leeway)
            return self._with_tenant((yield from tenants.resolved(issuer)), pin)
        except (TokenError, KeysUnavailableError) as error:
            refusal = error
        if pin is not None and refusal.code == "unknown_issuer":
            raise ValueError("no provider of that name is configured or resolved")
        if pin is not None or not self._unchecked:
            raise refusal
        return Candidates(self._unchecked, refusal=refusal, settled=False)

    def _with_tenant(self, tenant: Loaded, pin: Pin | None) -> Candidates:
        others = self._unchecked if pin is None else ()
        return Candidates(((tenant.rules, tenant.source), *others), tenant)

    def _asked_about(self, token: UnverifiedToken, pin: Pin | None) -> str | None:
        """Return the issuer to resolve; None if the resolver is not needed for this token."""
        if isinstance(pin, str):
            return pin
        issuer = token.claims.get("iss")
        if not isinstance(issuer, str) or not askable(issuer) or self._routes.naming(issuer):
            return None
        return issuer

    # --- key sets by name

    def named(self, name: str) -> Generator[Resolution, object, tuple[Rules, KeySource]]:
        """Return a provider with its key set. Call the resolver if needed.

        Raises ValueError if no provider has that name; KeysUnavailableError ``resolver_failed``.
        """
        pin = self.pin(name)
        if isinstance(pin, Rules):
            return pin, self.sources[pin.name]
        assert self._tenants is not None  # noqa: S101 (only then a pin is an issuer)
        try:
            tenant = yield from self._tenants.resolved(pin)
        except TokenError:
            pass
        else:
            return tenant.rules, tenant.source
        raise ValueError("no provider of that name is configured or resolved")
