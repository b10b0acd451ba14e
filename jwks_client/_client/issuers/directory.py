"""Whose a token may be: the providers of one client, configured and resolved, with their key sets.

Owns: the candidates of a token, and providers by name. May not know: how a token is judged, how
flights or the resolver's calls are waited for. A generator here yields the calls to wait for.
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
    """The providers to ask about a token, in order, each with its key set.

    Arguments:
        pairs: those.
        tenant: the resolved one among them, if there is one; the first.
        refusal: what the resolver's silence means, where nobody else accepts the token.
        settled: it depends on nothing but the token, and on ``tenant``, who is asked.
    """

    pairs: Pairs
    tenant: Loaded | None = None
    refusal: JWKSError | None = None
    settled: bool = True


class Directory:
    """The providers of one client.

    Arguments:
        providers: the configured ones.
        make: makes their key sets.
        tenants: those that the application resolves, where it does.
        clock: the client's.

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
        #: All candidates of any token, where there is one provider and no resolver.
        self.only: Candidates | None = None
        if len(providers) == 1 and tenants is None:
            self.only = Candidates(self._pairs((self._routes.named(providers[0].name),)))

    def _pairs(self, some: Sequence[Rules]) -> Pairs:
        return tuple([(rules, self.sources[rules.name]) for rules in some])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the configured providers, in the order given."""
        return self._routes.names

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where the configured providers' tokens may stand in a request."""
        return self._routes.locations

    def everyone(self) -> dict[str, KeySource]:
        """The key sets of configured providers and of tenants that are loaded, by name."""
        tenants = () if self._tenants is None else self._tenants.loaded
        return {**self.sources, **{one.issuer: one.source for one in tenants}}

    def pin(self, name: str) -> Pin:
        """The provider of a name; ValueError if there can be none, a mistake of the caller."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("provider takes the name of a provider")  # noqa: TRY004 (the contract)
        if self._tenants is not None and name not in self.sources:
            if askable(name):
                return name
            raise ValueError("no provider has such a name, and no issuer is written like that")
        return self._routes.named(name)

    # --- the candidates of a token

    def known(self, token: UnverifiedToken, pin: Pin | None) -> Candidates | None:
        """The candidates of a token, or None where the application must be asked.

        Raises TokenError where there can be none.
        """
        if isinstance(pin, Rules):
            return Candidates(self._pairs((pin,)))
        issuer = None if self._tenants is None else self._asked_about(token, pin)
        if self._tenants is None or issuer is None:
            return Candidates(
                self._pairs(self._routes.candidates(token)), settled=self._routes.settled
            )
        tenant = self._tenants.at_once(issuer)
        return None if tenant is None else self._with(tenant, pin)

    def candidates(
        self, token: UnverifiedToken, pin: Pin | None
    ) -> Generator[Resolution, object, Candidates]:
        """The candidates of a token, for which the application may have to be asked.

        Raises TokenError, or KeysUnavailableError ``resolver_failed``, where nobody is left to ask.
        """
        found = self.known(token, pin)
        if found is not None:
            return found
        tenants, issuer = self._tenants, self._asked_about(token, pin)
        assert tenants is not None and issuer is not None  # noqa: S101, PT018 (not at hand)
        try:
            precheck_expiry(token.claims, self._clock.time(), tenants.leeway)
            return self._with((yield from tenants.resolved(issuer)), pin)
        except (TokenError, KeysUnavailableError) as error:
            refusal = error
        if pin is not None and refusal.code == "unknown_issuer":
            raise ValueError("no provider is configured or resolved by that name")
        if pin is not None or not self._unchecked:
            raise refusal
        return Candidates(self._unchecked, refusal=refusal, settled=False)

    def _with(self, tenant: Loaded, pin: Pin | None) -> Candidates:
        others = self._unchecked if pin is None else ()
        return Candidates(((tenant.rules, tenant.source), *others), tenant)

    def _asked_about(self, token: UnverifiedToken, pin: Pin | None) -> str | None:
        """The issuer to ask the application about, if it is to be asked at all."""
        if isinstance(pin, str):
            return pin
        issuer = token.claims.get("iss")
        if not isinstance(issuer, str) or not askable(issuer) or self._routes.naming(issuer):
            return None
        return issuer

    # --- key sets by name

    def named(self, name: str) -> Generator[Resolution, object, tuple[Rules, KeySource]]:
        """A provider with its key set, for which the application may have to be asked.

        Raises ValueError if there is no such provider; KeysUnavailableError ``resolver_failed``.
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
        raise ValueError("no provider is configured or resolved by that name")
