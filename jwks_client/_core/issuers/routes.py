"""Choose the providers that a token may belong to, and the error to raise if none accepts it.

Routes by the unverified ``iss``: a token chooses among configured providers, and is never used as
a URL. Must not depend on: keys, caches, fetches. Routing takes constant time in the number of
providers.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

from ...errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from ..json_values import any_of
from ..locations import BEARER, Location
from ..provider import IssuerTemplate, Provider
from ..tokens.claims import Rules
from ..tokens.unverified import UnverifiedToken
from ..unchecked import UNCHECKED

# Which refusals of several candidates come first if no signature was valid.
_RANKED: Final = ("bad_signature", "ambiguous_key", "unknown_key")


class Routes:
    """The providers of one client, indexed by issuer.

    Arguments:
        providers: in the order given; names differ, and no two would accept the same tokens.
        resolved: the application resolves further providers, so ``providers`` may be empty.

    Raises `ConfigurationError`.
    """

    __slots__ = (
        "_by_issuer",
        "_by_name",
        "_by_prefix",
        "_order",
        "_prefix_lengths",
        "locations",
        "only",
        "settled",
        "unchecked",
    )

    def __init__(self, providers: Sequence[Provider], *, resolved: bool = False) -> None:
        if not providers and not resolved:
            raise ConfigurationError(
                "providers", "must contain at least one provider, unless resolve= is given"
            )
        _check_distinct(providers)
        all_rules = [Rules(provider) for provider in providers]
        self._by_name = {rules.name: rules for rules in all_rules}
        #: The candidates for every token, if no other provider is configured or resolved.
        self.only = (all_rules[0],) if len(all_rules) == 1 and not resolved else None
        every_place = (place for provider in providers for place in provider.locations)
        self.locations: tuple[Location, ...] = tuple(dict.fromkeys(every_place)) or (BEARER,)
        self.unchecked = tuple(rules for rules in all_rules if not rules.checks_issuer)
        # Whether the providers that name an issuer depend on the token alone.
        self.settled = self.only is not None or not any(
            isinstance(p.issuer, IssuerTemplate) and callable(p.issuer.allowed) for p in providers
        )
        by_issuer: dict[str, list[Rules]] = {}
        self._by_prefix: dict[str, list[Rules]] = {}
        for rules in all_rules:
            issuer = rules.provider.issuer
            if isinstance(issuer, IssuerTemplate):
                prefix = issuer.template.partition("{")[0]
                self._by_prefix.setdefault(prefix, []).append(rules)
            for plain in _plain_issuers(rules.provider):
                by_issuer.setdefault(plain, []).append(rules)
        self._by_issuer = {issuer: tuple(some) for issuer, some in by_issuer.items()}
        self._prefix_lengths = sorted({len(prefix) for prefix in self._by_prefix})
        self._order = {rules: place for place, rules in enumerate(all_rules)}

    def naming(self, issuer: str) -> tuple[Rules, ...]:
        """Return the providers that name an issuer, in the order given."""
        found = self._by_issuer.get(issuer, ())
        matching = [
            rules
            for length in self._prefix_lengths
            for rules in self._by_prefix.get(issuer[:length], ())
            # A template's `allowed` may be a callable of the application, so it runs each time.
            if rules.names(issuer)
        ]
        if not matching:
            return found
        return tuple(sorted((*found, *matching), key=self._order.__getitem__))

    def named(self, name: str) -> Rules:
        """Return the provider with this name, or raise ValueError."""
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(map(repr, self._by_name))
            raise ValueError(f"no provider is named {name!r}; configured: {known}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """All provider names, in the order given."""
        return tuple(self._by_name)

    def candidates(self, token: UnverifiedToken) -> tuple[Rules, ...]:
        """Return the providers that may accept a token, in the order to try them; never empty.

        Raises TokenError ``unknown_issuer``, or ``missing_claim`` or ``invalid_claim`` for ``iss``.
        """
        if self.only is not None:
            return self.only  # reports a more precise error than this method could
        issuer = token.claims.get("iss")
        named: tuple[Rules, ...] = ()
        if isinstance(issuer, str):
            named = self.naming(issuer)
        found = named + self.unchecked
        if found:
            return found
        if issuer is None:
            raise TokenError("missing_claim", "'iss' is missing", claim="iss")
        if not isinstance(issuer, str):
            raise TokenError("invalid_claim", "'iss' is not a string", claim="iss")
        raise TokenError("unknown_issuer", "the issuer is not configured", claim="iss")


def verdict(signed: Iterable[JWKSError], others: Iterable[JWKSError]) -> JWKSError:
    """Return the error to raise when several candidates refuse a token.

    Arguments:
        signed: the errors of candidates whose key verifies the signature, in their order.
        others: the errors of the other candidates, in their order.
    """
    for error in signed:
        return error
    return min(others, key=_rank)  # of equal ranks, the first


def _rank(error: JWKSError) -> int:
    if isinstance(error, KeysUnavailableError):
        return -1
    return _RANKED.index(error.code) if error.code in _RANKED else len(_RANKED)


def _plain_issuers(provider: Provider) -> tuple[str, ...]:
    match provider.issuer:
        case str():
            return (provider.issuer,)
        case tuple():
            return provider.issuer
        case _:
            return ()


def _check_distinct(providers: Sequence[Provider]) -> None:
    names: set[str] = set()
    alike: dict[Hashable, list[Provider]] = {}
    for provider in providers:
        if not isinstance(provider, Provider):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "providers", f"must be Provider values, got {type(provider).__name__}"
            )
        if provider.name in names:
            raise ConfigurationError(
                "providers", f"must have different names, got {provider.name!r} twice; set name="
            )
        names.add(provider.name)
        others = alike.setdefault(_rules_of(provider), [])
        for other in others:
            if _values_of(other) == _values_of(provider):
                raise ConfigurationError(
                    "providers",
                    f"must not accept the same tokens, as {other.name!r} and {provider.name!r} do",
                )
        others.append(provider)


def _accepted(value: object) -> tuple[str, ...]:
    """Return a claim's accepted values as text, in which true is not 1."""
    return tuple(sorted(json.dumps(one, sort_keys=True) for one in any_of(value)))


def _rules_of(provider: Provider) -> Hashable:
    """Return issuer, key URL and claim rules; with `_values_of`, all that decides about a token."""
    as_set = frozenset
    audience = provider.audience
    return (
        as_set(_plain_issuers(provider)),
        provider.jwks_url or provider.discovery_url,
        as_set((audience,) if isinstance(audience, str) else audience)
        if audience is not UNCHECKED
        else audience,
        as_set(provider.algorithms),
        as_set(provider.token_types),
        as_set(provider.required_claims),
        as_set(provider.forbidden_claims),
        tuple(sorted((n, _accepted(v)) for n, v in provider.claim_values.items())),
        provider.max_age,
        provider.require_expiry,
        provider.bound_tokens,
    )


def _values_of(provider: Provider) -> tuple[object, ...]:
    """Return the other parts, which need not be hashable: key set, template, checks."""
    issuer = provider.issuer
    template = issuer if isinstance(issuer, IssuerTemplate) else None
    return (issuer is UNCHECKED, provider.jwks, template, tuple(provider.checks))
