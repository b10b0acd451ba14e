"""Which of the configured providers a token may be of, and which of their verdicts counts.

Owns: routing by the unverified ``iss`` and the order of verdicts. May not know: keys, caches,
fetches. A token chooses among providers that the application configured; it never names a URL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ...errors import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from ..json_values import any_of
from ..locations import BEARER, Location
from ..provider import IssuerTemplate, Provider
from ..tokens.claims import Rules
from ..tokens.unverified import UnverifiedToken
from ..unchecked import UNCHECKED

T = TypeVar("T")

# The order in which errors of several candidates count, where no signature held.
_RANKED = ("bad_signature", "ambiguous_key", "unknown_key")


class Routes:
    """The providers of one client, laid out by issuer.

    Arguments:
        providers: in the order given; names differ, and no two would accept the same tokens.
        resolved: the application resolves others, so there may be none, and an issuer that none of
            them names may still be somebody's.

    Raises `ConfigurationError`.
    """

    __slots__ = (
        "_by_issuer",
        "_by_name",
        "_only",
        "_templates",
        "locations",
        "settled",
        "unchecked",
    )

    def __init__(self, providers: Sequence[Provider], *, resolved: bool = False) -> None:
        if not providers and not resolved:
            raise ConfigurationError(
                "providers", "at least one provider, or resolve=, must be given"
            )
        _refuse_twins(providers)
        all_rules = [Rules(provider) for provider in providers]
        self._by_name = {rules.name: rules for rules in all_rules}
        self._only = (all_rules[0],) if len(all_rules) == 1 and not resolved else None
        every_place = (place for provider in providers for place in provider.locations)
        self.locations: tuple[Location, ...] = tuple(dict.fromkeys(every_place)) or (BEARER,)
        self.unchecked = tuple(rules for rules in all_rules if not rules.checks_issuer)
        self._templates = any(isinstance(p.issuer, IssuerTemplate) for p in providers)
        # Whether it depends on nothing but the token which providers name its issuer.
        self.settled = self._only is not None or not any(
            isinstance(p.issuer, IssuerTemplate) and callable(p.issuer.allowed) for p in providers
        )
        self._by_issuer: dict[str, tuple[Rules, ...]] = {}
        for issuer in {one for provider in providers for one in _plain_issuers(provider)}:
            self._by_issuer[issuer] = self._naming(issuer)

    def naming(self, issuer: str) -> tuple[Rules, ...]:
        """The providers that name an issuer, in the order given."""
        # A template's `allowed` may be the application's own code, which is asked each time.
        return self._by_issuer.get(issuer, ()) if not self._templates else self._naming(issuer)

    def _naming(self, issuer: str) -> tuple[Rules, ...]:
        return tuple(rules for rules in self._by_name.values() if rules.names(issuer))

    def named(self, name: str) -> Rules:
        """The provider of a name; ValueError if there is none, a mistake of the caller."""
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(map(repr, self._by_name))
            raise ValueError(f"no provider is named {name!r}; there are {known}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """All provider names, in the order given."""
        return tuple(self._by_name)

    def candidates(self, token: UnverifiedToken) -> tuple[Rules, ...]:
        """The providers that may accept a token, in the order to ask them; never empty.

        Raises TokenError ``unknown_issuer``, or ``missing_claim`` or ``invalid_claim`` for ``iss``.
        """
        if self._only is not None:
            return self._only  # its own verdict is the more telling one
        issuer = token.claims.get("iss")
        named: tuple[Rules, ...] = ()
        if isinstance(issuer, str):
            named = self.naming(issuer)
        found = named + self.unchecked
        if found:
            return found
        if issuer is None:
            raise TokenError("missing_claim", "it has no issuer", claim="iss")
        if not isinstance(issuer, str):
            raise TokenError("invalid_claim", "its issuer is no string", claim="iss")
        raise TokenError("unknown_issuer", "its issuer is none that is configured", claim="iss")


def verdict(held: Iterable[JWKSError], others: Iterable[JWKSError]) -> JWKSError:
    """The error that counts among several candidates' errors, each in the order of the candidates.

    Arguments:
        held: of candidates whose key made the signature.
        others: of the rest.
    """
    for error in held:
        return error
    rest = list(others)
    order: list[Callable[[JWKSError], bool]] = [lambda e: isinstance(e, KeysUnavailableError)]
    order.extend(_has_code(code) for code in _RANKED)
    for matches in order:
        for error in rest:
            if matches(error):
                return error
    return rest[0]


def _has_code(code: str) -> Callable[[JWKSError], bool]:
    return lambda error: error.code == code


def _plain_issuers(provider: Provider) -> tuple[str, ...]:
    match provider.issuer:
        case str():
            return (provider.issuer,)
        case tuple():
            return provider.issuer
        case _:
            return ()


def _refuse_twins(providers: Sequence[Provider]) -> None:
    for place, provider in enumerate(providers):
        if not isinstance(provider, Provider):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "providers", f"takes Provider values, not {type(provider).__name__}"
            )
        for other in providers[:place]:
            if other.name == provider.name:
                raise ConfigurationError(
                    "providers", f"two are named {provider.name!r}; tell them apart with name="
                )
            if _identity(other) == _identity(provider):
                raise ConfigurationError(
                    "providers",
                    f"{other.name!r} and {provider.name!r} would accept the same tokens",
                )


def _told_apart(value: object) -> list[str]:
    """A claim's accepted values as text, in which true is not 1."""
    return sorted(json.dumps(one, sort_keys=True) for one in any_of(value))


def _identity(provider: Provider) -> tuple[object, ...]:
    """Issuer, keys and claim rules: what decides on a token."""
    as_set = frozenset
    return (
        as_set(_plain_issuers(provider)) or provider.issuer,
        provider.jwks_url or provider.discovery_url or provider.jwks,
        provider.audience
        if provider.audience is UNCHECKED
        else as_set(
            (provider.audience,) if isinstance(provider.audience, str) else provider.audience
        ),
        as_set(provider.algorithms),
        as_set(provider.token_types),
        as_set(provider.required_claims),
        as_set(provider.forbidden_claims),
        tuple(sorted((n, _told_apart(v)) for n, v in provider.claim_values.items())),
        provider.max_age,
        provider.require_expiry,
        provider.bound_tokens,
        tuple(provider.checks),
    )
